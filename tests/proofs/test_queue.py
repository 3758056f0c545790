"""Experiments in DVC's queue, as docs/many-machines.md has them: each makes what it makes alone."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stages.run import records
from tests.conftest import Run, results, run_in
from tests.processes import wait_until
from tests.test_readme import commands

PAGE = "docs/many-machines.md"
# Two of the four that the page's sweep tries.
EXPERIMENTS = {
    "sweep-1": ["mlp.architectures=[[50],[100]]", "svm.grid.rbf.C=[1,10]"],
    "sweep-4": ["mlp.architectures=[[200]]", "svm.grid.rbf.C=[5]"],
}
SWEPT = 600.0  # seconds in which four experiments are surely over


def at_work(project: Path) -> dict[int, Path]:
    """Folders of a project in which processes are at work, by their numbers.

    DVC's queue is in no session of ours.
    """
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (at := (folder / "cwd").resolve()).is_relative_to(project):
                found[int(folder.name)] = at
    return found


@pytest.fixture
def queue(project: Path) -> Iterator[Path]:
    """A project in which DVC's queue may be started; it is ended with the test."""
    yield project
    while left := at_work(project):
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@pytest.mark.figure("variations held")
def test_every_byte_of_experiments_two_at_a_time_is_that_of_each_alone(
    queue: Path, run: Run, tmp_path: Path
) -> None:
    title = "Many experiments, many machines"
    setting, sweep, start, status, show, review, apply = commands(PAGE, title)[0]
    alone = run_in(shutil.copytree(queue, tmp_path / "alone", symlinks=True))
    # Two at a time share the record of fits; each alone has none. What DVC leaves in the background
    # would keep our end of a pipe open.
    lines = [setting, sweep, f"{start} > ../started 2>&1"]
    run("sh", "-ec", "\n".join(lines), FIT_RECORD="")

    def states() -> list[str]:
        return re.findall("Queued|Running|Success|Failed", run("sh", "-c", status).stdout)

    # Each has a folder of its own.
    wait_until(lambda: len({*at_work(queue).values()} - {queue}) == 2, SWEPT)
    wait_until(lambda: not {"Queued", "Running"} & {*states()}, SWEPT)
    assert states() == ["Success"] * len(states())
    assert {*re.findall(r"sweep-\d", run("sh", "-c", show).stdout)} == {
        f"sweep-{i}" for i in (1, 2, 3, 4)
    }
    wait_until(lambda: not at_work(queue))
    assert "Keep " in run("sh", "-c", review).stdout
    assert {*re.findall(r"\n## (sweep-\d) \(", (queue / "review.md").read_text())} == {
        f"sweep-{i}" for i in (1, 2, 3, 4)
    }
    for experiment, values in EXPERIMENTS.items():
        assert all(value.partition("=")[2] in sweep for value in values)
        run("sh", "-c", re.sub(r"sweep-\d", experiment, apply))
        alone("dvc", "exp", "run", *(f"--set-param={value}" for value in values))
        assert results(queue) == results(tmp_path / "alone")
    assert list((queue / records.FOLDER).rglob("*.json"))
    assert not (tmp_path / "alone" / records.FOLDER).exists()


@pytest.mark.figure("wrong parameters refused")
def test_an_experiment_that_fails_in_the_queue_says_why_in_its_log(queue: Path, run: Run) -> None:
    run("dvc", "exp", "run", "--queue", "--name", "wrong", "--set-param", "svm.folds=1")
    run("sh", "-c", "dvc queue start > ../started 2>&1")
    wait_until(lambda: "Failed" in run("dvc", "queue", "status").stdout)
    assert "params.yaml: svm.folds is 1" in run("dvc", "queue", "logs", "wrong").stdout
    wait_until(lambda: not at_work(queue))
