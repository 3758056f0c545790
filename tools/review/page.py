"""Build the review page: cautions, verdict, changes, and their effects on the results."""

from collections.abc import Iterator

from tools.pages.blocks import Block, Caution, Chart, Heading, Table, Text, Verdict
from tools.pages.results import Results, plots
from tools.review import classes, clusters, metrics, searches
from tools.review.metrics import as_written


def review(old: Results, new: Results) -> list[Block]:
    """Return all blocks of the review."""
    errors = metrics.error_changes(old, new)
    charts = changed_charts(old, new)
    return [
        Heading(f"Review: {old.name} → {new.name}", 1),
        *cautions(old, new),
        Verdict(metrics.overall(errors)),
        *what_changed(old, new),
        *metrics.metrics(old, new, errors),
        *(block for model in errors for block in classes.by_class(old, new, model, charts)),
        *searches.networks(old, new, charts),
        *searches.kernels(old, new, charts),
        *clusters.clusters(old, new, charts),
        *remaining(charts),
    ]


def cautions(old: Results, new: Results) -> Iterator[Block]:
    """Warn of differences that make the results incomparable."""
    if old.data != new.data:
        yield Caution(
            f"The revisions use different data: {old.name} has {old.metrics['data']['dataset']}, "
            f"{new.name} has {new.metrics['data']['dataset']}, and the raw files differ. Their "
            "errors come from different images."
        )
    counts = [
        f"`{key}` {count} → {new.params.get(key)}"
        for key, count in old.params.items()
        if key.endswith("samples") and count != new.params.get(key)
    ]
    if counts:
        yield Caution(f"The sample counts differ: {', '.join(counts)}.")
    if old.data == new.data and not metrics.same_test_images(old, new):
        yield Caution("The test images or their order differ, although the raw files are the same.")
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


def changed_charts(old: Results, new: Results) -> dict[str, list[Chart]]:
    """Return DVC's charts of each table that differs, with both revisions, by the table's path."""
    specs = plots(old, new)
    charts: dict[str, list[Chart]] = {}
    for results in (old, new):
        for path, title in results.charts.items():
            if old.content(path) != new.content(path) and title in specs:
                charts.setdefault(path, []).append(Chart(title, specs.pop(title)))
    return charts
