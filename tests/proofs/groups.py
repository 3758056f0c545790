"""Control groups of a test's own."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from tests.conftest import ROOT, clean_environment
from tests.processes import wait_until

LOOK_AGAIN = 0.01  # seconds
# Of a control group: what limits it (swap too), and what counts in its use that is no file.
FILES = {
    "cgroup2": (["memory.max", "memory.swap.max"], ["anon", "shmem"]),
    "cgroup": (["memory.limit_in_bytes"], ["total_rss", "total_shmem"]),
}


class Group:
    """A control group of a test's own, and what was taken in it at most.

    Attributes
    ----------
    folder : Path
    peak : int
        Bytes, without those of files that were read or written.
    """

    def __init__(self, kind: str, folder: Path, limit: int | None) -> None:
        self.folder, self.peak = folder, 0
        folder.mkdir()
        (most, *swap), self._counted = FILES[kind]
        if limit:
            (folder / most).write_text(str(limit))
            for name in swap:
                with suppress(FileNotFoundError):
                    (folder / name).write_text("0")

    def joined_by(self, *command: str) -> list[str]:
        """A command that joins this group first."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.folder), *command]

    def run(self, project: Path, stage: str, processes: int) -> subprocess.CompletedProcess[str]:
        """Run a stage in this group, with so many fits at a time."""
        over = Event()
        watcher = Thread(target=self._watch, args=(over,))
        watcher.start()
        done = subprocess.run(
            self.joined_by(sys.executable, "-m", f"stages.{stage}"),
            cwd=project,
            env=clean_environment(FIT_PROCESSES=str(processes), PYTHONPATH=str(ROOT)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        over.set()
        watcher.join()
        return done

    def _watch(self, over: Event) -> None:
        while not over.wait(LOOK_AGAIN):
            lines = (self.folder / "memory.stat").read_text().splitlines()
            now = dict(map(str.split, lines))
            self.peak = max(self.peak, sum(int(now[name]) for name in self._counted))

    def close(self) -> None:
        """Wait for the end of its processes, and remove it."""
        wait_until(lambda: not (self.folder / "cgroup.procs").read_text())
        self.folder.rmdir()


Make = Callable[[int | None], Group]
