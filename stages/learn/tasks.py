"""Many fits, and the function that runs them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Task(NamedTuple):
    """One call among many.

    Attributes
    ----------
    name
        What the call fits, for the person who waits.
    arguments
        The positional arguments of the call.
    """

    name: str
    arguments: tuple[Any, ...]


# Calls a function once for each task and returns the results in the order of the tasks. The
# text says what all of the tasks are, for the person who waits.
Run = Callable[[str, Callable[..., Any], Sequence[Task]], list[Any]]


def one_after_another(_: str, function: Callable[..., Any], tasks: Sequence[Task]) -> list[Any]:
    """Run the tasks in this process, in their order."""
    return [function(*task.arguments) for task in tasks]
