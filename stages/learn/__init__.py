"""The arithmetic: all code between arrays of images and the numbers in the metrics.

Functions take values and arrays and return values and arrays. They open no file.
"""
