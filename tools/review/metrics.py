"""What became of the metrics: of the test errors, whether it is real; of the others, how far."""

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
    "Whether a score in cross-validation or a silhouette would differ after other draws, or from "
    "other first centres, is not asked here: it differs on these images, or within their noise. "
    "Intervals are each for itself, verdicts adjusted for all (Holm)."
)

ErrorChanges = dict[Model, ErrorChange]


def same_test_images(old: Results, new: Results) -> bool:
    """Whether both were tried on the same test images."""
    (old_labels, _), (new_labels, _) = old.predictions(MODELS[0]), new.predictions(MODELS[0])
    return old.data == new.data and np.array_equal(old_labels, new_labels)


def error_changes(old: Results, new: Results) -> ErrorChanges:
    """What became of each model's test error; nothing if the test images are others."""
    if not same_test_images(old, new):
        return {}
    changes = {}
    for model in MODELS:
        (actual, before), (_, after) = old.predictions(model), new.predictions(model)
        noise = [results.noise(model) for results in (old, new)]
        changes[model] = verdicts.of_errors(actual, before, after, *noise)
    return changes


def overall(changes: ErrorChanges) -> str:
    """One sentence: what is real."""
    if not changes:
        return "Errors on other test images cannot be compared."
    models: dict[str, list[str]] = {}
    for model, verdict in verdicts.judge_by_name(changes).items():
        change = changes[model]
        direction = "worse" if change.difference > 0 else "better"
        amount = f" {direction} by {abs(change.difference):.4f} ± {change.margin:.4f}"
        models.setdefault(verdict, []).append(model.name + amount * bool(change.difference))
    if len(models.get(verdicts.NONE, [])) == len(MODELS):
        models[verdicts.NONE] = ["all three models"]
    wording = {
        verdicts.REAL: verdicts.REAL,
        verdicts.NOISE: verdicts.NOISE,
        verdicts.UNKNOWN: "not known how far it moves by chance",
        verdicts.NONE: "no difference in test error",
    }
    sentence = "; ".join(
        f"{wording[verdict]}: {', '.join(models[verdict])}"
        for verdict in wording
        if verdict in models
    )
    return f"{sentence[0].upper()}{sentence[1:]}."


def metrics(old: Results, new: Results, changes: ErrorChanges) -> Iterator[Block]:
    """Test errors with both questions; all other metrics that moved."""
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
        ["", "verdict", "old", "new", "change", "p, images", "draws, old", "new", "p, draws"],
        rows,
        7,
    )
    yield Text(
        "Real is what both say: an exact McNemar test of the two models on the test images "
        "(p, images), and Welch's test of their errors after other draws of training images "
        "and first weights (p, draws; `metrics/noise.json`), both at "
        f"{verdicts.LEVEL}, adjusted for {len(changes)} models after Holm."
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
        yield Text("No other metric moved.")
        return
    changes = changes_on_these_images(old, new)
    verdict = verdicts.judge_by_name(changes, verdicts.DIFFERS, verdicts.CHANCE)
    yield Table(
        "Other metrics that moved",
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
    """Of metrics whose parts are in the tables, what became of them: by fold or by image."""
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
    """A value of a parameter or metric, as it is written; – where there is none."""
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _p_value(p: float) -> str:
    return "–" if p != p else f"{p:.2g}"


def _difference(old: Any, new: Any) -> str:
    """How far a number moved; nothing if it is none."""
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in (old, new)):
        return ""
    return f"{new - old:+.6g}"
