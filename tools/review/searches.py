"""Compare the searches over networks and kernels of two revisions."""

from collections.abc import Iterator

import numpy as np

from tools.pages.blocks import Bars, Block, Chart, Heading, Table, Text
from tools.pages.results import Folds, Results, architecture
from tools.review import verdicts
from tools.review.verdicts import Change


def interval(change: Change | None) -> str:
    """Format both ends of a confidence interval."""
    return f"{change.low:+.4f} to {change.high:+.4f}" if change else ""


def best_network(results: Results, size: str) -> Folds:
    """Return the accuracies in the folds of the best architecture."""
    best = results.metrics["mlp"][size]
    return results.networks()[architecture(best["architecture"], best["samples"])]


def best_kernel(results: Results) -> Folds:
    """Return the accuracies in the folds of the best kernel; of equal kernels, the first."""
    return max(results.kernels().values(), key=lambda folds: folds.mean)


def change_of_accuracy(old: Results, new: Results, before: Folds, after: Folds) -> Change | None:
    """Compare two accuracies in cross-validation; None if their folds hold different images."""
    old_order, new_order = old.order(before.samples), new.order(after.samples)
    if old.data != new.data or not np.array_equal(old_order, new_order):
        return None
    if len(before.accuracy) != len(after.accuracy):
        return None
    return verdicts.of_folds(before.accuracy, after.accuracy)


def networks(old: Results, new: Results, charts: dict[str, list[Chart]]) -> Iterator[Block]:
    """Compare the search over architectures, and the training of the winners."""
    yield Heading("Search over networks")
    yield from _compared(old, new, old.networks(), new.networks())
    yield from charts.pop("plots/mlp_cv.csv", [])
    if "plots/mlp_loss.csv" in charts:
        yield Table(
            "Training of the best networks",
            ["revision", "images", "epochs", "final loss"],
            [
                [
                    results.name,
                    str(samples),
                    str(losses["epoch"].iloc[-1]),
                    f"{losses['loss'].iloc[-1]:.4f}",
                ]
                for results in (old, new)
                for samples, losses in results.table("mlp_loss").groupby("samples")
            ],
            3,
        )
        yield from charts.pop("plots/mlp_loss.csv")


def kernels(old: Results, new: Results, charts: dict[str, list[Chart]]) -> Iterator[Block]:
    """Compare the search over kernels."""
    yield Heading("Search over kernels")
    yield from _compared(old, new, old.kernels(), new.kernels())
    yield from charts.pop("plots/svm_cv.csv", [])


def _compared(
    old: Results, new: Results, before: dict[str, Folds], after: dict[str, Folds]
) -> Iterator[Block]:
    """Compare the accuracies of everything that either revision tried."""
    title = "Accuracy in cross-validation"
    in_both = [name for name in before if name in after]
    changes = {
        name: change
        for name in in_both
        if (change := change_of_accuracy(old, new, before[name], after[name]))
    }
    verdict = dict.fromkeys(in_both, "other images")
    verdict |= verdicts.judge(changes)
    if before.keys() == after.keys() and {*verdict.values()} == {verdicts.NONE}:
        yield Text(f"{title}: the same in both.")
        return
    yield Table(
        f"{title}: means of the folds, intervals by Nadeau and Bengio",
        ["", "verdict", "old", "new", "change", "interval at 95 %"],
        [
            [
                name,
                verdict.get(name, "not in both"),
                *(f"{folds[name].mean:.4f}" if name in folds else "–" for folds in (before, after)),
                f"{after[name].mean - before[name].mean:+.4f}" if name in in_both else "",
                interval(changes.get(name)),
            ]
            for name in {**before, **after}
        ],
        4,
    )
    if in_both:
        yield Bars(
            title,
            in_both,
            {
                revision: [folds[name].mean for name in in_both]
                for revision, folds in (("old", before), ("new", after))
            },
        )
