"""Measure how often a review calls chance a change, and how often it misses a change.

    python -m tools.review.calibration            # an hour; writes docs/calibration.csv
    python -m tools.review.calibration --table    # writes its table into docs/review.md

A run does what the stage `noise` does with a winner. Sham changes are pairs of runs that differ in
nothing that matters: a network has other first weights, a support vector machine has 1 % of each
draw's images replaced by others. Real changes are pairs of which one run has a share of the
training labels flipped, or a network of another architecture. Each pair gets the answer of a
review, and those of two older questions: McNemar's test on fits to the study's own images, and
Welch's test on the errors of the draws.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any, NamedTuple

from stages.files import artifacts, models, prepared  # before NumPy is loaded

# isort: split
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.files.settings import Settings
from stages.learn import draws, kernel_search, networks, paired
from stages.learn.images import Bytes, Dataset
from stages.learn.paired import LEVEL, OPEN, SAME, Estimate, Fits
from stages.learn.tasks import Task
from stages.run import fits, records, stage
from stages.run.terminal import say
from tools.pages import markdown
from tools.review import answers
from tools.review.answers import Compared
from tools.shared import generated

TABLE, PAGE = Path("docs/calibration.csv"), Path("docs/review.md")
COMMAND = "python -m tools.review.calibration --table"  # writes the table into the page
SHAM = {"small": 40, "large": 12, "svm": 40}  # runs
CHANGED = {"small": 12, "large": 6, "svm": 6}  # runs of each real change
FLIPPED = [0.005, 0.01, 0.02, 0.05, 0.1]
WIDTHS = {"small": [[50], [200]], "large": [[50], [200]]}
REPLACED = 0.01
MATTERS = [0.005, 0.01, 0.02]
RESAMPLES = 2000
AS_LARGE = "same_if_as_large_as_matters"  # called of no matter, although as large as matters

Flags = npt.NDArray[np.bool_]


class Run(NamedTuple):
    """What a run gets wrong: its fit to the study's own images, and its fits to draws."""

    own: Flags
    drawn: Fits


def flipped(labels: Bytes, share: float, seed: int) -> Bytes:
    """Return labels of which a random share is flipped to other classes."""
    random = np.random.default_rng(seed)
    classes = len(np.unique(labels))
    which = random.permutation(len(labels))[: round(share * len(labels))]
    changed = np.array(labels)
    changed[which] = (changed[which] + random.integers(1, classes, size=len(which))) % classes
    return changed


def replaced(dataset: Dataset, samples: int, share: float, seed: int) -> Dataset:
    """Return a dataset with a random share of each block replaced by images of other blocks."""
    random = np.random.default_rng(seed)
    rows = np.arange(len(dataset.train_labels))
    for first in range(0, len(rows) - samples + 1, samples):
        others = np.delete(np.arange(len(rows)), np.s_[first : first + samples])
        which = random.permutation(samples)[: round(share * samples)]
        rows[first + which] = random.permutation(others)[: len(which)]
    return dataset._replace(
        train_images=dataset.train_images[rows], train_labels=dataset.train_labels[rows]
    )


def run_of_network(
    model: MLPClassifier, samples: int, dataset: Dataset, repeats: int, dtype: str
) -> Run:
    """Fit a network, whose seed is that of the run, to the study's images and to draws."""
    tasks = draws.network_fits(dataset, model, samples, repeats, dtype)
    of_model, _, *others = tasks[0].arguments
    own = Task("the study's images", (of_model, (0, samples), *others))
    title = "calibration"
    runner = fits.in_processes(title, records.of_this_clone(title))
    return _run(runner("a run", draws.network_mistakes, [own, *tasks]), dataset, samples)


def run_of_svm(point: dict[str, Any], samples: int, dataset: Dataset, repeats: int) -> Run:
    """Fit a support vector machine to the study's images and to draws."""
    calls = draws.svm_fits(dataset, point, samples, repeats)
    calls = [(point, (0, samples), *calls[0][2:]), *calls]
    title = "calibration"

    def compute(numbers: list[int]) -> Iterator[tuple[int, Any]]:
        for i in numbers:
            yield i, draws.svm_mistakes(*calls[i], dataset.labels, fits.in_threads(title))

    record = records.of_this_clone(title)
    mistakes = record.complete(f"{title}: a run", draws.svm_mistakes, calls, compute)
    return _run(mistakes, dataset, samples)


def _run(mistakes: Sequence[Any], dataset: Dataset, samples: int) -> Run:
    wrong = draws.table(mistakes, len(dataset.test_labels))
    return Run(wrong[0], Fits(wrong[1:], len(draws.blocks(dataset.train_labels, samples))))


