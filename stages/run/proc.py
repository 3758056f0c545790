"""Read what the system tells of processes and mounts in files of its own."""

import os
from pathlib import Path


def lines(file: Path) -> list[str]:
    """Lines of a file, without empty ones; none if there is no such file, or it cannot be read.

    The system may write any byte into a path, and only a line feed ends a line.
    """
    try:
        return [line for line in os.fsdecode(file.read_bytes()).split("\n") if line]
    except OSError:
        return []
