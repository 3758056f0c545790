"""What lies in the rooms and is not in Git is named; what tools leave there counts nowhere."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import Run

SCRATCH = "stages/learn/scratch.py"
SENTENCE = f"{SCRATCH} is not in Git, but DVC counts it as code: `git add` it, or remove it."
LEFT_BEHIND = [
    "__pycache__/a.cpython-311.pyc",
    ".mypy_cache/a.json",
    ".ipynb_checkpoints/a-checkpoint.py",
    ".idea/workspace.xml",
    ".a.py.swp",
    ".a.py.swo",
    ".a.py.kate-swp",
    "a.py~",
    "#a.py#",
    "a.py.bak",
    ".DS_Store",
    "._a.py",
    ".nfs0000000000000001",
    "Thumbs.db",
    "a.py.orig",
    "a.py.rej",
]


def sentences(output: str) -> list[str]:
    return [line.strip() for line in output.splitlines() if "is not in Git" in line]


@pytest.mark.parametrize("hidden", [False, True], ids=["new", "hidden by .gitignore"])
def test_code_that_git_does_not_have_is_named_by_the_stage_and_before_a_commit(
    hidden: bool, project: Path, run: Run
) -> None:
    verify = ("python", "-m", "tools.verify", "--quick", "--staged")
    assert sentences(run("python", "-m", "stages.prepare").stdout) == []
    run(*verify)
    if hidden:
        (project / ".git/info/exclude").write_text("scratch*\n")
        (project / ".gitignore").write_text("scratch*\n")
    (project / SCRATCH).write_text("")
    (project / "stages/learn/new").mkdir()
    (project / "stages/learn/new/ä b.py").write_text("")
    (project / "stages/not_in_a_room.py").write_text("")
    both = [SENTENCE.replace("scratch", "new/ä b"), SENTENCE]
    assert sorted(sentences(run("python", "-m", "stages.prepare").stdout)) == sorted(both)
    done = run(*verify, succeeds=False)
    assert done.returncode == 1
    assert sorted(sentences(done.stdout)) == sorted(both)
    # What is committed already does not have them.
    assert sentences(run(*verify[:-1]).stdout) == []
    run("git", "add", "--force", "stages/learn")
    assert sentences(run("python", "-m", "stages.prepare").stdout) == []


def test_where_there_is_no_git_or_no_repository_a_stage_says_nothing_of_it(
    project: Path, run: Run
) -> None:
    (project / SCRATCH).write_text("")
    without_git = str(Path(sys.executable).parent)
    assert shutil.which("git", path=without_git) is None
    done = run("python", "-m", "stages.prepare", PATH=without_git)
    shutil.rmtree(project / ".git")
    for output in (done, run("python", "-m", "stages.prepare")):
        assert output.stderr == ""
        assert sentences(output.stdout) == []


def test_what_python_editors_and_notebooks_leave_in_a_room_changes_no_hash(
    project: Path, run: Run
) -> None:
    for room in ("stages/files", "stages/learn", "stages/run"):
        for name in LEFT_BEHIND:
            (project / room / name).parent.mkdir(exist_ok=True)
            (project / room / name).write_text("left behind")
        (project / room / ".#a.py").symlink_to("somebody@somewhere.1:2")
    assert "up to date" in run("dvc", "status").stdout
    assert sentences(run("python", "-m", "stages.prepare").stdout) == []
    assert "up to date" in run("dvc", "status").stdout
    (project / SCRATCH).write_text("")  # which is code
    assert "stages/learn" in run("dvc", "status").stdout
