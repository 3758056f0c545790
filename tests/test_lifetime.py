"""A stage ends when it is told to, and does not outlive what started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.processes import fitting, members, wait_until
from tools.shared.params import set_params

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LONG = {
    "mlp.samples": 3000,
    "mlp.architectures": [[500, 500]],
    "mlp.max_iter": 100000,
}


def start(project: Path, stage: str, processes: int) -> subprocess.Popen[str]:
    """Start a shell that runs a stage of several minutes, in a session of its own."""
    set_params(project / "params.yaml", LONG)
    return subprocess.Popen(
        ["sh", "-c", f"python -m stages.{stage}; exit $?"],
        cwd=project,
        env=clean_environment(FIT_PROCESSES=str(processes)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def long_stage(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A stage that fits in two other processes."""
    shell = start(project, "mlp_search", 2)
    wait_until(lambda: len(fitting(shell.pid)) == 2)
    yield shell
    if members(shell.pid):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.communicate()


def test_an_interrupted_stage_says_so_in_one_line_and_leaves_no_process(
    long_stage: subprocess.Popen[str],
) -> None:
    os.killpg(long_stage.pid, signal.SIGINT)
    _, shown = long_stage.communicate(timeout=10)
    assert [line for line in shown.splitlines() if not line.startswith("mlp_search: ")] == [
        "Interrupted: `dvc repro` will run this stage again."
    ]
    wait_until(lambda: members(long_stage.pid) == [], 5)


def test_an_interrupted_network_is_no_result(project: Path) -> None:
    before = (project / "metrics/mlp.json").read_bytes()
    # Fitting in the stage's own process, as the last fit of a search does.
    shell = start(project, "mlp_search", 1)
    time.sleep(8)
    os.killpg(shell.pid, signal.SIGINT)
    _, shown = shell.communicate(timeout=10)
    assert shown.splitlines()[-1] == "Interrupted: `dvc repro` will run this stage again."
    assert "Traceback" not in shown
    assert (project / "metrics/mlp.json").read_bytes() == before


def test_a_stage_and_its_fits_end_when_what_started_them_is_killed(
    long_stage: subprocess.Popen[str],
) -> None:
    os.kill(long_stage.pid, signal.SIGKILL)
    wait_until(lambda: members(long_stage.pid) == [], 5)


def test_a_fit_that_is_killed_ends_the_stage_in_a_sentence(
    long_stage: subprocess.Popen[str],
) -> None:
    for folder in fitting(long_stage.pid):
        os.kill(int(folder.name), signal.SIGKILL)
    _, shown = long_stage.communicate(timeout=30)
    assert long_stage.returncode == 1
    assert shown.splitlines()[-1].startswith("A process that was fitting models was killed")
    assert "Traceback" not in shown
