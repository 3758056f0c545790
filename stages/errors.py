"""Mistakes that a person can mend."""


class UserError(Exception):
    """One sentence: what was wrong, where, and what to do. Shown without a traceback."""
