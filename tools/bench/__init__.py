"""Measure the speed of the pipeline and of the notebook that it comes from: `make bench`."""
