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

SAMPLING_INTERVAL = 0.2  # seconds
PROGRESS = re.compile(r"(?P<title>.+): (?P<done>\d+) of (?P<total>\d+)(?P<rest>.*)")
TIME_LEFT = re.compile(r"about (\d+) s left$")
SOON = 5.0  # seconds; an estimate of less may be off by any factor


class Measured(NamedTuple):
    """What a command took.

    Attributes
    ----------
    seconds
        From its start to its end.
    memory
        Bytes at the peak: the sum over it and the processes that it started, of what each has
        in memory, what several share counted once (their PSS).
    output
        What it printed.
    stderr
        Lines of its stderr, and when they came, in seconds from its start.
    """

    seconds: float
    memory: int
    output: str
    stderr: list[tuple[float, str]]


def user_environment(folder: Path) -> dict[str, str]:
    """Variables of a user who set none: neither the pipeline's nor what a machine presets.

    Parameters
    ----------
    folder
        The project in which a command will run.
    """
    variables = verify.environment(folder, here=True)
    return {k: v for k, v in variables.items() if k not in OURS and not PRESET.match(k)}


def pipeline_environment(folder: Path) -> dict[str, str]:
    """The same for a pipeline in a clone, which takes its raw files from this project."""
    return user_environment(folder) | verify.mirror(None)


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command, and measure it.

    Raises
    ------
    UserError
        If it fails.
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
            raise UserError(f"{' '.join(command)} failed: what stopped it stands above.")
        output.seek(0)
        return Measured(seconds, sampler.peak, output.read(), stderr)


class MemorySampler(threading.Thread):
    """Looks at the memory of a process and of those it started, until it is over."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak = 0

    def run(self) -> None:
        """Look again and again."""
        with suppress(psutil.Error):
            while self.process.status() != psutil.STATUS_ZOMBIE:
                processes = [self.process, *self.process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(proportional_set_size, processes)))
                time.sleep(SAMPLING_INTERVAL)


def proportional_set_size(process: psutil.Process) -> int:
    """Bytes that a process has in memory, its share of what it has with others (PSS)."""
    with suppress(psutil.Error):
        return process.memory_full_info().pss
    return 0


def times_left(stderr: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """Estimates of the time left, and what was left in truth, in seconds.

    Parameters
    ----------
    stderr
        Lines and when they came, as in `Measured`. What a line speaks of is over when one of
        the same title says so.
    """
    lines = [(at, match) for at, line in stderr if (match := PROGRESS.fullmatch(line))]
    ends = {match["title"]: at for at, match in lines if match["done"] == match["total"]}
    return [
        (float(left[1]), ends[match["title"]] - at)
        for at, match in lines
        if (left := TIME_LEFT.search(match["rest"])) and match["title"] in ends
    ]


def worst_factor(times_left: Sequence[tuple[float, float]]) -> float | None:
    """By how much the worst estimate was off, too long or too short; None if there was none.

    Estimates of what was over within `SOON` do not count.
    """
    factors = [
        max(estimated / true, true / max(estimated, 0.5))
        for estimated, true in times_left
        if true > SOON
    ]
    return max(factors, default=None)
