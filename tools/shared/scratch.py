"""A temporary folder to build and run in."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.errors import UserError

ROOM = 10**9  # bytes: what an environment and a run take
OTHER = "TMPDIR names another folder"


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder; where something fails in it, it is said if it lacks room.

    Raises
    ------
    UserError
        If no program may run there, or if there is little room: names TMPDIR.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as made:
        where = tempfile.gettempdir()
        if hasattr(os, "ST_NOEXEC") and os.statvfs(made).f_flag & os.ST_NOEXEC:  # of Linux
            raise UserError(f"No program may run in {where}: {OTHER}.")
        try:
            yield Path(made)
        except (UserError, OSError) as error:
            if (free := shutil.disk_usage(made).free) > ROOM:
                raise
            room = f"If it lacks room: {where} has {free / 1e6:.0f} MB free"
            raise UserError(f"{str(error).rstrip('.')}. {room}; {OTHER}.") from None
