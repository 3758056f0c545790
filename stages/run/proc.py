"""Read what the system tells of processes and mounts in files of its own."""

import os
from pathlib import Path


def lines(file: Path) -> list[str]:
    """Lines of a file, without empty ones; none if there is no such file, or it cannot be read.

    The system may write any byte into a path, and only a line feed ends a line.
    """
    try:
        content = os.fsdecode(file.read_bytes())
    except OSError:
        return []
    return [line for line in content.split("\n") if line]
