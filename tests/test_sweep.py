"""A sweep is reviewed as one: the best first, and its intervals hold together."""

from pathlib import Path

import pytest

from stages.learn.paired import BETTER, LEVEL, OPEN, SAME, WORSE, Estimate
from tests.conftest import Run
from tools.pages.blocks import Chart, Folded, Table, Verdict
from tools.pages.results import MODELS, Model, Results
from tools.review import answers, page, sweep
from tools.review.answers import UNCHANGED, UNKNOWN, Answer

SWEPT = {
    "few": ["mlp.architectures=[[1]]"],
    "same": ["mlp.architectures=[[10],[1]]"],
    "wide": ["mlp.architectures=[[16]]", "svm.grid.rbf.C=[0.01]"],
}


@pytest.fixture
def swept(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project has three experiments, run and kept by DVC."""
    for name, values in SWEPT.items():
        run("dvc", "exp", "run", "--name", name, *(f"--set-param={value}" for value in values))
    run("git", "restore", ".")
    monkeypatch.chdir(project)


@pytest.mark.usefixtures("swept")
def test_a_sweep_is_one_page_of_git_alone(run: Run, tmp_path: Path) -> None:
    old, new = Results("main"), [Results(name) for name in SWEPT]
    found = answers.answers(old, new, 0.01)
    changed = [a for models in found for a in models.values() if a.estimate]
    assert changed
    for answer in changed:
        assert answer.estimate
        assert answer.margin == answer.estimate.margin(LEVEL / answers.intervals(found))
    (alone,) = answers.answers(old, new[:1], 0.01)
    for model in MODELS:
        if alone[model].estimate:
            assert alone[model].margin < found[0][model].margin

    _, verdict, forest, table, *_ = blocks = sweep.review(old, new, 0.01)
    assert isinstance(verdict, Verdict)
    assert isinstance(forest, Chart)
    assert isinstance(table, Table)
    order = [row[0] for row in table.rows]
    assert {*order} == {*SWEPT}
    ranks = {name: sweep.rank(models) for name, models in zip(SWEPT, found, strict=True)}
    assert order == sorted(order, key=ranks.__getitem__)
    assert {tuple(row[:2]) for row in table.rows} >= {
        ("few", "architectures = [[1]]"),
        ("wide", "architectures = [[16]], C = [0.01]"),
    }
    folded = [block for block in blocks if isinstance(block, Folded)]
    assert [block.title.partition(" ")[0] for block in folded] == order
    # A review of one says the same below its verdict, but for its intervals.
    of_one = [type(block) for block in page.review(old, Results(order[0]), 0.01)]
    in_sweep = [type(block) for block in folded[0].blocks]
    assert in_sweep[-len(of_one) + 3 :] == of_one[3:]

    for names in (["--experiments"], SWEPT):
        run("python", "-m", "tools.review", "main", *names, "--out", str(tmp_path / "out"))
        text = (tmp_path / "out/review.md").read_text()
        assert text.startswith(f"# Review: main → {len(SWEPT)} experiments\n")
        for name in SWEPT:
            assert f"\n## {name} (" in text
    assert run("git", "status", "--porcelain").stdout == ""


def of(verdict: str, change: float = 0.0, more: str = "") -> Answer:
    """An answer with an interval of half a point to either side."""
    if verdict in (UNKNOWN, UNCHANGED):
        return Answer(verdict, more)
    return Answer(verdict, more, Estimate(change, 1e-6, 9, 0, 0, 9, 5), 0.005)


def answered(svm: Answer, networks: Answer | None = None) -> dict[Model, Answer]:
    """Answers of an experiment that leaves the networks as they are."""
    few, many, of_kernel = MODELS
    same = networks or of(UNCHANGED)
    return {few: same, many: same, of_kernel: svm}


BETTER_BY_TWO = answered(of(BETTER, -0.02))
BETTER_BY_ONE = answered(of(BETTER, -0.01))
MIXED = answered(of(BETTER, -0.03), of(WORSE, 0.02))
SAME_AS_BASE = answered(of(SAME, 0.001))
NOT_KNOWN = answered(of(UNKNOWN, more="x has no draws"))


def test_the_best_comes_first_and_what_is_not_known_last() -> None:
    found = [NOT_KNOWN, MIXED, SAME_AS_BASE, BETTER_BY_ONE, BETTER_BY_TWO]
    assert sorted(found, key=sweep.rank) == [*found[::-1][:2], SAME_AS_BASE, MIXED, NOT_KNOWN]


@pytest.mark.parametrize(
    ("found", "matters", "sentence"),
    [
        ([BETTER_BY_TWO, MIXED], 0.01, "Keep a. Better: the SVM errs 2.00 ± 0.50 points less."),
        (
            [BETTER_BY_ONE],
            0.02,
            "The best is a: better than main, but by less than matters. Better: the SVM errs 1.00 "
            "± 0.50 points less, but by less than matters (2 points).",
        ),
        ([SAME_AS_BASE, MIXED], 0.01, "Keep main: of no experiment it is known to be better."),
        (
            [answered(of(OPEN, -0.002)), NOT_KNOWN],
            0.01,
            "Keep main: of no experiment it is known to be better. Not known: x has no draws. Too "
            "close to call: a.",
        ),
    ],
)
def test_the_verdict_says_what_to_keep_and_does_not_say_what_nobody_knows(
    found: list[dict[Model, Answer]], matters: float, sentence: str
) -> None:
    said = sweep.best("main", ["a", "b"][: len(found)], found, matters)
    assert said.startswith(sentence)


def test_a_key_is_as_short_as_it_can_be() -> None:
    keys = ["svm.grid.rbf.C", "svm.grid.poly.C", "svm.samples", "seed"]
    assert [sweep._short(key, keys) for key in keys] == ["rbf.C", "poly.C", "samples", "seed"]


def test_a_base_without_experiments_is_told_so(run: Run) -> None:
    done = run("python", "-m", "tools.review", "main", "--experiments", succeeds=False)
    assert (done.returncode, done.stderr) == (
        1,
        "No experiment is based on main: `dvc exp list --all` lists experiments.\n",
    )
