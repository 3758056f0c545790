"""What a person looks at before they merge: is the change real, and what does it look like?

    python -m tools.review main                # the workspace against main
    python -m tools.review main feature        # two branches, tags, commits or experiments

Writes review.md, complete without pictures, and review.html, one file with charts and images.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import stages  # noqa: F401 - before NumPy is loaded

# isort: split
import numpy as np

from stages.run.terminal import say
from tools.pages import classes, clusters, program, searches
from tools.pages.blocks import Block, Caution, Chart, Heading, Table, Text, Verdict
from tools.pages.results import MODELS, Model, Results, draws, plots
from tools.review import verdicts
from tools.review.verdicts import Change, ErrorChange
from tools.shared import differences
from tools.shared.arguments import Parser

CAVEAT = (
    "Whether a score in cross-validation or a silhouette would differ after other draws, or from "
    "other first centres, is not asked here: it differs on these images, or within their noise. "
    "Intervals are each for itself, verdicts adjusted for all (Holm)."
)

Errors = dict[Model, ErrorChange]


def review(old: Results, new: Results) -> list[Block]:
    """The whole review."""
    errors = test_errors(old, new)
    drawn = charts(old, new)
    return [
        Heading(f"Review: {old.name} → {new.name}", 1),
        *cautions(old, new),
        Verdict(verdict(errors)),
        *what_changed(old, new),
        *metrics(old, new, errors),
        *(block for model in errors for block in classes.by_class(old, new, model, drawn)),
        *searches.networks(old, new, drawn),
        *searches.kernels(old, new, drawn),
        *clusters.clusters(old, new, drawn),
        *others(drawn),
    ]


def cautions(old: Results, new: Results) -> Iterator[Block]:
    """What forbids to compare as if nothing else differed."""
    if old.data != new.data:
        yield Caution(
            f"Other data: {old.name} has {old.metrics['data']['dataset']}, {new.name} "
            f"{new.metrics['data']['dataset']}, with other files. Errors are not those of the same "
            "images."
        )
    for key in old.params:
        if key.endswith("samples") and old.params[key] != new.params.get(key):
            yield Caution(
                f"Other sample counts: `{key}` was {old.params[key]} and is {new.params.get(key)}."
            )
    if old.data == new.data and not same_tests(old, new):
        yield Caution("Other test images, or in another order, though the raw files are the same.")
    for results in (old, new):
        for sentence in results.stale:
            yield Caution(f"Stale: in {results.name}, {sentence}.")


def same_tests(old: Results, new: Results) -> bool:
    """Whether both were tried on the same test images."""
    (before, _), (after, _) = old.predictions(MODELS[0]), new.predictions(MODELS[0])
    return old.data == new.data and np.array_equal(before, after)


def test_errors(old: Results, new: Results) -> Errors:
    """What became of each model's test error; nothing if the test images are others."""
    if not same_tests(old, new):
        return {}
    changes = {}
    for model in MODELS:
        (actual, before), (_, after) = old.predictions(model), new.predictions(model)
        noise = [results.noise(model) for results in (old, new)]
        changes[model] = verdicts.of_errors(actual, before, after, *noise)
    return changes


def verdict(errors: Errors) -> str:
    """One sentence: what is real."""
    if not errors:
        return "Errors on other test images cannot be compared."
    by_word: dict[str, list[str]] = {}
    for model, word in verdicts.words_of(errors).items():
        change = errors[model]
        worse = "worse" if change.difference > 0 else "better"
        amount = f" {worse} by {abs(change.difference):.4f} ± {change.margin:.4f}"
        by_word.setdefault(word, []).append(model.name + amount * bool(change.difference))
    said = {
        verdicts.REAL: verdicts.REAL,
        verdicts.NOISE: verdicts.NOISE,
        verdicts.UNKNOWN: "not known how far it moves by chance",
        verdicts.NONE: "no difference in test error",
    }
    names = {
        word: "all three models"
        if len(of_word) == len(MODELS) and word == verdicts.NONE
        else ", ".join(of_word)
        for word, of_word in by_word.items()
    }
    sentence = "; ".join(f"{said[word]}: {names[word]}" for word in said if word in names)
    return f"{sentence[0].upper()}{sentence[1:]}."


