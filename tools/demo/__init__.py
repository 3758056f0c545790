"""The pipeline on drawn garments, and what `make` does first."""
