"""How fast the pipeline is, beside the notebook that it comes from: `make bench`."""
