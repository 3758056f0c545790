"""Is a change real? Two revisions side by side."""
