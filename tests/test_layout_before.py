"""A revision whose code and packages lie elsewhere is read by its own pipeline."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, run_in
from tests.test_verify import replace_in
from tools.pages.blocks import Table
from tools.pages.results import Results
from tools.review import page

ARCHIVE = ROOT / "tests/layout_before.zip"
STAGES = ["fetch", "prepare", "mlp_search", "svm_eval", "kmeans", "noise", "compare"]


@pytest.fixture
def before(project: Path, tmp_path: Path) -> Path:
    """A run of the small project as it was before it had rooms; committed as branch `before`."""
    folder = tmp_path / "before"
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    commit(project, folder)
    return folder


def commit(project: Path, folder: Path) -> None:
    """Let a branch of the project, `before`, hold a folder; the workspace stays as it is."""
    run = run_in(project)
    index = {"GIT_INDEX_FILE": str(folder.parent / "index")}
    run("git", f"--work-tree={folder}", "add", "--all", **index)
    tree = run("git", "write-tree", **index).stdout.strip()
    named = run("git", "commit-tree", tree, "-m", "before").stdout.strip()
    run("git", "branch", "--force", "before", named)


def test_a_revision_of_the_layout_before_is_in_order(before: Path, run: Run) -> None:
    text = run("python", "-m", "tools.verify", "--quick", "--json", "before.json", "before").stdout
    assert text.count("none wrong") == 3
    assert text.splitlines()[-1].startswith("OK: ")
    report = json.loads((before.parent / "project/before.json").read_text())
    assert report["environment"] == "requirements.txt"


def test_a_damaged_revision_of_the_layout_before_is_found_out(
    before: Path, project: Path, run: Run
) -> None:
    replace_in(before / "metrics/svm.json", '"test_error": 0.', '"test_error": 0.0')
    replace_in(before / "requirements.txt", "numpy==", "numpy==0")
    with (before / "stages/common/kernels.py").open("a") as file:
        file.write("# changed\n")
    commit(project, before)
    done = run("python", "-m", "tools.verify", "--quick", "before", succeeds=False)
    assert done.returncode == 1
    assert [line.strip() for line in done.stdout.splitlines() if line.startswith("   ")] == [
        "metrics/svm.json in Git is not what svm_eval wrote: its hash differs.",
        f"requirements.txt changed after {', '.join(STAGES)} had been run.",
        "stages/common/kernels.py changed after svm_eval, noise had been run.",
    ]


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("revisions", [("before", "main"), ("main", "before")], ids=" → ".join)
def test_revisions_of_two_layouts_are_reviewed_against_each_other(
    revisions: tuple[str, str], project: Path, run: Run
) -> None:
    run("python", "-m", "tools.review", *revisions, "--out", str(project.parent))
    text = (project.parent / "review.md").read_text()
    assert text.startswith(f"# Review: {' → '.join(revisions)}\n")
    assert "is stale" not in text
    assert "different data" not in text
    assert "sample counts differ" not in text
    (code,) = (line for line in text.splitlines() if line.startswith("Code: "))
    for path in ("dvc.yaml", "stages/common/kernels.py", "stages/learn/kernels.py"):
        assert f"`{path}`" in code


@pytest.mark.parametrize("revisions", [("before", "main"), ("main", "before")], ids=" → ".join)
def test_packages_of_two_layouts_are_compared(
    revisions: tuple[str, str], before: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_in(before / "requirements.txt", "numpy==", "numpy==0")
    commit(project, before)
    monkeypatch.chdir(project)
    packages = {name: Results(name).packages["numpy"] for name in revisions}
    assert packages["before"].startswith("0")
    (table,) = (
        block
        for block in page.what_changed(*map(Results, revisions))
        if isinstance(block, Table) and block.title == "Packages"
    )
    assert ["`numpy`", *packages.values()] in table.rows


@pytest.mark.usefixtures("before")
def test_a_revision_of_the_layout_before_is_reported(project: Path, run: Run) -> None:
    run("python", "-m", "tools.report", "before", "--out", str(project.parent))
    text = (project.parent / "report.md").read_text()
    assert text.startswith("# The study: drawn-garments\n")
    assert "are stale" not in text
