"""Measure a command: its seconds, its memory, and what it said of the time left."""

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

import stages
from stages.errors import UserError
from stages.files import sources
from stages.run import concurrency
from stages.run.lifetime import end_with_parent
from tools.verify import fresh_run as verify

# What steers arithmetic and processes; some machines preset some of it.
PRESET = re.compile(
    "(BLIS|DASK|GOMP|GOTO|JOBLIB|KMP|LOKY|MKL|NPY|OMP|OPENBLAS|SKLEARN|VECLIB)_",
)
OURS = {*stages.CONTRACT, sources.MIRROR, concurrency.PROCESSES, "PYTHONWARNINGS", "CI"}

LOOK_AGAIN = 0.2  # seconds
ESTIMATE = re.compile(r"(?P<title>.+): (?P<done>\d+) of (?P<total>\d+)(?P<rest>.*)")
LEFT = re.compile(r"about (\d+) s left$")
SOON = 5.0  # seconds; an estimate of less may be off by any factor


class Measured(NamedTuple):
    """What a command took.

    Attributes
    ----------
    seconds : float
        From its start to its end.
    memory : int
        Bytes at the peak: the sum over it and the processes that it started, of what each has
        in memory, what several share counted once (their PSS).
    output : str
        What it printed.
    said : list of (float, str)
        Lines of its stderr, and when they came, in seconds from its start.
    """

    seconds: float
    memory: int
    output: str
    said: list[tuple[float, str]]


def user_environment(folder: Path) -> dict[str, str]:
    """Variables of a user who set none: neither the pipeline's nor what a machine presets.

    Parameters
    ----------
    folder : Path
        The project in which a command will run.
    """
    given = verify.environment(folder, here=True)
    return {k: v for k, v in given.items() if k not in OURS and not PRESET.match(k)}


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command, and measure it.

    Raises
    ------
    UserError
        If it fails.
    """
    said = []
    with tempfile.TemporaryFile("w+") as output:
        start = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
        ) as process:
            sampler = Sampler(process.pid)
            sampler.start()
            try:
                for line in process.stderr or ():
                    said.append((time.monotonic() - start, line.rstrip("\n")))
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
            seconds = time.monotonic() - start
            sampler.join()
        if code:
            print(*(line for _, line in said), sep="\n", file=sys.stderr)
            raise UserError(f"{' '.join(command)} failed: what stopped it stands above.")
        output.seek(0)
        return Measured(seconds, sampler.peak, output.read(), said)


class Sampler(threading.Thread):
    """Looks at the memory of a process and of those it started, until it is over."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak = 0

    def run(self) -> None:
        """Look again and again."""
        with suppress(psutil.Error):
            while self.process.status() != psutil.STATUS_ZOMBIE:
                members = [self.process, *self.process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(proportional, members)))
                time.sleep(LOOK_AGAIN)


def proportional(process: psutil.Process) -> int:
    """Bytes that a process has in memory, its share of what it has with others (PSS)."""
    with suppress(psutil.Error):
        return process.memory_full_info().pss
    return 0


def estimates(said: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """What was said of the time left, and what was left in truth, in seconds.

    Parameters
    ----------
    said : list of (float, str)
        Lines and when they came, as in `Measured`. What a line speaks of is over when one of
        the same title says so.
    """
    lines = [(at, found) for at, line in said if (found := ESTIMATE.fullmatch(line))]
    ends = {found["title"]: at for at, found in lines if found["done"] == found["total"]}
    return [
        (float(left[1]), ends[found["title"]] - at)
        for at, found in lines
        if (left := LEFT.search(found["rest"])) and found["title"] in ends
    ]


def worst_factor(said_and_true: Sequence[tuple[float, float]]) -> float | None:
    """By how much the worst estimate was off, too long or too short; None if there was none.

    Estimates of what was over within `SOON` do not count.
    """
    factors = [max(s / t, t / max(s, 0.5)) for s, t in said_and_true if t > SOON]
    return max(factors, default=None)
