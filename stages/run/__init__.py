"""Execution: where and when fits run, in which memory and time, and what the terminal shows.

Nothing here changes a result.
"""
