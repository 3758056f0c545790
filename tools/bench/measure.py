"""Measure a command: its time, its memory, and its estimates of the time left."""

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
from stages.run import concurrency, records
from stages.run.lifetime import end_with_parent
from tools.verify import fresh_run as verify

# Variables that steer arithmetic and processes; some machines preset some of them.
PRESET = re.compile(
    "(BLIS|DASK|GOMP|GOTO|JOBLIB|KMP|LOKY|MKL|NPY|OMP|OPENBLAS|SKLEARN|VECLIB)_",
)
OURS = {*stages.CONTRACT, sources.MIRROR, concurrency.PROCESSES, records.VARIABLE}
OURS |= {"PYTHONWARNINGS", "CI"}

SAMPLING_INTERVAL = 0.2  # seconds
PROGRESS = re.compile(r"(?P<title>.+): (?P<done>\d+) of (?P<total>\d+)(?P<rest>.*)")
TIME_LEFT = re.compile(r"about (\d+) s left$")
SOON = 5.0  # seconds; shorter estimates may be off by any factor


class Measured(NamedTuple):
    """Measurements of a command.

    Attributes
    ----------
    seconds
        Time from start to end.
    memory
        Bytes at the peak: sum of the PSS of the command and of all processes that it started. The
        PSS counts memory that several processes share once.
    output
        Text on stdout.
    stderr
        Lines on stderr, each with its time in seconds after the start.
    """

    seconds: float
    memory: int
    output: str
    stderr: list[tuple[float, str]]


def user_environment(folder: Path) -> dict[str, str]:
    """Return the environment without the pipeline's variables and without those of a machine.

    Parameters
    ----------
    folder
        Folder of the project in which the command will run.
    """
    variables = verify.environment(folder, here=True)
    return {k: v for k, v in variables.items() if k not in OURS and not PRESET.match(k)}


def pipeline_environment(folder: Path) -> dict[str, str]:
    """Return the user's environment for a clone with this project's raw files, without a record."""
    return user_environment(folder) | verify.mirror(None) | {records.VARIABLE: "off"}


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run and measure a command.

    Raises
    ------
    UserError
        If the command fails.
    """
    stderr = []
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
            sampler = MemorySampler(process.pid)
            sampler.start()
            try:
                for line in process.stderr or ():
                    stderr.append((time.monotonic() - start, line.rstrip("\n")))
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
            seconds = time.monotonic() - start
            sampler.join()
        if code:
            print(*(line for _, line in stderr), sep="\n", file=sys.stderr)
            raise UserError(f"{' '.join(command)} failed: the error message is above.")
        output.seek(0)
        return Measured(seconds, sampler.peak, output.read(), stderr)


class MemorySampler(threading.Thread):
    """Thread that samples the memory of a process and its children until the process ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak = 0

    def run(self) -> None:
        """Sample the memory and keep the peak."""
        with suppress(psutil.Error):
            while self.process.status() != psutil.STATUS_ZOMBIE:
                processes = [self.process, *self.process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(proportional_set_size, processes)))
                time.sleep(SAMPLING_INTERVAL)


def proportional_set_size(process: psutil.Process) -> int:
    """Return the PSS of a process in bytes: its own memory and its share of shared memory."""
    with suppress(psutil.Error):
        return process.memory_full_info().pss
    return 0


def times_left(stderr: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """Return pairs of the estimated and the true time left, in seconds.

    Parameters
    ----------
    stderr
        Lines and their times, as in `Measured`. The work that a line reports ends with the line of
        the same title that counts all of it as done.
    """
    lines = [(at, match) for at, line in stderr if (match := PROGRESS.fullmatch(line))]
    ends = {match["title"]: at for at, match in lines if match["done"] == match["total"]}
    return [
        (float(left[1]), ends[match["title"]] - at)
        for at, match in lines
        if (left := TIME_LEFT.search(match["rest"])) and match["title"] in ends
    ]


def worst_factor(times_left: Sequence[tuple[float, float]]) -> float | None:
    """Return the largest factor by which an estimate was off; None if there was no estimate.

    Estimates within `SOON` of the end do not count.
    """
    factors = [
        max(estimated / true, true / max(estimated, 0.5))
        for estimated, true in times_left
        if true > SOON
    ]
    return max(factors, default=None)
