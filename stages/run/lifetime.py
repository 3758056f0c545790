"""A process that ends with the one that started it.

Without this, a killed DVC would leave its stages running, and a killed stage the processes that fit
its models. The next `dvc repro` would start a second copy beside them.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from stages.run.proc import lines

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LOOK_AGAIN = 0.5  # seconds


def end_with_parent(parent: int | None = None) -> None:
    """Terminate this process when its parent is gone; does nothing on other systems than Linux.

    Parameters
    ----------
    parent
        Number of the parent's process, if it is known: it may be gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if parent is not None and os.getppid() != parent:
            signal.raise_signal(signal.SIGTERM)


def end_children() -> None:
    """Terminate the processes that this one started; on Linux even those that are just starting."""
    children = {process.pid for process in multiprocessing.active_children() if process.pid}
    for listed in Path("/proc/self/task").glob("*/children"):
        children |= {int(child) for child in " ".join(lines(listed)).split()}
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)


def begin_as_child(parent: int) -> None:
    """Begin as a process that works for another: end with that one, and leave Ctrl-C to it.

    Parameters
    ----------
    parent
        Number of the other process.

    Notes
    -----
    It stands in this module and not beside the fits, because this module is imported quickly: until
    then a process that has just started does not know that the other is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def end_with_shell() -> None:
    """Terminate this process when the process that started it through a shell is gone.

    DVC hands a stage's command to a shell. Some shells become the command (bash). Others wait for
    it (Debian's sh), and would go on waiting without DVC.
    """
    if sys.platform == "linux":
        shell = os.getppid()
        arguments = "\n".join(lines(Path(f"/proc/{shell}/cmdline"))).split("\0")
        if " ".join(sys.orig_argv) in arguments:
            threading.Thread(target=_end_without, args=(shell, _parent(shell)), daemon=True).start()


def _end_without(shell: int, parent: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # the main thread handles it
    while _parent(shell) == parent:
        time.sleep(LOOK_AGAIN)
    os.kill(os.getpid(), signal.SIGTERM)


def _parent(process: int) -> int:
    """Number of a process's parent; 0 if the process is gone."""
    told = " ".join(lines(Path(f"/proc/{process}/stat"))) or ") - 0"
    return int(told.rpartition(")")[2].split()[1])
