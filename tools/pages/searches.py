"""Both searches of two revisions: what was tried, on the same folds, and how the best learned."""

from collections.abc import Iterator

import numpy as np

from tools.pages.blocks import Bars, Block, Chart, Heading, Table, Text
from tools.pages.results import Folds, Results, architecture
from tools.review import verdicts
from tools.review.verdicts import Change


def interval(change: Change | None) -> str:
    """Both ends of an interval."""
    return f"{change.low:+.4f} to {change.high:+.4f}" if change else ""


def best_network(results: Results, size: str) -> Folds:
    """Cross-validation of the best architecture."""
    best = results.metrics["mlp"][size]
    return results.networks()[architecture(best["architecture"], best["samples"])]


def best_kernel(results: Results) -> Folds:
    """Cross-validation of the best kernel: the first of equals, as the search takes it."""
    return max(results.kernels().values(), key=lambda folds: folds.mean)


def of_folds(old: Results, new: Results, before: Folds, after: Folds) -> Change | None:
    """What became of an accuracy in cross-validation; None if the folds hold other images."""
    was, now = old.order(before.samples), new.order(after.samples)
    if old.data != new.data or not np.array_equal(was, now):
        return None
    if len(before.accuracy) != len(after.accuracy):
        return None
    return verdicts.of_folds(before.accuracy, after.accuracy)


def networks(old: Results, new: Results, drawn: dict[str, list[Chart]]) -> Iterator[Block]:
    """The search over architectures, and how the best were trained."""
    yield Heading("Search over networks")
    yield from compared(old, new, old.networks(), new.networks())
    yield from drawn.pop("plots/mlp_cv.csv", [])
    if "plots/mlp_loss.csv" in drawn:
        yield Table(
            "Training of the best",
            ["revision", "images", "epochs", "loss at last"],
            [
                [
                    r.name,
                    str(samples),
                    str(of_one["epoch"].iloc[-1]),
                    f"{of_one['loss'].iloc[-1]:.4f}",
                ]
                for r in (old, new)
                for samples, of_one in r.table("mlp_loss").groupby("samples")
            ],
            3,
        )
        yield from drawn.pop("plots/mlp_loss.csv")


def kernels(old: Results, new: Results, drawn: dict[str, list[Chart]]) -> Iterator[Block]:
    """The search over kernels."""
    yield Heading("Search over kernels")
    yield from compared(old, new, old.kernels(), new.kernels())
    yield from drawn.pop("plots/svm_cv.csv", [])


def compared(
    old: Results, new: Results, before: dict[str, Folds], after: dict[str, Folds]
) -> Iterator[Block]:
    """Accuracies in cross-validation of what was searched in either revision."""
    title = "Accuracy in cross-validation"
    both = [name for name in before if name in after]
    found = {name: of_folds(old, new, before[name], after[name]) for name in both}
    changes = {name: change for name, change in found.items() if change}
    words = verdicts.words_of(changes, verdicts.DIFFERS, verdicts.CHANCE)
    word_of = dict.fromkeys(both, "other images") | words
    if before.keys() == after.keys() and {*word_of.values()} == {verdicts.NONE}:
        yield Text(f"{title}: the same in both.")
        return
    yield Table(
        f"{title}, means of the folds; intervals after Nadeau and Bengio",
        ["", "verdict", "old", "new", "change", "interval at 95 %"],
        [
            [
                name,
                word_of.get(name, "not in both"),
                *(f"{of[name].mean:.4f}" if name in of else "–" for of in (before, after)),
                f"{after[name].mean - before[name].mean:+.4f}" if name in both else "",
                interval(changes.get(name)),
            ]
            for name in {**before, **after}
        ],
        4,
    )
    if both:
        yield Bars(
            title,
            both,
            {
                which: [of[name].mean for name in both]
                for which, of in (("old", before), ("new", after))
            },
        )