def estimated(old: Run, new: Run) -> Estimate:
    """Estimate by how much two runs with the same draws differ, as a review does."""
    return paired.estimate(old.drawn.of_blocks(), new.drawn.of_blocks(), same_draws=True)


def older_questions(old: Run, new: Run) -> tuple[bool, bool]:
    """Whether McNemar's test tells the study's own fits apart, and Welch's the draws."""
    only_new, either = int((new.own & ~old.own).sum()), int((new.own != old.own).sum())
    of_images = stats.binomtest(only_new, either).pvalue if either else 1.0
    errors = [run.drawn.of_blocks().mean(axis=1) for run in (old, new)]
    of_draws = stats.ttest_ind(*errors, equal_var=False).pvalue
    return bool(of_images <= LEVEL), bool(of_draws <= LEVEL)


def share(
    called: Sequence[bool], pairs: Sequence[tuple[int, int]], sham: bool
) -> tuple[float, float, float]:
    """Share of the pairs that are called something, and both ends of its interval at 95 %.

    Parameters
    ----------
    called
        Whether each pair is.
    pairs
        Numbers of the runs of each pair.
    sham
        Whether both runs of a pair come from one set of runs.

    Notes
    -----
    A bootstrap over runs, because pairs that share a run are not independent.
    """
    random = np.random.default_rng(0)
    first, second = np.transpose(pairs)
    sizes = [max(first.max(), second.max() * sham) + 1, second.max() + 1]
    shares: list[float] = []
    while len(shares) < RESAMPLES:
        old, new = (np.bincount(random.integers(0, size, size), minlength=size) for size in sizes)
        weights = old[first] * (old if sham else new)[second]
        if weights.any():
            shares.append(float(np.average(called, weights=weights)))
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(np.mean(called)), float(low), float(high)


def row(
    model: str,
    change: str,
    old: Sequence[Run],
    new: Sequence[Run],
    matters: float,
    longer: Sequence[Run] = (),
) -> dict[str, Any]:
    """Return what is said of all pairs of runs, of two sets or of one.

    Parameters
    ----------
    model, change
        Their names.
    old, new
        Runs. If both are one set, they differ in nothing that matters.
    matters
        Size of a change that matters.
    longer
        The same runs with more fits. They answer for a pair that is too close to call without.
    """
    sham = old is new
    runs = range(len(old)), range(len(new))
    pairs = list(combinations(runs[0], 2) if sham else product(*runs))
    estimates = [estimated(old[a], new[b]) for a, b in pairs]
    if longer:
        estimates = [
            estimated(longer[a], longer[b]) if found.verdict(matters) == OPEN else found
            for (a, b), found in zip(pairs, estimates, strict=True)
        ]
    differences = np.array([estimate.difference for estimate in estimates])
    direction = 0 if sham else np.sign(differences.mean())
    right = [e.difference * direction >= 0 for e in estimates]
    called, among_ten = (
        [abs(e.difference) > e.margin(level) and ok for e, ok in zip(estimates, right, strict=True)]
        for level in (LEVEL, LEVEL / 10)
    )
    older = np.array([older_questions(old[a], new[b]) for a, b in pairs])
    calls, low, high = share(called, pairs, sham)

    def said(verdict: str, matters: float) -> float:
        return float(np.mean([e.verdict(matters) == verdict for e in estimates]))

    return {
        "model": model,
        "change": change,
        "runs": len(new),
        "pairs": len(pairs),
        "draws": len((longer or old)[0].drawn.wrong),
        "difference": float(differences.mean()),
        "shows": float(np.median([e.shows() for e in estimates])),
        "shows_among_ten": float(np.median([e.shows(LEVEL / 10) for e in estimates])),
        "called": calls,
        "called_low": low,
        "called_high": high,
        "called_among_ten": float(np.mean(among_ten)),
        "mcnemar": float(older[:, 0].mean()),
        "mcnemar_and_welch": float(older.all(axis=1).mean()),
        **{f"same_{matters}": said(SAME, matters) for matters in MATTERS},
        AS_LARGE: float("nan") if sham else said(SAME, abs(float(differences.mean()))),
    }


def advised(runs: Sequence[Run], matters: float, other_weights: bool) -> int | None:
    """Return how many fits the advice asks for in most of the pairs that are too close to call."""
    asked = []
    for a, b in combinations(runs, 2):
        estimate = estimated(a, b)
        if estimate.verdict(matters) == OPEN:
            both = Compared(a.drawn, b.drawn, same_draws=True, other_weights=other_weights)
            asked.append(answers.settling(both, estimate, matters, LEVEL))
    wanted = [repeats for repeats in asked if repeats]
    return int(np.median(wanted)) if wanted else None


