"""Where fits run: in processes of this machine, one fit to a process at a time.

Each fit computes with one thread, so how many run at once never changes a result. What goes to
these processes and comes back is pickled by joblib: on this machine, between processes that this
one started, and in no file that outlives them.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.callback import CallbackContext
from sklearn.model_selection import GridSearchCV

from stages.common.errors import UserError
from stages.common.lifetime import end_with_parent
from stages.common.terminal import Progress

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
    try:
        with joblib.parallel_config("loky", initializer=_begin, initargs=(os.getpid(),)):
            yield
    except TerminatedWorkerError:
        raise UserError(
            "A process that was fitting models was ended from outside, most likely for want of "
            f"memory: lower the sample counts in params.yaml, or set {PROCESSES} to fewer."
        ) from None


def _begin(parent: int) -> None:
    # Ctrl-C reaches every process of a terminal; the one that started this one sees to the end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


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
    with tempfile.TemporaryDirectory() as folder, Progress(title, len(names)) as bar:
        log = Path(folder, "fits")
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
