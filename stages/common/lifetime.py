"""A process that ends with the one that started it.

When DVC is killed, its stages go on, and so do the processes in which a stage fits its models;
the next `dvc repro` would start a second copy beside them.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent(parent: int | None = None) -> None:
    """Have this process terminated when its parent is gone; on Linux, elsewhere do nothing.

    Parameters
    ----------
    parent : int or None
        Number of the parent's process, if it is known: it may be gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if parent is not None and os.getppid() != parent:
            signal.raise_signal(signal.SIGTERM)
