"""Ctrl-C at any moment of a stage: over in two seconds, one line, never a traceback."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.processes import (
    ENOUGH,
    blocks_interrupts,
    fit_processes,
    fits,
    members,
    stage_in,
    wait_until,
)
from tests.proofs.kills import FITTING
from tools.shared.params import set_params

PROMISED = 2.0  # seconds after Ctrl-C in which everything is over
SAID = "Interrupted: `dvc repro` will run this stage again."

# Fits that last longer than that: networks, clusters and the last fit of the kernels.
LONG = {
    "mlp.small_samples": 2000,
    "mlp.samples": 3000,
    "mlp.architectures": [[500, 500]],
    "mlp.max_iter": 100000,
    "mlp.tol": 1e-12,
    "svm.samples": 3000,
    "svm.search_samples": 3000,
    "svm.grid": {"rbf": {"C": [1], "gamma": [1]}},
    "noise.repeats": 50,
    "kmeans.samples": 3000,
    "kmeans.n_init": 1000,
}


def has_come_to(moment: str, begun: float, session: int, stage: str, shown: Path) -> bool:
    if moment == "last fit":
        return "refitting the best" in shown.read_text()
    if moment == "fits":
        return fits(session, stage)
    if moment == "processes start":
        return bool(fit_processes(session))
    if moment == "computes":
        return blocks_interrupts(stage_in(session, stage) or 0)
    return time.monotonic() > begun + float(moment)


@pytest.mark.figure("interruptions survived")
@pytest.mark.parametrize("by", ["python", "dvc"])
@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        *(("compare", moment) for moment in ("0.1", "0.3", "computes")),
        *(("prepare", moment) for moment in ("0.2", "computes")),
        ("fetch", "0.2"),  # which computes for a tenth of a second
        *((stage, moment) for stage in FITTING for moment in ("0.2", "0.6", "computes", "fits")),
        ("mlp_search", "processes start"),
        ("svm_eval", "last fit"),
    ],
)
def test_ctrl_c_is_over_in_two_seconds_and_one_line(
    by: str, stage: str, moment: str, project: Path
) -> None:
    set_params(project / "params.yaml", LONG)
    command = {
        "python": ["python", "-m", f"stages.{stage}"],
        "dvc": ["dvc", "repro", "--force", "--single-item", stage],
    }[by]
    shown, said = project.parent / "shown", project.parent / "said"
    with shown.open("w") as out, said.open("w") as err:
        run = subprocess.Popen(
            command,
            cwd=project,
            env=clean_environment(FIT_PROCESSES="2"),
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    try:
        wait_until(lambda: stage_in(run.pid, stage) is not None, ENOUGH)
        begun = time.monotonic()
        wait_until(lambda: has_come_to(moment, begun, run.pid, stage, shown), ENOUGH)
        assert stage_in(run.pid, stage) is not None, said.read_text()
        os.killpg(run.pid, signal.SIGINT)
        wait_until(lambda: run.poll() is not None and not members(run.pid), PROMISED)
    finally:
        for folder in members(run.pid):
            os.kill(int(folder.name), signal.SIGKILL)
        run.wait()
    everything = shown.read_text() + said.read_text()
    assert run.returncode != 0
    assert "Traceback" not in everything
    ours = [
        line
        for line in said.read_text().splitlines()
        if not line.startswith(("ERROR: ", f"{stage}: "))  # DVC's own, and how far it had come
    ]
    assert ours in ([], [SAID])
