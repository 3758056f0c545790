"""Environment variables of the programs that a tool starts."""

import os
import sys
from pathlib import Path


def use_this_python() -> None:
    """Put this Python's folder first in PATH, so that commands find its `dvc` and `python`."""
    os.environ.pop("SHELL", None)  # DVC runs commands with it, and it may be /bin/false
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
