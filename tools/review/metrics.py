"""Compare metrics: give a verdict on each test error, and the change of every other metric."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from stages.files.keys import flat
from tools.pages.blocks import Block, Heading, Table, Text
from tools.pages.results import MODELS, Model, Results, draws
from tools.review import searches, verdicts
from tools.review.verdicts import Change, ErrorChange

CAVEAT = (
    "The stage `noise` does not repeat cross-validation and K-means on other draws. So verdicts on "
    "their scores hold for these images only. Verdicts are adjusted for multiple comparisons "
    "(Holm); intervals are not."
)

ErrorChanges = dict[Model, ErrorChange]


def same_test_images(old: Results, new: Results) -> bool:
    """Whether both revisions were tested on the same images, in the same order."""
    (old_labels, _), (new_labels, _) = old.predictions(MODELS[0]), new.predictions(MODELS[0])
    return old.data == new.data and np.array_equal(old_labels, new_labels)


def error_changes(old: Results, new: Results) -> ErrorChanges:
    """Compare the test error of each model; empty if the test images differ."""
    if not same_test_images(old, new):
        return {}
    changes = {}
    for model in MODELS:
        (actual, before), (_, after) = old.predictions(model), new.predictions(model)
        noise = [results.noise(model) for results in (old, new)]
        changes[model] = verdicts.of_errors(actual, before, after, *noise)
    return changes


def overall(changes: ErrorChanges) -> str:
    """Say which test errors rise or fall, and whether that is more than chance."""
    if not changes:
        return "The test errors cannot be compared: they come from different test images."
    models: dict[str, list[str]] = {}
    for model, verdict in verdicts.judge_by_name(changes).items():
        change = changes[model]
        direction = "rises" if change.difference > 0 else "falls"
        amount = f" {direction} by {abs(change.difference):.4f} ± {change.margin:.4f}"
        text = f"the {model.name}{amount * bool(change.difference)}"
        models.setdefault(verdict, []).append(text)
    if len(models.get(verdicts.NONE, [])) == len(MODELS):
        models[verdicts.NONE] = ["all three models"]
    wording = {
        verdicts.REAL: f"{verdicts.REAL}: the test error of ",
        verdicts.NOISE: f"{verdicts.NOISE}: the test error of ",
        verdicts.UNKNOWN: "not known whether real: the test error of ",
        verdicts.NONE: "no difference in test error: ",
    }
    sentences = (
        beginning + (", " if verdict == verdicts.NONE else ", that of ").join(models[verdict])
        for verdict, beginning in wording.items()
        if verdict in models
    )
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)


def metrics(old: Results, new: Results, changes: ErrorChanges) -> Iterator[Block]:
    """Show the tests on each test error, then every other metric that changed."""
    yield Heading("Metrics")
    if changes:
        yield from _test_errors(old, new, changes)
    yield from _other_metrics(old, new, changes)


def _test_errors(old: Results, new: Results, changes: ErrorChanges) -> Iterator[Block]:
    verdict = verdicts.judge_by_name(changes)
    rows = [
        [
            model.name,
            verdict[model],
            *(f"{model.of(results.metrics)['test_error']:.4f}" for results in (old, new)),
            f"{change.difference:+.4f} ± {change.margin:.4f}",
            _p_value(change.p_images),
            *(draws(results.noise(model)) for results in (old, new)),
            _p_value(change.p_draws),
        ]
        for model, change in changes.items()
    ]
    yield Table(
        "Test errors",
        [
            "",
            "verdict",
            "old",
            "new",
            "change",
            "p (McNemar)",
            "draws, old",
            "draws, new",
            "p (Welch)",
        ],
        rows,
        7,
    )
    yield Text(
        "A change is real if two tests are significant. McNemar's exact test compares the two "
        "fitted models on the test images. Welch's test compares their test errors over other "
        "draws of the training set and initial weights: mean ± standard deviation, from "
        f"`metrics/noise.json`. The level of both is {verdicts.LEVEL}, adjusted for {len(changes)} "
        "models by Holm's method."
    )


def _other_metrics(old: Results, new: Results, errors: ErrorChanges) -> Iterator[Block]:
    before, after = (dict(flat(results.metrics)) for results in (old, new))
    test_errors = {".".join((*model.path, "test_error")) for model in errors}
    moved = [
        key
        for key in {**before, **after}
        if before.get(key) != after.get(key)
        and key not in test_errors
        and not key.startswith("noise.")
    ]
    if not moved:
        yield Text("No other metric changed.")
        return
    changes = changes_on_these_images(old, new)
    verdict = verdicts.judge_by_name(changes, verdicts.DIFFERS, verdicts.CHANCE)
    yield Table(
        "Other metrics that changed",
        ["", "verdict", "old", "new", "change", "interval at 95 %"],
        [
            [
                f"`{key}`",
                verdict.get(key, ""),
                as_written(before.get(key)),
                as_written(after.get(key)),
                _difference(before.get(key), after.get(key)),
                searches.interval(changes.get(key)),
            ]
            for key in moved
        ],
        4,
    )
    yield Text(CAVEAT)


def changes_on_these_images(old: Results, new: Results) -> dict[str, Change]:
    """Compare the metrics that are means over folds or images, by the name of the metric."""
    changes: dict[str, Change] = {}
    for key, winners in {
        "mlp.small.cv_accuracy": [searches.best_network(r, "small") for r in (old, new)],
        "mlp.large.cv_accuracy": [searches.best_network(r, "large") for r in (old, new)],
        "svm.cv_accuracy": [searches.best_kernel(r) for r in (old, new)],
    }.items():
        change = searches.change_of_accuracy(old, new, *winners)
        if change:
            changes[key] = change
    if old.data == new.data:
        for key, k in (("silhouette", "clusters"), ("best_silhouette", "best_k")):
            before, after = (
                results.silhouettes(results.metrics["kmeans"][k])["silhouette"]
                for results in (old, new)
            )
            changes[f"kmeans.{key}"] = verdicts.of_silhouettes(
                before.to_numpy(), after.to_numpy(), paired=before.index.equals(after.index)
            )
    return changes


def as_written(value: Any) -> str:
    """Format a value as its file has it; – if there is none."""
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _p_value(p: float) -> str:
    return "–" if p != p else f"{p:.2g}"


def _difference(old: Any, new: Any) -> str:
    """Format the difference of two numbers; empty if one is no number."""
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in (old, new)):
        return ""
    return f"{new - old:+.6g}"
