"""Branches that were really run: a review of each says the right thing, from Git alone."""

import re
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in
from tests.proofs.conftest import BRANCHES
from tools.pages.results import MODELS

pytestmark = pytest.mark.xdist_group("review")  # what needs the branches runs where they are
HEADINGS = ["What changed", "Metrics", "Search over networks", "Search over kernels", "Clusters"]


def reviewed(folder: Path, *revisions: str) -> str:
    """The Markdown of a review."""
    run_in(folder)("python", "-m", "tools.review", *revisions, "--out", str(folder.parent))
    return (folder.parent / "review.md").read_text()


def verdict(text: str) -> str:
    """The first paragraph that is no title."""
    return text.split("\n\n")[1].strip("*")


def section(text: str, title: str) -> str:
    """What stands under a heading."""
    _, found, rest = text.partition(f"\n## {title}\n")
    assert found, text
    return rest.partition("\n## ")[0]


def test_longer_training_makes_the_networks_better_and_nothing_else(branches: Path) -> None:
    text = reviewed(branches, "main", "longer")
    assert re.fullmatch(
        r"Better: the network \(few images\) errs \d+\.\d\d ± \d+\.\d\d points less; the network "
        r"\(many images\) errs \d+\.\d\d ± \d+\.\d\d points less\. Unchanged: the SVM\.",
        verdict(text),
    )


def test_of_networks_that_fail_to_learn_nothing_is_known(branches: Path) -> None:
    text = reviewed(branches, "main", "architectures")
    assert verdict(text) == (
        "Unchanged: the SVM. Not known: the network (few images), the network (many images); a fit "
        "of architectures failed to learn."
    )
    changed = section(text, "What changed")
    assert r"| `mlp.architectures` | \[\[5\], \[8, 4\]\] | \[\[1\]\] |" in changed
    assert changed.count("\n| `") == 1
    assert "Code:" not in changed
    assert "## By class: SVM" not in text
    assert "not in both" in section(text, "Search over networks")
    assert "the same in both" in section(text, "Search over kernels")
    assert "The same in both." in section(text, "Clusters")


def test_another_grid_makes_the_support_vector_machine_worse_and_nothing_else(
    branches: Path,
) -> None:
    text = reviewed(branches, "main", "kernels")
    assert re.fullmatch(
        r"Worse: the SVM errs \d+\.\d\d ± \d+\.\d\d points more\. Unchanged: the network "
        r"\(few images\), the network \(many images\)\.",
        verdict(text),
    )
    changed = section(text, "What changed")
    assert "| `svm.grid.rbf.gamma` |" in changed
    assert "| `svm.grid.linear.C` | \\[1\\] | – |" in changed
    assert "the same in both" in section(text, "Search over networks")
    assert "rbf, C = 10, gamma = 0.3" in section(text, "Search over kernels")


def test_another_seed_changes_everything_and_makes_nothing_better_or_worse(branches: Path) -> None:
    text = reviewed(branches, "main", "seed")
    assert not re.search("Better|Worse|Unchanged|Not known", verdict(text))
    assert f"| `seed` | 2016515 | {BRANCHES['seed']['seed']} |" in section(text, "What changed")
    assert "The review renumbers the new clusters" in section(text, "Clusters")
    assert [h for h in HEADINGS if f"\n## {h}\n" not in text] == []
    page = (branches.parent / "review.html").read_text()
    plots = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]
    # Every chart of both revisions in one, and the differences of three confusion matrices.
    charts = sum(isinstance(plot, dict) for plot in plots)
    assert page.count('<figure class="chart') == charts + len(MODELS) + 1


def test_images_that_turned_are_named_with_both_predictions(branches: Path) -> None:
    text = section(reviewed(branches, "main", "kernels"), "By class: SVM")
    old, new = (
        run_in(branches)("git", "show", f"{which}:plots/svm_predictions.csv").stdout.split("\n")
        for which in ("main", "kernels")
    )
    pairs = [(*a.split(","), b.split(",")[1]) for a, b in zip(old[1:-1], new[1:-1], strict=True)]
    expected = {
        (actual, before, after, str(i))
        for i, (actual, before, after) in enumerate(pairs)
        if (actual == before) != (actual == after)
    }
    found = {
        (actual, before, after, number)
        for actual, before, after, _, numbers in re.findall(
            r"^\| ([^|\d\n]+) \| ([^|\d\n]+) \| ([^|\d\n]+) \| (\d+) \| ([\d, ]+) \|$",
            text,
            re.MULTILINE,
        )
        for number in numbers.split(", ")
    }
    assert found == expected
    assert len(found) > 50


def test_git_alone_is_enough_and_the_page_says_how_to_get_pictures(
    branches: Path, tmp_path: Path
) -> None:
    with_images = reviewed(branches, "main", "kernels")
    assert "<ul>\n<li><img" in (branches.parent / "review.html").read_text()
    clone = tmp_path / "clone"
    run_in(tmp_path)("git", "clone", "--quiet", str(branches), str(clone))
    without = reviewed(clone, "origin/main", "origin/kernels")
    assert "<ul>" not in (tmp_path / "review.html").read_text()
    assert "check out origin/kernels, run `dvc pull data/prepared`" in without
    assert verdict(without) == verdict(with_images)
    assert run_in(clone)("git", "status", "--porcelain").stdout == ""


def test_a_base_without_draws_is_reviewed_and_nothing_is_known_of_better_or_worse(
    branches: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(branches, project, symlinks=True)
    run = run_in(project)
    run("git", "checkout", "--quiet", "kernels")
    run("git", "rm", "--quiet", "--cached", "plots/draws.csv")
    run("git", "commit", "--quiet", "--all", "--message=no draws")
    text = reviewed(project, "kernels", "main")
    assert (
        "**Not known: all three models; kernels has no draws of each image; `dvc repro noise` "
        "there.**"
    ) in text
    assert "Search over kernels" in text


def test_an_experiment_is_reviewed_by_its_name(branches: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(branches, project, symlinks=True)
    run = run_in(project)
    run("dvc", "exp", "run", "--name", "patient", "-S", "mlp.max_iter=200")
    run("git", "restore", ".")
    assert "Better: the network (few images) errs" in verdict(reviewed(project, "main", "patient"))
