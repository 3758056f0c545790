"""Processes of a test's own session, as /proc shows them."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

ENOUGH = 60.0  # seconds in which a stage has surely begun to fit


def wait_until(condition: Callable[[], bool], seconds: float = ENOUGH) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def members(session: int) -> list[Path]:
    """Folders in /proc of the living processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, *_, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(folder)
    return found


def fitting(session: int) -> list[Path]:
    """Those that have begun to fit: they leave Ctrl-C to the stage that started them."""
    found = []
    for folder in members(session):
        try:
            status = dict(
                line.split(":\t") for line in (folder / "status").read_text().splitlines()
            )
            fits = "popen_loky" in (folder / "cmdline").read_text()
        except OSError:
            continue
        if fits and int(status["SigIgn"], 16) & 1 << signal.SIGINT - 1:
            found.append(folder)
    return found


def stage_in(session: int, stage: str) -> int | None:
    """Number of the process that is a stage, of the living ones of a session."""
    for folder in members(session):
        try:
            arguments = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if arguments[1:3] == ["-m", f"stages.{stage}"]:
            return int(folder.name)
    return None
