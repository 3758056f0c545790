"""The commands of a day, as README has them: from a change to its review, kept or dropped."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, results, run_in
from tests.test_readme import commands

pytestmark = pytest.mark.xdist_group("review")  # what needs the branches runs where they are
MAKE = dict(
    re.findall(r"^(\w+):\n\t\$\(WITH\) .*\n\t@(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
)


def by_hand(command: str) -> str:
    """What make would run, in the environment of this test."""
    if not command.startswith("make "):
        return command
    recipe = MAKE[command.removeprefix("make ")].replace("$(or $(BASE),main)", "main")
    return recipe.replace("$(IN)", "python").replace("$(REV)", "").replace("$(HEAD)", "")


def test_a_day_goes_as_the_readme_has_it(branches: Path, tmp_path: Path) -> None:
    project, remote, storage = (tmp_path / name for name in ("project", "remote.git", "storage"))
    shutil.copytree(branches, project, symlinks=True)
    run = run_in(project)
    run("git", "init", "--quiet", "--bare", str(remote))
    run("git", "remote", "add", "origin", str(remote))
    run("dvc", "remote", "add", "--default", "storage", str(storage))
    run("git", "commit", "--quiet", "--all", "--message=remote")
    (activate, *day), keep, (drop, drop_commit) = commands("README.md", "A day with it")
    assert activate == "source .venv/bin/activate"
    before = results(project)
    shown = {command: run("bash", "-c", by_hand(command)).stdout for command in day}
    (review,) = (text for command, text in shown.items() if command == "make review")
    assert "Unchanged: the SVM." in review
    for page in ("report.html", "review.html", "dvc_plots/index.html"):
        assert (project / page).is_file()
    (metrics,) = (text for command, text in shown.items() if command == "dvc metrics diff")
    assert "large.architecture" in metrics

    def assert_dropped_by(command: str, name: str) -> None:
        dropped = shutil.copytree(project, tmp_path / name, symlinks=True)
        run_in(dropped)("bash", "-c", command)
        assert results(dropped) == before
        assert run_in(dropped)("git", "status", "--porcelain").stdout == ""
        assert run_in(dropped)("git", "branch", "--list", "wider").stdout == ""
        (experiment,) = run_in(dropped)("dvc", "exp", "list", "--name-only").stdout.split()
        run_in(dropped)("dvc", "exp", "remove", experiment)

    assert_dropped_by(drop, "dropped")
    run("bash", "-c", keep[0])
    assert_dropped_by(drop_commit, "dropped-commit")
    for command in keep[1:]:
        run("bash", "-c", command)
    assert run("git", "status", "--porcelain").stdout == ""
    assert run("git", "log", "--format=%s", "-1", "origin/wider").stdout == "Wider networks\n"
    assert any(storage.rglob("*"))
