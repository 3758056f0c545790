"""A report tells the study of a revision: searches, winners, mistakes, clusters, and why."""

import re
from pathlib import Path

import pytest

from tests.conftest import Run
from tools.pages.blocks import Chart, Gallery, Heading, Picture, Text, Verdict
from tools.pages.results import Results
from tools.report import errors, page

SECTIONS = [
    "The data",
    "Neural networks",
    "Support vector machines",
    "Network or SVM?",
    "Their mistakes",
    "Clusters",
    "How many clusters?",
    "Model cards",
]


def test_a_report_has_every_chart_and_picture_and_says_why(
    reproduced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reproduced)
    results = Results("HEAD")
    blocks = page.report(results)
    assert [block.text for block in blocks if isinstance(block, Heading)][1:] == SECTIONS
    assert {block.title for block in blocks if isinstance(block, Chart)} == {
        errors.TITLE,
        *results.charts.values(),
    }
    assert [type(block) for block in blocks[1:3]] == [Verdict, Chart]
    assert sum(isinstance(block, Picture) for block in blocks) == 4
    assert sum(isinstance(block, Gallery) for block in blocks) == 1
    texts = [block.text for block in blocks if isinstance(block, Text)]
    best = results.metrics["kmeans"]["best_k"]
    (why,) = (text for text in texts if text.startswith(f"**{best}.**"))
    assert f"is largest for k = {best}, {results.metrics['kmeans']['best_silhouette']:.4f}" in why
    assert not any("notebook" in text for text in texts)  # which had no drawn garments
    (groups,) = (text for text in texts if f"the {best} clusters hold these classes: " in text)
    for label in results.labels:
        assert label in groups


def test_the_charts_of_one_revision_count_its_images_once(
    reproduced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reproduced)
    chart = next(
        block
        for block in page.report(Results(None))
        if isinstance(block, Chart) and "Support vector machine: confusion" in block.title
    )
    values = chart.spec["data"]["values"]
    assert len(values) == sum(Results(None).metrics["data"]["test"].values())
    assert {value["rev"] for value in values} == {"workspace"}


def test_page_and_cards_are_written_and_nothing_else(run: Run, tmp_path: Path) -> None:
    run("python", "-m", "tools.report", "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "card-mlp.md",
        "card-mlp_small.md",
        "card-svm.md",
        "report.html",
        "report.md",
    ]
    assert run("git", "status", "--porcelain").stdout == ""
    text = (tmp_path / "out/report.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
