"""A stage ends when it is told to, and does not outlive what started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tools.demo import set_params

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ENOUGH = 60.0  # seconds in which a stage has surely begun to fit


@pytest.fixture
def long_stage(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell that runs a stage of several minutes, in a session of its own."""
    set_params(project / "params.yaml", {"kmeans.samples": 3000, "kmeans.n_init": 1000})
    shell = subprocess.Popen(
        ["sh", "-c", "python -m stages.kmeans; exit $?"],
        cwd=project,
        env=clean_environment(FIT_PROCESSES="2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(workers_of(shell.pid)) >= 2)
    yield shell
    if members(shell.pid):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.communicate()


def wait_until(condition: Callable[[], bool], seconds: float = ENOUGH) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.1)


def members(session: int) -> list[str]:
    """Command lines of the living processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, *_, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def workers_of(session: int) -> list[str]:
    return [command for command in members(session) if "popen_loky" in command]


def test_an_interrupted_stage_says_so_in_one_line_and_leaves_no_process(
    long_stage: subprocess.Popen[str],
) -> None:
    time.sleep(1)
    os.killpg(long_stage.pid, signal.SIGINT)
    _, shown = long_stage.communicate(timeout=10)
    assert [line for line in shown.splitlines() if not line.startswith("kmeans: ")] == [
        "Interrupted: `dvc repro` will run this stage again."
    ]
    wait_until(lambda: members(long_stage.pid) == [], 5)


def test_a_stage_and_its_fits_end_when_what_started_them_is_killed(
    long_stage: subprocess.Popen[str],
) -> None:
    os.kill(long_stage.pid, signal.SIGKILL)
    wait_until(lambda: members(long_stage.pid) == [], 5)
