"""How many fits run at once, and where: environment variables decide."""

import os

import joblib

from stages.errors import UserError

PROCESSES = "FIT_PROCESSES"
CLUSTER = "DASK_SCHEDULER_ADDRESS"


def cluster() -> str | None:
    """Address of the scheduler of a Dask cluster, if fits are to run there."""
    return os.environ.get(CLUSTER) or None


def at_once() -> int:
    """How many fits run at once: $FIT_PROCESSES, else the cores this process may use.

    Raises
    ------
    UserError
        If $FIT_PROCESSES is no whole number above zero.
    """
    given = os.environ.get(PROCESSES)
    if not given:
        return joblib.cpu_count()
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"{PROCESSES} is {given!r}, but must be a whole number above 0.")
    return int(given)


def at_once_here() -> int:
    """How many fits run at once on this machine: none where a cluster is named."""
    return 0 if cluster() else at_once()
