"""Compare the results of two revisions: what changed, and is it more than chance?"""
