"""The results of a revision as a page."""
