"""Write the results of a revision as a page."""
