"""Code that several programs in `tools` share."""
