"""A kill of `dvc repro` costs a run and never a result; the stage it ran ends by itself."""

from pathlib import Path

import pytest

from tests.proofs.kills import MOMENTS, assert_survives_a_kill


@pytest.mark.figure("kills survived")
@pytest.mark.parametrize(
    # Of these two shells bash becomes the stage; Debian's sh waits for it.
    ("shell", "stage", "moment"),
    [
        *(("/bin/bash", *when) for when in MOMENTS),
        *(("/bin/sh", *when) for when in MOMENTS if "kmeans" in when),
    ],
)
def test_after_a_kill_of_dvc_all_is_over_in_five_seconds_and_the_next_run_makes_the_same(
    shell: str, stage: str, moment: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", shell)
    assert_survives_a_kill(project, "dvc", stage, moment)
