"""A review says first what forbids to compare, and what cannot be compared in a sentence."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.files import garments
from tests.conftest import Run, run_in
from tools.pages.blocks import Block, Chart, Folded
from tools.pages.results import Results
from tools.review import clusters, page
from tools.shared.params import set_params


def reviewed(folder: Path, *revisions: str) -> str:
    """The Markdown of a review."""
    command = ["python", "-B", "-m", "tools.review", *revisions]  # leaving no __pycache__
    run_in(folder)(*command, "--out", str(folder.parent))
    return (folder.parent / "review.md").read_text()


def test_a_workspace_that_was_not_run_is_stale_and_other_sample_counts_are_said_in_bold(
    project: Path,
) -> None:
    set_params(project / "params.yaml", {"svm.samples": 180, "kmeans.samples": 140})
    before = run_in(project)("git", "status", "--porcelain", "--ignored").stdout
    lines = reviewed(project, "main").split("\n\n")
    assert lines[0] == "# Review: main → workspace"
    assert lines[1] == (
        "**The sample counts differ: `svm.samples` 200 → 180, `kmeans.samples` 150 → 140.**"
    )
    (stale,) = (line for line in lines if line.startswith("**workspace is stale: "))
    assert "params.yaml, svm.samples: 200 → 180" in stale
    assert "params.yaml, kmeans.samples: 150 → 140" in stale
    assert lines[-1].strip()
    assert run_in(project)("git", "status", "--porcelain", "--ignored").stdout == before


def test_results_of_other_data_are_said_first_and_their_errors_not_compared(project: Path) -> None:
    lock = (project / "dvc.lock").read_text()
    of_tests = r"(t10k-images\S*:\s+)\w{64}"
    (project / "dvc.lock").write_text(re.sub(of_tests, rf"\g<1>{64 * 'f'}", lock))
    lines = reviewed(project, "main").split("\n\n")
    assert lines[1].startswith("**The revisions use different data: main has drawn-garments")
    assert "**Not known: all three models; the test images are not the same.**" in lines


@pytest.mark.parametrize(
    ("revision", "sentence"),
    [
        (
            "nothing",
            "nothing is no revision or experiment: `git branch` and `dvc exp list --all` list",
        ),
        (
            "empty",
            "empty has no metrics/mlp.json, so its results are not complete. Run `dvc repro`",
        ),
    ],
)
def test_what_cannot_be_reviewed_is_said_in_a_sentence(
    revision: str, sentence: str, project: Path, run: Run
) -> None:
    run("git", "checkout", "--quiet", "-b", "empty")
    run("git", "rm", "--quiet", "metrics/mlp.json")
    run("git", "commit", "--quiet", "--message=empty")
    done = run("python", "-m", "tools.review", "main", revision, succeeds=False)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert not (project / "review.md").exists()


def flat(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks, also the folded ones."""
    for block in blocks:
        yield from flat(block.blocks) if isinstance(block, Folded) else [block]


def orders_of_labels(spec: Any) -> Iterator[list[str]]:
    """The order of each axis that has labels, in a chart."""
    for key, item in spec.items() if isinstance(spec, dict) else enumerate(spec):
        if isinstance(item, dict | list) and key != "tooltip":
            yield from orders_of_labels(item)
    if isinstance(spec, dict) and spec.get("field") in ("actual", "predicted", "label"):
        yield spec["sort"]


def test_every_chart_of_a_review_has_labels_in_the_order_of_the_parameters(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in [*project.glob("plots/*_predictions.csv"), project / "plots/contingency.csv"]:
        text = table.read_text().replace(",Coat\n", ",Trouser\n").replace(",0\n", ",1\n")
        table.write_text(text)
    run("git", "commit", "--quiet", "--all", "--message=other tables")
    monkeypatch.chdir(project)
    blocks = page.review(Results("HEAD~1"), Results("HEAD"), 0.01)
    charts = [block for block in flat(blocks) if isinstance(block, Chart)]
    orders = [list(orders_of_labels(chart.spec)) for chart in charts]
    assert sum(map(bool, orders)) == 7  # of each model two matrices, and clusters
    for chart, found in zip(charts, orders, strict=True):
        assert all(order == list(garments.LABELS) for order in found), chart.title


def test_clusters_are_matched_by_the_images_that_they_share() -> None:
    old = pd.Series([0, 0, 0, 1, 1, 2, 2], index=[*range(7)])
    new = pd.Series([5, 5, 3, 3, 3, 4, 4, 6], index=[5, 6, 2, 3, 4, 0, 1, 9])
    assert clusters.matched(old, new) == {3: 1, 4: 0, 5: 2, 6: 3}
    assert clusters.matched(old, new.rename(lambda place: place + 100)) == {}
