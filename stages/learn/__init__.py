"""The arithmetic: all code between arrays of images and the numbers in the metrics."""
