"""What is read and written: images, settings, results, models, pictures."""
