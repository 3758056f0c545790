"""Git's hooks, installed as CONTRIBUTING has it, let a commit through or stop it."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Run, results, run_in

BY_HAND = '"purity": 0.9'


@pytest.fixture
def hooked(project: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with the packages of this environment and its hooks installed."""
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    (project / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        (project / ".venv" / path.name).symlink_to(path)
    run(".venv/bin/pre-commit", "install")
    return project


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_commit_passes_and_says_what_dvc_thinks(hooked: Path, run: Run) -> None:
    for path, line in (("README.md", "Mine.\n"), ("tools/plots.py", "# mine\n")):
        with (hooked / path).open("a") as file:
            file.write(line)
    (hooked / "tests" / "not_staged.py").write_text("x  =  1\n")
    done = run("git", "commit", "--all", "--message=good")
    assert "Data and pipelines are up to date." in done.stderr
    assert run("git", "status", "--porcelain").stdout == "?? tests/not_staged.py\n"


def test_a_file_in_another_format_is_put_right_and_the_commit_stopped(
    hooked: Path, run: Run
) -> None:
    change(hooked / "tools/demo/drawn_garments.py", 'RESULTS = Path("', "RESULTS   =   Path('")
    change(hooked / "tools/demo/drawn_garments.py", 'dvc_plots/demo")', "dvc_plots/demo')")
    done = run("git", "commit", "--all", "--message=bad", succeeds=False)
    assert "files were modified by this hook" in done.stderr
    # What is in the workspace now is what was committed before.
    assert run("git", "diff", "HEAD", "--name-only").stdout == ""


def test_what_ruff_finds_stops_the_commit(hooked: Path, run: Run) -> None:
    change(
        hooked / "tools/demo/drawn_garments.py", "import shutil\n", "import shutil\nimport this\n"
    )
    done = run("git", "commit", "--all", "--message=bad", succeeds=False)
    assert "F401" in done.stderr


def test_a_metric_edited_by_hand_stops_the_commit_and_is_named(hooked: Path, run: Run) -> None:
    change(hooked / "metrics/kmeans.json", '"purity": 0.', BY_HAND)
    done = run("git", "commit", "--all", "--message=better", succeeds=False)
    assert "metrics/kmeans.json in Git is not what kmeans wrote: its hash differs." in done.stderr
    assert BY_HAND in (hooked / "metrics/kmeans.json").read_text()


@pytest.mark.usefixtures("hooked")
def test_a_push_takes_the_models_along_once_there_is_a_remote(run: Run, tmp_path: Path) -> None:
    run("git", "init", "--quiet", "--bare", "../bare")
    run("git", "push", "../bare", "HEAD:without")
    storage = tmp_path / "storage"
    run("dvc", "remote", "add", "--default", "storage", str(storage))
    run("git", "commit", "--quiet", "--message=a remote", ".dvc/config")
    run("git", "push", "../bare", "HEAD:main")
    run("dvc", "status", "--cloud")
    run("git", "clone", "--quiet", "--branch=main", "../bare", "../clone")
    clone = run_in(tmp_path / "clone")
    clone("dvc", "pull")
    assert "Data and pipelines are up to date." in clone("dvc", "status").stdout


def test_a_checkout_brings_the_models_of_its_commit_and_takes_none_of_a_run_away(
    hooked: Path, run: Run
) -> None:
    before = results(hooked)
    run("dvc", "exp", "run", "--set-param", "kmeans.clusters=5")
    after = results(hooked)
    assert before["models/kmeans.skops"] != after["models/kmeans.skops"]
    run("git", "checkout", "-b", "other")
    assert results(hooked) == after
    run("git", "commit", "--all", "--message=other")
    run("git", "checkout", "main")
    assert results(hooked) == before
    run("git", "checkout", "other")
    assert results(hooked) == after