def what_changed(old: Results, new: Results) -> Iterator[Block]:
    """Parameters, code, packages, data."""
    yield Heading("What changed")
    found = False
    for title, before, after in (
        ("Parameters", old.params, new.params),
        ("Packages", old.packages, new.packages),
    ):
        rows = [
            [f"`{key}`", said(before.get(key)), said(after.get(key))]
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]
        if rows:
            found = True
            yield Table(title, ["", "old", "new"], rows)
    code = sorted(p for p in {*old.code, *new.code} if old.code.get(p) != new.code.get(p))
    if code:
        found = True
        yield Text("Code: " + ", ".join(f"`{path}`" for path in code) + ".")
    if old.data != new.data:
        found = True
        yield Text(f"Data: the raw files were `{old.data}` and are `{new.data}`.")
    if not found:
        yield Text("Neither parameters, code, packages nor data.")


def said(value: Any) -> str:
    """A value of a parameter or metric, as it is written; – where there is none."""
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def metrics(old: Results, new: Results, errors: Errors) -> Iterator[Block]:
    """Test errors with both questions; all other metrics that moved."""
    yield Heading("Metrics")
    if errors:
        words = verdicts.words_of(errors)
        rows = [
            [
                model.name,
                words[model],
                *(f"{model.of(r.metrics)['test_error']:.4f}" for r in (old, new)),
                f"{change.difference:+.4f} ± {change.margin:.4f}",
                probability(change.p_images),
                *(draws(r.noise(model)) for r in (old, new)),
                probability(change.p_draws),
            ]
            for model, change in errors.items()
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
            f"{verdicts.LEVEL}, adjusted for {len(errors)} models after Holm."
        )
    before, after = (dict(differences.flat(r.metrics)) for r in (old, new))
    skipped = {".".join((*model.path, "test_error")) for model in errors}
    keys = [
        key
        for key in {**before, **after}
        if before.get(key) != after.get(key) and key not in skipped and not key.startswith("noise.")
    ]
    measured = intervals(old, new)
    word_of = verdicts.words_of(measured, verdicts.DIFFERS, verdicts.CHANCE)
    if keys:
        yield Table(
            "Other metrics that moved",
            ["", "verdict", "old", "new", "change", "interval at 95 %"],
            [
                [
                    f"`{key}`",
                    word_of.get(key, ""),
                    said(before.get(key)),
                    said(after.get(key)),
                    distance(before.get(key), after.get(key)),
                    searches.interval(measured.get(key)),
                ]
                for key in keys
            ],
            4,
        )
        yield Text(CAVEAT)
    else:
        yield Text("No other metric moved.")


def probability(p: float) -> str:
    """A p-value; – where there is none."""
    return "–" if p != p else f"{p:.2g}"


def distance(old: Any, new: Any) -> str:
    """How far a number moved; nothing if it is none."""
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in (old, new)):
        return ""
    return f"{new - old:+.6g}"


def intervals(old: Results, new: Results) -> dict[str, Change]:
    """Of metrics whose parts are in the tables, what became of them: by fold or by image."""
    found: dict[str, Change] = {}
    for key, winners in {
        "mlp.small.cv_accuracy": [searches.best_network(r, "small") for r in (old, new)],
        "mlp.large.cv_accuracy": [searches.best_network(r, "large") for r in (old, new)],
        "svm.cv_accuracy": [searches.best_kernel(r) for r in (old, new)],
    }.items():
        change = searches.of_folds(old, new, *winners)
        if change:
            found[key] = change
    if old.data == new.data:
        for key, k in (("silhouette", "clusters"), ("best_silhouette", "best_k")):
            images = [r.silhouettes(r.metrics["kmeans"][k])["silhouette"] for r in (old, new)]
            same_images = images[0].index.equals(images[1].index)
            before, after = (of_one.to_numpy() for of_one in images)
            found[f"kmeans.{key}"] = verdicts.of_silhouettes(before, after, same_images)
    return found


def others(drawn: dict[str, list[Chart]]) -> Iterator[Block]:
    """Charts that no section has shown."""
    if drawn:
        yield Heading("Other plots")
    for blocks in drawn.values():
        yield from blocks


def charts(old: Results, new: Results) -> dict[str, list[Chart]]:
    """DVC's charts of every table that differs, both revisions in each, by the table's path."""
    drawn = plots(old, new)
    found: dict[str, list[Chart]] = {}
    for results in (old, new):
        for path, title in results.charts.items():
            if old.content(path) != new.content(path) and title in drawn:
                found.setdefault(path, []).append(Chart(title, drawn.pop(title)))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Review, write both files, say the verdict."""
    options = parse(arguments)
    blocks = review(Results(options.base), Results(options.head))
    program.write(options.out, "review", blocks)
    for block in blocks:
        if isinstance(block, Caution | Verdict):
            say(block.text.replace("`", ""))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", metavar="BASE", help="what is to be compared with")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="default: the workspace")
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    program.run(main)
