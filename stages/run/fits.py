"""Where fits run: in processes or threads of this machine, or on a Dask cluster.

Each fit computes with one thread, so no result depends on where fits run and on how many run at
once. joblib pickles arguments and results between this process and those that it starts; no file
with a pickle remains.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from pickle import PicklingError
from typing import Any

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from stages.errors import UserError
from stages.learn.tasks import Run, Task
from stages.run import concurrency, memory
from stages.run.lifetime import begin_as_child, end_children
from stages.run.records import NO_RECORD, Record
from stages.run.terminal import Progress, last_words
from stages.run.time_needed import estimated_seconds

# joblib's resource tracker deletes the temporary files of a process that was killed. It need not
# warn of that.
os.environ["PYTHONWARNINGS"] = ",".join(
    filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"])
)

memory.share_one_heap()


def in_processes(title: str, record: Record = NO_RECORD) -> Run:
    """Run fits in processes: for functions that hold Python's lock."""
    return partial(_run, title, record, _in_processes)


def in_threads(title: str) -> Run:
    """Run fits in threads: for functions that compute outside of Python's lock."""
    return partial(_run, title, NO_RECORD, _in_threads)


def _run(
    title: str,
    record: Record,
    how: Callable[..., Iterator[tuple[int, Any]]],
    what: str,
    function: Callable[..., Any],
    tasks: Sequence[Task],
) -> list[Any]:
    """Call a function once for each task that is not known, several at a time, the longest first.

    Parameters
    ----------
    title
        Of the stage, for the person who waits.
    record
        Knows what earlier calls returned, and keeps what these return.
    how
        `_in_processes` or `_in_threads`: how calls run where no cluster is named.
    what, function, tasks
        As in `learn.tasks.Run`.

    Returns
    -------
    list
        What the calls returned, in the order of the tasks.
    """
    title = f"{title}: {what}"
    calls = [task.arguments for task in tasks]

    def compute(unknown: list[int]) -> Iterator[tuple[int, Any]]:
        seconds = {i: estimated_seconds(function, calls[i]) for i in unknown}
        order = sorted(unknown, key=lambda i: -seconds[i])
        work = [seconds[i] for i in order]
        with Progress(title, len(order), work=work, at_once=concurrency.at_once()) as bar:
            for place, result in _results(how, function, [calls[i] for i in order]):
                i = order[place]
                yield i, result
                bar.advance(tasks[i].name, work=seconds[i])
        memory.give_back()

    return record.complete(title, function, calls, compute)


def _results(
    how: Callable[..., Iterator[tuple[int, Any]]],
    function: Callable[..., Any],
    arguments: list[tuple[Any, ...]],
) -> Iterator[tuple[int, Any]]:
    """Call a function on the cluster if one is named, else on this machine."""
    if address := concurrency.cluster():
        from stages.run import dask_cluster  # its packages are optional

        return dask_cluster.calls(address, function, arguments)
    return how(function, arguments)


def _in_threads(
    function: Callable[..., Any], arguments: list[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    pool = ThreadPoolExecutor(concurrency.at_once())
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
            concurrency.at_once(), pre_dispatch="all", return_as="generator_unordered"
        )(joblib.delayed(_numbered)(i, function, values) for i, values in enumerate(arguments))


@contextmanager
def _workers() -> Iterator[None]:
    """Have joblib use processes of this machine, which end with this one."""
    if sys.platform != "win32":
        # A stage blocks Ctrl-C in this process and in those that it starts. Starting Python's own
        # resource tracker unblocks it: so start that now, and restore the mask.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    hook, threading.excepthook = threading.excepthook, _end_with_thread
    try:
        with joblib.parallel_config("loky", initializer=begin_as_child, initargs=(os.getpid(),)):
            yield
    except BrokenProcessPool:
        raise UserError(
            "A process that was fitting models was killed, most likely because memory ran out: "
            f"lower the sample counts in params.yaml, or lower {concurrency.PROCESSES}."
        ) from None
    except PicklingError:
        raise UserError(
            "Images could not be handed to the processes that fit models: most likely "
            f"{tempfile.gettempdir()} or /dev/shm is full. Free some space there, or set TMPDIR to "
            "a folder with more."
        ) from None
    finally:
        threading.excepthook = hook


def _end_with_thread(failed: threading.ExceptHookArgs) -> None:
    """End this process when a thread of joblib's failed: it would wait for that thread's work."""
    last_words(
        f"Fits could not be handed to processes ({failed.exc_value}), most likely because memory "
        f"ran out: lower the sample counts in params.yaml, or lower {concurrency.PROCESSES}."
    )
    end_children()
    os._exit(1)


def _numbered(i: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    result = function(*arguments)
    memory.give_back()  # the process goes on, with another call or none
    return i, result
