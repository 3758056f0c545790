"""Where fits run: in processes or threads of this machine, or on a Dask cluster.

Each fit computes with one thread, so where and how many run at once never changes a result. What
goes to processes and comes back is pickled by joblib: on this machine, between processes that
this one started, and in no file that outlives them.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pickle import PicklingError
from typing import Any, NamedTuple

import joblib
import numpy as np
from joblib.externals.loky.process_executor import BrokenProcessPool

from stages.errors import UserError
from stages.run import memory
from stages.run.lifetime import begin_as_child, end_children
from stages.run.terminal import Progress, last_words, say

# When this process is killed, joblib's resource tracker deletes what it left in temporary
# folders. It need not warn of that.
os.environ["PYTHONWARNINGS"] = ",".join(
    filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"])
)

memory.share_one_heap()

PROCESSES = "FIT_PROCESSES"
CLUSTER = "DASK_SCHEDULER_ADDRESS"
PROCESS = 145_000_000  # bytes that a process takes before it has images
PROBES = 5  # products of matrices that tell how fast a machine is
PROBES_TAKE = 0.1  # seconds, on the machine of the figures in README
TWO_MINUTES = 120  # seconds


def processes() -> int:
    """How many fits run at once: $FIT_PROCESSES, else the cores this process may use.

    Raises
    ------
    UserError
        If $FIT_PROCESSES is no whole number above zero.
    """
    given = os.environ.get(PROCESSES)
    if given is None:
        return joblib.cpu_count()
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"{PROCESSES} is {given!r}, but must be a whole number above 0.")
    return int(given)


def here() -> int:
    """How many fits run at once on this machine: none of them, where a cluster is named."""
    return 0 if os.environ.get(CLUSTER) else processes()


def announce(title: str, seconds: float, alone: float = 0) -> None:
    """Say about how long work will take on this machine; of a cluster nothing is known.

    Parameters
    ----------
    title : str
        Of a stage.
    seconds : float
        What it takes on the machine of the figures in README: of what runs several at a time.
    alone : float
        The same, of what runs alone.
    """
    if os.environ.get(CLUSTER):
        return
    expected = (seconds / processes() + alone) * slowness()
    said = f"{expected / 60:.0f} minutes" if expected > TWO_MINUTES else f"{expected:.0f} seconds"
    say(f"{title}: about {said} on this machine, {processes()} at once")


def slowness() -> float:
    """How many times as long this machine multiplies matrices as that of the figures in README."""
    matrix = np.ones((800, 800))
    matrix @ matrix
    begun = time.process_time()
    for _ in range(PROBES):
        matrix @ matrix
    return (time.process_time() - begun) / PROBES_TAKE


class Task(NamedTuple):
    """One call among many.

    Attributes
    ----------
    name : str
        By which progress speaks of it.
    arguments : tuple
    seconds : float
        About how long it takes on the machine of the figures in README, for the time left.
    """

    name: str
    arguments: tuple[Any, ...]
    seconds: float


def run(
    title: str, function: Callable[..., Any], tasks: list[Task], threads: bool = False
) -> list[Any]:
    """Call a function once for each task, several at a time, the longest first.

    Parameters
    ----------
    title : str
        What is being done, for the person who waits.
    function : callable
    tasks : list of Task
    threads : bool
        Whether threads do on this machine, which share images and start at once: for functions
        that compute outside of Python's lock.

    Returns
    -------
    list
        What the calls returned, in the order of the tasks.
    """
    order = sorted(range(len(tasks)), key=lambda i: -tasks[i].seconds)
    arguments = [tasks[i].arguments for i in order]
    calls: Iterator[tuple[int, Any]]
    if address := os.environ.get(CLUSTER):
        from stages.run import dask_cluster  # whose packages only those have who want it

        calls = dask_cluster.calls(address, function, arguments)
    else:
        calls = _here(function, arguments, threads)
    results: list[Any] = [None] * len(tasks)
    work = [tasks[i].seconds for i in order]
    with Progress(title, len(tasks), work=work, at_once=processes()) as bar:
        for place, result in calls:
            task = tasks[order[place]]
            results[order[place]] = result
            bar.advance(task.name, work=task.seconds)
    memory.give_back()
    return results


def _here(
    function: Callable[..., Any], arguments: list[tuple[Any, ...]], threads: bool
) -> Iterator[tuple[int, Any]]:
    """Call a function on this machine; number of each call and what it returned, as they come."""
    try:
        yield from (_in_threads if threads else _in_processes)(function, arguments)
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise MemoryError(error) from None


def _in_threads(
    function: Callable[..., Any], arguments: list[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    pool = ThreadPoolExecutor(processes())
    try:
        calls = {pool.submit(function, *values): i for i, values in enumerate(arguments)}
        for call in as_completed(calls):
            yield calls[call], call.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _in_processes(
    function: Callable[..., Any], arguments: list[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    with _workers():
        yield from joblib.Parallel(
            processes(), pre_dispatch="all", return_as="generator_unordered"
        )(joblib.delayed(_numbered)(i, function, values) for i, values in enumerate(arguments))


@contextmanager
def _workers() -> Iterator[None]:
    """Have joblib use processes of this machine, which end with this one."""
    if sys.platform != "win32":
        # A stage's Ctrl-C is blocked here and in the processes that start from here, until the
        # first of them starts Python's own resource tracker, which unblocks it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    hook, threading.excepthook = threading.excepthook, _end_with_thread
    try:
        with joblib.parallel_config("loky", initializer=begin_as_child, initargs=(os.getpid(),)):
            yield
    except BrokenProcessPool:
        raise UserError(
            "A process that was fitting models was ended from outside, most likely for want of "
            f"memory: lower the sample counts in params.yaml, or set {PROCESSES} to fewer."
        ) from None
    except PicklingError:
        raise UserError(
            "Images could not be handed to the processes that fit models: there is most likely no "
            f"room left in {tempfile.gettempdir()} or /dev/shm. Make some, or set TMPDIR to a "
            "folder with more."
        ) from None
    finally:
        threading.excepthook = hook


def _end_with_thread(failed: threading.ExceptHookArgs) -> None:
    """End with a thread of joblib's that failed: what it should have handed on is waited for."""
    last_words(
        f"Fits could not be handed to processes ({failed.exc_value}), most likely for want of "
        f"memory: lower the sample counts in params.yaml, or set {PROCESSES} to fewer."
    )
    end_children()
    os._exit(1)


def _numbered(i: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    return i, function(*arguments)
