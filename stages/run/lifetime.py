"""A process that ends with the one that started it.

When DVC is killed, its stages go on, and so do the processes in which a stage fits its models;
the next `dvc repro` would start a second copy beside them.
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

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LOOK_AGAIN = 0.5  # seconds


def end_with_parent(parent: int | None = None) -> None:
    """Have this process terminated when its parent is gone; on Linux, elsewhere do nothing.

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
    """Terminate the processes that this one started, on Linux also those just being started."""
    children = {process.pid for process in multiprocessing.active_children() if process.pid}
    for listed in Path("/proc/self/task").glob("*/children"):
        children |= {int(child) for child in listed.read_text().split()}
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)


def begin_as_child(parent: int) -> None:
    """Begin as a process that works for another: it ends with that one, which sees to Ctrl-C.

    Parameters
    ----------
    parent
        Number of the other process.

    Notes
    -----
    Here, and not beside the fits, because this module is quickly imported: until then a process
    that was just started does not know that the other is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def end_with_shell() -> None:
    """Have this process terminated when the one is gone that started it through a shell.

    DVC hands a stage's command to a shell. Some become the command (bash); others wait for it,
    and would go on doing so without DVC (Debian's sh).
    """
    if sys.platform == "linux":
        shell = os.getppid()
        arguments = Path(f"/proc/{shell}/cmdline").read_text().split("\0")
        if " ".join(sys.orig_argv) in arguments:
            threading.Thread(target=_end_without, args=(shell, _parent(shell)), daemon=True).start()


def _end_without(shell: int, parent: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # the main thread's to see to
    while _parent(shell) == parent:
        time.sleep(LOOK_AGAIN)
    os.kill(os.getpid(), signal.SIGTERM)


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
