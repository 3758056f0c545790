"""A first try always ends in something to look at."""

import json
from pathlib import Path

import pytest

from stages.files import sources
from tests.conftest import Run, copy_of_project, run_in
from tools.demo import drawn_garments
from tools.shared.params import set_params

NOWHERE = {"data.datasets.fashion-mnist.mirrors": ["http://127.0.0.1:9/"]}


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The project as it is cloned, with no source of the real images."""
    folder = tmp_path / "project"
    folder.mkdir()
    copy_of_project(folder)
    set_params(folder / "params.yaml", NOWHERE)
    return folder


def first_run(alone: Path, tmp_path: Path, *, succeeds: bool, **environment: str) -> str:
    (tmp_path / "home").mkdir()
    run: Run = run_in(alone)
    done = run(
        "python",
        "-m",
        "tools.demo.first_run",
        succeeds=succeeds,
        HOME=str(tmp_path / "home"),
        XDG_CACHE_HOME=str(tmp_path / "home/cache"),
        **environment,
    )
    return done.stdout + done.stderr


def test_without_a_source_it_is_the_demo_and_the_project_stays_as_it_was(
    alone: Path, tmp_path: Path
) -> None:
    before = run_in(alone)("git", "status", "--porcelain").stdout
    shown = first_run(alone, tmp_path, succeeds=True)
    assert f"Set {sources.MIRROR} to a folder" in shown
    assert "RUNNING THE DEMO INSTEAD" in shown
    assert "drawn-garments" in shown
    results = alone / drawn_garments.RESULTS
    about = json.loads((results / "metrics/data.json").read_text())
    assert about["dataset"] == "drawn-garments"
    mlp = json.loads((results / "metrics/mlp.json").read_text())
    assert mlp["large"]["test_error"] < mlp["small"]["test_error"]
    assert len(list((results / "plots").glob("*.png"))) == 4
    assert run_in(alone)("git", "status", "--porcelain").stdout == before


def test_a_mirror_that_was_named_and_is_wrong_is_said_not_replaced(
    alone: Path, tmp_path: Path
) -> None:
    shown = first_run(alone, tmp_path, succeeds=False, FASHION_MNIST_MIRROR="mistyped")
    assert "mistyped (no such folder)" in shown
    assert "DEMO" not in shown


def test_under_ci_nothing_is_substituted(alone: Path, tmp_path: Path) -> None:
    shown = first_run(alone, tmp_path, succeeds=False, CI="true")
    assert f"Set {sources.MIRROR} to a folder" in shown
    assert "DEMO" not in shown


def test_repro_itself_never_substitutes(alone: Path, tmp_path: Path) -> None:
    done = run_in(alone)("dvc", "repro", succeeds=False, HOME=str(tmp_path))
    assert "could not be found: http://127.0.0.1:9/ (no connection" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (alone / "data/prepared").exists()
