"""Reading and writing: raw images, settings, results, models, pictures, drawn garments."""
