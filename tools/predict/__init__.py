"""Classify image files with a model of the pipeline."""
