"""Where fits run: in processes of this machine, one fit to a process at a time.

Each fit computes with one thread, so how many run at once never changes a result. What goes to
these processes and comes back is pickled by joblib: on this machine, between processes that this
one started, and in no file that outlives them.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from pickle import PicklingError
from threading import Event, Thread
from typing import Any

import joblib
from joblib.externals.loky.backend import resource_tracker as joblib_tracker
from joblib.externals.loky.process_executor import BrokenProcessPool
from sklearn.callback import CallbackContext
from sklearn.model_selection import GridSearchCV

from stages.common.errors import UserError
from stages.common.lifetime import begin_as_child
from stages.common.terminal import Progress

# When this process is killed, joblib's resource tracker deletes what it left in temporary
# folders. It need not warn of that.
os.environ["PYTHONWARNINGS"] = ",".join(
    filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"])
)

PROCESSES = "FIT_PROCESSES"
LOOK_AGAIN = 0.2  # seconds


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


def run(
    title: str, function: Callable[..., Any], tasks: list[tuple[str, tuple[Any, ...]]]
) -> list[Any]:
    """Call a function once for each task, several at a time.

    Parameters
    ----------
    title : str
        What is being done, for the person who waits.
    function : callable
    tasks : list of (str, tuple)
        Of each call the name by which progress speaks of it, and the arguments; the longest
        should come first.

    Returns
    -------
    list
        What the calls returned, in the order of the tasks.
    """
    results: list[Any] = [None] * len(tasks)
    calls = (joblib.delayed(_numbered)(i, function, task) for i, (_, task) in enumerate(tasks))
    with _workers(), Progress(title, len(tasks)) as bar:
        pool = joblib.Parallel(processes(), pre_dispatch="all", return_as="generator_unordered")
        for i, result in pool(calls):
            results[i] = result
            bar.advance(tasks[i][0])
    return results


@contextmanager
def _workers() -> Iterator[None]:
    """Have joblib use processes of this machine, which end with this one."""
    if sys.platform != "win32":
        # A stage's Ctrl-C is blocked here and in the processes that start from here, until the
        # first of them starts Python's own resource tracker, which unblocks it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
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


def _numbered(i: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    return i, function(*arguments)


@contextmanager
def progress_of(grid: GridSearchCV, title: str, names: list[str]) -> Iterator[None]:
    """Run a grid search in these processes, and show its progress.

    Parameters
    ----------
    grid : GridSearchCV
    title : str
    names : list of str
        Names of its fits, fold by fold for each candidate.

    Notes
    -----
    scikit-learn's own `ProgressBar` counts fits without saying which, and shows nothing where
    there is no terminal. The fits run in other processes; each leaves a line in a file.
    """
    with _temporary_folder() as folder, Progress(title, len(names)) as bar:
        log = folder / "fits"
        log.touch()
        over = Event()
        watcher = Thread(target=_watch, args=(log, over, bar, names))
        watcher.start()
        try:
            grid.set_callbacks(_Log(log))
            with _workers():
                yield
        finally:
            over.set()
            watcher.join()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is deleted even when this process is killed."""
    with tempfile.TemporaryDirectory() as folder:
        joblib_tracker.register(folder, "folder")
        yield Path(folder)
    joblib_tracker.unregister(folder, "folder")


def _watch(log: Path, over: Event, bar: Progress, names: list[str]) -> None:
    with log.open() as lines:
        last_look = False
        while not last_look:
            last_look = over.wait(LOOK_AGAIN)
            for line in lines:
                bar.advance(names[int(line)])


class _Log:
    """A scikit-learn callback that writes down the number of each fit of a search."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def setup(self, estimator: GridSearchCV, context: CallbackContext) -> None:
        """Nothing to set up."""

    def teardown(self, estimator: GridSearchCV, context: CallbackContext) -> None:
        """Nothing to tear down."""

    def on_fit_task_begin(self, estimator: GridSearchCV, context: CallbackContext) -> None:
        """Nothing to say yet."""

    def on_fit_task_end(self, estimator: GridSearchCV, context: CallbackContext) -> None:
        """Write down the number of a fit; one short line is written whole."""
        if context.task_name == "candidate-split-evaluation":
            with self.path.open("a") as log:
                log.write(f"{context.task_id}\n")
