"""A kill of a stage, or of a process that fits for it, costs a run and never a result."""

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import results
from tests.processes import ENOUGH, fit_processes, fitting, wait_until
from tests.proofs.kills import (
    MOMENTS,
    assert_recovers,
    assert_survives_a_kill,
    files,
    running,
)


@pytest.mark.figure("kills survived")
@pytest.mark.parametrize(("stage", "moment"), MOMENTS)
def test_after_a_kill_of_a_stage_all_is_over_in_five_seconds_and_the_next_run_makes_the_same(
    stage: str, moment: str, project: Path
) -> None:
    assert_survives_a_kill(project, "stage", stage, moment)


@pytest.mark.figure("kills survived")
@pytest.mark.parametrize("begun", [False, True])
def test_after_a_kill_of_a_process_that_fits_the_stage_says_so_and_the_next_run_makes_the_same(
    begun: bool, project: Path
) -> None:
    before, listing = results(project), files(project)
    with running(project, "mlp_search") as run:
        fits = fitting if begun else fit_processes
        wait_until(lambda: bool(fits(run.dvc.pid)), ENOUGH)
        os.kill(int(fits(run.dvc.pid)[0].name), signal.SIGKILL)
        wait_until(lambda: run.dvc.poll() is not None, ENOUGH)
        run.wait_for_the_end()
    shown = run.shown.read_text()
    assert run.dvc.returncode != 0, shown
    assert "A process that was fitting models was killed" in shown
    assert "Traceback" not in shown
    assert run.litter() == []
    assert_recovers(project, before, listing)
