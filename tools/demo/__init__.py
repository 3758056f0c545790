"""Run the pipeline on drawn garments; `make` does so if it cannot get the real images."""