def of_model(
    kind: str,
    fit: Callable[[int, float, Any, int], Run],
    size: str,
    others: Iterable[Any],
    params: Settings,
    other_weights: bool,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each change of a model.

    Parameters
    ----------
    kind
        Name of the model.
    fit
        Makes a run, from its number, a share of flipped labels, other settings or None, and the
        number of fits to draws.
    size
        Key of the model's numbers of runs.
    others
        Other settings to compare with.
    params
        Parameters of the pipeline.
    other_weights
        Whether a second fit to the same images can come out otherwise.
    """
    repeats, matters, sham = params.noise.repeats, params.noise.matters, SHAM[size]
    base = [fit(number, 0.0, None, repeats) for number in range(sham)]
    yield row(kind, "sham", base, base, matters)
    if more := advised(base, matters, other_weights):
        longer = [fit(number, 0.0, None, more) for number in range(sham)]
        yield row(kind, "sham, advice followed", base, base, matters, longer)
    numbers = range(sham, sham + CHANGED[size])
    for part in FLIPPED:
        changed = [fit(number, part, None, repeats) for number in numbers]
        yield row(kind, f"{part:.1%} of the labels", base, changed, matters)
    for other in others:
        changed = [fit(number, 0.0, other, repeats) for number in numbers]
        yield row(kind, f"{networks.name(other)} units", base, changed, matters)


def networks_of(size: str, dataset: Dataset, params: Settings) -> Iterator[dict[str, Any]]:
    """Yield a row for each change of the small or the large network."""
    searched = artifacts.read_json(Path("metrics/mlp.json"))[size]
    winner, samples = networks.widths(searched["architecture"]), searched["samples"]

    def fit(number: int, part: float, other: Any, repeats: int) -> Run:
        model = networks.network(other or winner, number, **params.mlp.hyperparameters)
        images = with_flipped(dataset, part, number)
        return run_of_network(model, samples, images, repeats, params.data.dtype)

    kind = f"network, {samples:,} images"
    yield from of_model(kind, fit, size, WIDTHS[size], params, True)


def svms(dataset: Dataset, params: Settings) -> Iterator[dict[str, Any]]:
    """Yield a row for each change of the support vector machine."""
    model = models.read(Path("models/svm.skops"), SVC, dataset.test_images[0].size)
    point, samples = kernel_search.point_of(model), params.svm.samples

    def fit(number: int, part: float, _: Any, repeats: int) -> Run:
        images = replaced(with_flipped(dataset, part, number), samples, REPLACED, number)
        return run_of_svm(point, samples, images, repeats)

    yield from of_model(f"SVM, {samples:,} images", fit, "svm", [], params, False)


def with_flipped(dataset: Dataset, part: float, number: int) -> Dataset:
    """Return a dataset with a share of its training labels flipped, for the run of this number."""
    return dataset._replace(train_labels=flipped(dataset.train_labels, part, number))


def markdown_table(found: pd.DataFrame) -> str:
    """Return the table of the page: a row for each change of each model."""
    head = [
        "model",
        "change",
        "mean difference",
        "would show; as one of ten",
        "better or worse",
        "as one of ten",
        "McNemar and Welch; McNemar alone",
        f"no change that matters: {', '.join(f'{matters:g}' for matters in MATTERS)}",
        "…, if the difference matters",
    ]
    rows = [
        [
            line["model"],
            f"{line['change']} ({line['pairs']} pairs)",
            f"{line['difference']:+.4f}",
            f"{line['shows']:.4f}; {line['shows_among_ten']:.4f}",
            f"{line['called']:.2f} ({line['called_low']:.2f} to {line['called_high']:.2f})",
            f"{line['called_among_ten']:.3f}",
            f"{line['mcnemar_and_welch']:.2f}; {line['mcnemar']:.2f}",
            ", ".join(f"{line[f'same_{matters}']:.2f}" for matters in MATTERS),
            "–" if np.isnan(line[AS_LARGE]) else f"{line[AS_LARGE]:.2f}",
        ]
        for line in found.to_dict("records")
    ]
    return markdown.table(head, rows, len(head) - 2) + "\n"


def main(params: Settings) -> None:
    """Make all runs and answer all pairs, if not the table alone is wanted; write the table."""
    if sys.argv[1:] != COMMAND.split()[-1:]:
        dataset = prepared.load()
        found = []
        sizes = (networks_of(size, dataset, params) for size in ("small", "large"))
        for line in chain(*sizes, svms(dataset, params)):
            found.append(line)
            say(f"{line['model']}, {line['change']}: better or worse in {line['called']:.3f}")
        artifacts.write_table(TABLE, pd.DataFrame(found))
    generated.write(COMMAND, markdown_table(pd.read_csv(TABLE)), PAGE)


if __name__ == "__main__":
    stage.run_tool(main)
