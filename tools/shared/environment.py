"""The environment that programs are started in."""

import os
import sys
from pathlib import Path


def use_this_python() -> None:
    """Have commands find the `dvc` and `python` of the environment that this runs in."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
