"""Compare metrics: give a verdict on each test error, and the change of every other metric."""

import json
from collections.abc import Iterator
from typing import Any

from stages.files.keys import flat
from stages.learn import scores
from stages.learn.paired import BETTER, OPEN, SAME, WORSE
from tools.pages.blocks import Block, Chart, Folded, Heading, Table, Text
from tools.pages.forest import POINTS, Row, points
from tools.pages.forest import forest as of_rows
from tools.pages.results import MODELS, Model, Results, draws
from tools.review import searches, verdicts
from tools.review.answers import UNCHANGED, UNKNOWN, Answer, same_test_images
from tools.review.verdicts import Change

CAVEAT = (
    "Cross-validation and K-means are not repeated on other draws. So verdicts on their scores "
    "hold for these images only. Verdicts are adjusted for multiple comparisons (Holm); intervals "
    "are not."
)
ORDER = (WORSE, BETTER, OPEN, SAME, UNCHANGED, UNKNOWN)  # of the sentences of the verdict

Answers = dict[Model, Answer]


def overall(answers: Answers, matters: float) -> str:
    """Say for each model whether the change makes it better or worse: a sentence a verdict."""
    sentences = []
    for verdict in ORDER:
        models = {m: answer for m, answer in answers.items() if answer.verdict == verdict}
        if models:
            sentences.append(f"{verdict[0].upper()}{verdict[1:]}: {_of_verdict(models, matters)}.")
    return " ".join(sentences)


def _of_verdict(models: Answers, matters: float) -> str:
    """Name the models of a verdict, each with what is said of it."""
    names = [f"the {model.name}" for model in models]
    if len(models) == len(MODELS):
        names = ["all three models"]
    reasons = list(dict.fromkeys(answer.more for answer in models.values()))
    if all(answer.estimate is None for answer in models.values()):
        return "; ".join([", ".join(names), *filter(None, reasons)])
    details = [f"the {model.name} {_change(answer, matters)}" for model, answer in models.items()]
    return "; ".join(details)


def _change(answer: Answer, matters: float) -> str:
    """Say by how much a test error changes, and what follows."""
    assert answer.estimate is not None
    if answer.verdict in (WORSE, BETTER):
        less = f", but by less than matters ({points(matters)})" * answer.is_little(matters)
        more = "more" if answer.estimate.difference > 0 else "less"
        return f"errs {in_points(answer)[1:]} points {more}{less}"
    by = f"({in_points(answer)} points)"
    if answer.verdict == SAME:
        return by
    return f"{by}, where a change of {POINTS * answer.shows:.1f} points would show: {answer.more}"


def in_points(answer: Answer) -> str:
    """Format the change of a test error and its margin, in points; – if there is none."""
    if not answer.change:
        return "–"
    difference, margin = (POINTS * x for x in answer.change)
    return f"{difference:+.2f} ± {margin:.2f}"


def forest(answers: Answers, base: str, matters: float) -> Iterator[Chart]:
    """Draw the changes of the test errors; nothing if no model changed."""
    rows = [Row("", model.name, answer.verdict, answer.change) for model, answer in answers.items()]
    if any(row.change for row in rows):
        yield of_rows(f"Change of the test errors from {base}", rows, matters)


def metrics(
    old: Results, new: Results, answers: Answers, matters: float, together: int
) -> Iterator[Block]:
    """Show what is known of each test error, then every other metric that changed.

    Parameters
    ----------
    old, new
        Revisions.
    answers
        For each model.
    matters
        Size of a change that matters.
    together
        Number of intervals that hold together.
    """
    yield Heading("Metrics")
    if same_test_images(old, new):
        yield from _test_errors(old, new, answers, matters, together)
    yield from _other_metrics(old, new)


def _test_errors(
    old: Results, new: Results, answers: Answers, matters: float, together: int
) -> Iterator[Block]:
    rows = []
    for model, answer in answers.items():
        (actual, before), (_, after) = old.predictions(model), new.predictions(model)
        _, _, p = scores.mcnemar(actual, after, before)
        rows.append(
            [
                model.name,
                answer.verdict,
                *(draws(results, model) for results in (old, new)),
                in_points(answer),
                *(f"{model.of(results.metrics)['test_error']:.4f}" for results in (old, new)),
                f"{p:.2g}",
            ]
        )
    at_once = f" The {together} intervals of this page hold together at 95 %." * (together > 1)
    yield Table(
        "Test errors",
        [
            "",
            "verdict",
            "draws, old",
            "draws, new",
            "change on draws, points",
            "study, old",
            "study, new",
            "p (McNemar)",
        ],
        rows,
        6,
    )
    how = Text(
        "The verdict answers one question: by how much does the test error of the winner's "
        "settings change on new training images, new first weights and new test images? Every "
        "winner was fitted to other draws of training images; the table has mean ± standard "
        "deviation of their errors. Both revisions are compared draw by draw and image by image."
        f"{at_once} A change of {points(matters)} matters. The search for the winner is not "
        "repeated."
    )
    own = Text(
        "The study's own fits have one test, McNemar's: do these two fitted models differ on these "
        "images? It decides nothing."
    )
    yield Folded("How this is decided", [how, own])


def _other_metrics(old: Results, new: Results) -> Iterator[Block]:
    before, after = (dict(flat(results.metrics)) for results in (old, new))
    test_errors = {".".join((*model.path, "test_error")) for model in MODELS}
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
    verdict = verdicts.judge(changes)
    table = Table(
        "",
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
    decided = [f"`{key}`" for key in moved if verdict.get(key) == verdicts.DIFFERS]
    if decided:
        yield Text(f"These differ on these images, too: {', '.join(decided)}.")
    caveat = [Text(CAVEAT)] if verdict else []
    yield Folded("Other metrics that changed", [table, *caveat])


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


def _difference(old: Any, new: Any) -> str:
    """Format the difference of two numbers; empty if one is no number."""
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in (old, new)):
        return ""
    return f"{new - old:+.6g}"
