"""Runs of DVC that are struck at some moment, and what must be true afterwards."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, clean_environment, results, run_in
from tests.processes import blocks_interrupts, fits, members, stage_in, wait_until

# Of each stage, what it writes.
MADE = {
    name: [
        next(iter(made)) if isinstance(made, dict) else made
        for made in [*stage.get("outs", []), *stage.get("metrics", [])]
    ]
    for name, stage in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
TRIES = 5
FITTING = ["mlp_search", "svm_eval", "kmeans", "noise"]
MOMENTS = [
    (stage, moment)
    for stage in MADE
    for moment in ("imports", "computes", "fits", "writes")
    if moment != "fits" or stage in FITTING
]
PROMISED = 5.0  # seconds after a kill in which everything is over
SHARED_MEMORY = Path("/dev/shm")


def files(project: Path) -> set[Path]:
    """All that lies in a project, but for what Git and DVC keep to themselves."""
    return {
        path
        for path in project.rglob("*")
        if not {".git", ".dvc", "__pycache__"} & {*path.relative_to(project).parts}
    }


class Run:
    """A run of DVC, in a session and with a folder for temporary files of its own.

    Attributes
    ----------
    dvc : Popen
    stage : int
        Number of the process of the stage.
    shown : Path
        What was written to stdout and stderr.
    """

    def __init__(self, project: Path, stage: str, **environment: str) -> None:
        self.temporary = project.parent / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self.shown = project.parent / "shown"
        with self.shown.open("w") as shown:
            self.dvc = subprocess.Popen(
                ["dvc", "repro", "--force", "--no-run-cache", "--single-item", stage],
                cwd=project,
                env=clean_environment(FIT_PROCESSES="2", TMPDIR=str(self.temporary), **environment),
                stdout=shown,
                stderr=shown,
                start_new_session=True,
            )
        self.started: list[int] = []
        wait_until(lambda: self._sees(stage) or self.dvc.poll() is not None)
        assert self.started, self.shown.read_text()
        self.stage = self.started[0]
        self.begun = time.monotonic()

    def _sees(self, stage: str) -> bool:
        found = stage_in(self.dvc.pid, stage)
        self.started = [] if found is None else [found]
        return found is not None

    def age(self) -> float:
        """Seconds since its stage was first seen."""
        return time.monotonic() - self.begun

    def lives(self, process: int) -> bool:
        """Whether a process of this run is alive."""
        return process in (int(folder.name) for folder in members(self.dvc.pid))

    def wait_for_the_end(self) -> None:
        """Wait until no process of this run is left, no longer than is promised."""
        wait_until(lambda: self.dvc.poll() is not None and not members(self.dvc.pid), PROMISED)

    def litter(self) -> list[Path]:
        """Temporary files that the run left."""
        return [
            *self.temporary.iterdir(),
            *SHARED_MEMORY.glob(f"*[-_]{self.stage}[-_]*"),
        ]

    def close(self) -> None:
        """End what is left of it."""
        for folder in members(self.dvc.pid):
            os.kill(int(folder.name), signal.SIGKILL)
        self.dvc.wait()


@contextmanager
def running(project: Path, stage: str, **environment: str) -> Iterator[Run]:
    """Run one stage by DVC."""
    if stage == "fetch":  # whose files persist: another run brings only what is missing
        shutil.rmtree(project / "data/raw", ignore_errors=True)
    run = Run(project, stage, **environment)
    try:
        yield run
    finally:
        run.close()


def assert_recovers(project: Path, before: dict[str, str], listing: set[Path]) -> str:
    """Check that the next `dvc repro` makes all of what was there, and leaves nothing else."""
    run = run_in(project)
    shown = run("dvc", "repro", TMPDIR=str(project.parent / "temporary")).stdout
    assert results(project) == before
    assert run("git", "status", "--porcelain").stdout == ""
    assert files(project) == listing
    return shown


def begun(project: Path, run: Run, stage: str, moment: str) -> bool:
    """Whether a stage that was just started has come to a moment of its life."""
    if moment == "imports":
        return run.age() > 0.1
    if moment == "computes":  # having seen to Ctrl-C
        return blocks_interrupts(run.stage)
    if moment == "fits":
        return fits(run.dvc.pid, stage)
    outputs = [*MADE[stage], "data/incoming"] if stage == "fetch" else MADE[stage]
    return any((project / output).exists() for output in outputs)


def assert_survives_a_kill(project: Path, whom: str, stage: str, moment: str) -> None:
    """Kill the stage or DVC at a moment of the stage's life, and look at what comes of it."""
    before, listing = results(project), files(project)
    for _ in range(TRIES):
        with running(project, stage) as run:
            while run.lives(run.stage) and not begun(project, run, stage, moment):
                time.sleep(0.001)
            if run.lives(run.stage):
                os.kill(run.stage if whom == "stage" else run.dvc.pid, signal.SIGKILL)
                run.wait_for_the_end()
                if run.dvc.returncode != 0:
                    break
    else:
        pytest.fail(f"{stage} was over before it could be killed")
    written = all((project / output).exists() for output in MADE[stage])
    # While its processes start, joblib may be struck between making a file and noting it.
    assert moment == "computes" or run.litter() == []
    shown = assert_recovers(project, before, listing)
    # Computed, not taken from DVC's cache, unless all of it had been written, whole.
    assert f"Running stage '{stage}'" in shown or written
