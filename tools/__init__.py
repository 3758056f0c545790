"""Programs for people; the pipeline's stages do not use them."""
