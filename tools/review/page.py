"""Build the review page: cautions, verdict, changes, and their effects on the results."""

from collections.abc import Iterable, Iterator
from typing import Any

from tools.pages.blocks import Block, Caution, Chart, Folded, Heading, Table, Text, Verdict
from tools.pages.results import Results, of_two, plots
from tools.review import classes, clusters, metrics, searches
from tools.review.answers import answers as of_models
from tools.review.answers import intervals, same_test_images
from tools.review.metrics import as_written


def review(old: Results, new: Results, matters: float) -> list[Block]:
    """Return all blocks of the review, in which a change of a test error of this size matters."""
    (answers,) = of_models(old, [new], matters)
    return [
        Heading(f"Review: {old.name} → {new.name}", 1),
        *cautions(old, new),
        Verdict(metrics.overall(answers, matters)),
        *metrics.forest(answers, old.name, matters),
        *details(old, new, answers, matters, intervals([answers]), plots([old, new])),
    ]


def details(
    old: Results,
    new: Results,
    answers: metrics.Answers,
    matters: float,
    together: int,
    specs: dict[str, dict[str, Any]],
) -> list[Block]:
    """Return what a review shows below its verdict; all but the causes and the errors is folded.

    Parameters
    ----------
    old, new
        Revisions.
    answers
        For each model.
    matters
        Size of a change of a test error that matters.
    together
        Number of intervals of the page, which hold together.
    specs
        DVC's charts of these revisions, and perhaps of more.
    """
    comparable = answers if same_test_images(old, new) else ()
    charts = changed_charts(old, new, specs)
    sections = [
        *(classes.by_class(old, new, model, charts) for model in comparable),
        searches.networks(old, new, charts),
        searches.kernels(old, new, charts),
        clusters.clusters(old, new, charts),
    ]
    return [
        *what_changed(old, new),
        *metrics.metrics(old, new, answers, matters, together),
        *(block for section in sections for block in folded(section)),
        *folded(remaining(charts)),
    ]


def folded(section: Iterable[Block]) -> Iterator[Block]:
    """Fold the blocks of a section under its heading; yield nothing if it has none."""
    heading, *blocks = [*section] or [Heading("")]
    if isinstance(heading, Heading) and blocks:
        yield Folded(heading.text, blocks, heading.level)


def cautions(old: Results, new: Results) -> Iterator[Caution]:
    """Warn of differences that make the results incomparable."""
    if old.file_of("test_images") != new.file_of("test_images"):
        yield Caution(
            f"The revisions use different data: {old.name} has {old.metrics['data']['dataset']}, "
            f"{new.name} has {new.metrics['data']['dataset']}, and the raw files differ. Their "
            "errors come from different images."
        )
    elif not same_test_images(old, new):
        yield Caution("The test labels or their order differ, although the images are the same.")
    counts = [
        f"`{key}` {count} → {new.params.get(key)}"
        for key, count in old.params.items()
        if key.endswith("samples") and count != new.params.get(key)
    ]
    if counts:
        yield Caution(f"The sample counts differ: {', '.join(counts)}.")
    for results in (old, new):
        if results.stale:
            yield Caution(f"{results.name} is stale: {'; '.join(results.stale)}.")


def what_changed(old: Results, new: Results) -> Iterator[Block]:
    """List what changed in parameters, packages, code and data."""
    yield Heading("What changed")
    changes = list(_changes(old, new))
    yield from changes or [Text("Parameters, packages, code and data are the same.")]


def _changes(old: Results, new: Results) -> Iterator[Block]:
    """Yield a block for each kind of change."""
    for title, before, after in (
        ("Parameters", old.params, new.params),
        ("Packages", old.packages, new.packages),
    ):
        rows = [
            [f"`{key}`", as_written(before.get(key)), as_written(after.get(key))]
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]
        if rows:
            yield Table(title, ["", "old", "new"], rows)
    code = sorted(p for p in {*old.code, *new.code} if old.code.get(p) != new.code.get(p))
    if code:
        yield Text("Code: " + ", ".join(f"`{path}`" for path in code) + ".")
    if old.data != new.data:
        yield Text(f"Data: the hash of the raw files was `{old.data}` and is `{new.data}`.")


def remaining(charts: dict[str, list[Chart]]) -> Iterator[Block]:
    """Show the charts that no section has shown."""
    if charts:
        yield Heading("Other plots")
    for of_table in charts.values():
        yield from of_table


def changed_charts(
    old: Results, new: Results, specs: dict[str, dict[str, Any]]
) -> dict[str, list[Chart]]:
    """Return DVC's charts of each table that differs, with both revisions, by the table's path."""
    charts: dict[str, list[Chart]] = {}
    titles = list(dict.fromkeys((*old.charts.items(), *new.charts.items())))
    for path, title in titles:
        if old.content(path) != new.content(path) and title in specs:
            charts.setdefault(path, []).append(Chart(title, of_two(specs[title], old, new)))
    return charts
