"""Processes of a test's own session, as /proc shows them."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ENOUGH = 60.0  # seconds in which a stage has surely begun to fit
IN_THREADS = {"svm_eval", "kmeans"}  # stages that fit in threads of their own
THREADS = 3  # that such a stage has at most while it fits nothing; with two fits it has four
INTERRUPT = 1 << signal.SIGINT - 1  # in a set of signals


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


def fit_processes(session: int) -> list[Path]:
    """Those that a stage started to fit models, whether they have begun or not."""
    found = []
    for folder in members(session):
        with suppress(OSError):
            if "popen_loky" in (folder / "cmdline").read_text():
                found.append(folder)
    return found


def signals(process: int, which: str) -> int:
    """One of the sets of signals of a process, as /proc names it: SigBlk, SigIgn, SigCgt."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return int(dict(line.split(":\t") for line in lines)[which], 16)
    return 0


def fitting(session: int) -> list[Path]:
    """Those of them that have begun: they leave Ctrl-C to the stage that started them."""
    return [
        folder
        for folder in fit_processes(session)
        if signals(int(folder.name), "SigIgn") & INTERRUPT
    ]


def fits(session: int, stage: str) -> bool:
    """Whether a stage has begun to fit: in other processes, or in threads of its own."""
    if stage not in IN_THREADS:
        return bool(fitting(session))
    process = stage_in(session, stage)
    threads = list(Path(f"/proc/{process}/task").glob("*")) if process else []
    return len(threads) > THREADS


def blocks_interrupts(process: int) -> bool:
    """Whether a stage has come so far as to see to Ctrl-C itself."""
    return bool(signals(process, "SigBlk") & INTERRUPT)


def stage_in(session: int, stage: str) -> int | None:
    """Number of the process that is a stage, of the living ones of a session."""
    for folder in members(session):
        with suppress(OSError):
            arguments = (folder / "cmdline").read_text().split("\0")
            if arguments[1:3] == ["-m", f"stages.{stage}"]:
                return int(folder.name)
    return None
