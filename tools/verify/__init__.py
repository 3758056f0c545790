"""Verify that the committed results come from the committed code."""
