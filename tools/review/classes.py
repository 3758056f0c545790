"""Compare a model's predictions in two revisions: which classes and images it gained and lost."""

from collections.abc import Iterator

import numpy as np

from stages.learn.images import Bytes, Labels
from tools.pages import confusion
from tools.pages.blocks import Block, Chart, Folded, Gallery, Heading, Table, Text
from tools.pages.results import WORKSPACE, Model, Results

SHOWN = 24  # images in each gallery


def by_class(
    old: Results, new: Results, model: Model, charts: dict[str, list[Chart]]
) -> Iterator[Block]:
    """Compare a model's predictions by class and by image; yield nothing if they are the same."""
    (actual, before), (_, after) = old.predictions(model), new.predictions(model)
    if (before == after).all():
        return
    names, classes = new.labels, range(len(new.labels))
    lost = (before == actual) & (after != actual)
    gained = (before != actual) & (after == actual)
    columns = {
        "images": np.full(len(actual), True),
        "right, old": before == actual,
        "right, new": after == actual,
        "gained": gained,
        "lost": lost,
    }
    yield Heading(f"By class: {model.name}")
    yield Table(
        "Test images of each class",
        ["", *columns],
        [
            [names[i], *(str(int((which & (actual == i)).sum())) for which in columns.values())]
            for i in classes
        ],
        len(columns),
    )
    old_matrix, new_matrix = (confusion.matrix(len(names), actual, x) for x in (before, after))
    yield from charts.pop(f"plots/{model.stem}_predictions.csv", [])
    yield from confusion.compared(names, old_matrix, new_matrix)
    pictures = new.test_images(actual)
    for direction, which in (("turned wrong", lost), ("turned right", gained)):
        rows = np.flatnonzero(which)
        yield from _turned(direction, rows, names, actual, before, after, pictures)
    if pictures is None:
        check_out = "" if new.name == WORKSPACE else f"check out {new.name}, "
        yield Text(
            f"Image numbers count from 0 in the test set. To see the images, {check_out}run "
            "`dvc pull data/prepared` or `dvc repro prepare`, and run the review again."
        )


def _turned(
    direction: str,
    rows: Labels,
    names: list[str],
    actual: Labels,
    before: Labels,
    after: Labels,
    pictures: Bytes | None,
) -> Iterator[Block]:
    """Show the test images that only one revision gets right, with both predictions."""
    if not len(rows):
        return
    groups: dict[tuple[int, int, int], list[str]] = {}
    for i in rows:
        groups.setdefault((actual[i], before[i], after[i]), []).append(str(i))
    table = Table(
        "",
        ["true label", "predicted, old", "predicted, new", "images", "image numbers"],
        [
            [*(names[label] for label in labels), str(len(numbers)), ", ".join(numbers)]
            for labels, numbers in sorted(groups.items(), key=lambda group: -len(group[1]))
        ],
    )
    yield Folded(f"{len(rows)} test images {direction}", [table])
    if pictures is not None:
        more = f", the first {SHOWN}" if len(rows) > SHOWN else ""
        yield Gallery(
            f"Images that {direction}{more}: image number, true label, old → new prediction",
            pictures[rows[:SHOWN]],
            [
                f"{i}: {names[actual[i]]}\n{names[before[i]]} → {names[after[i]]}"
                for i in rows[:SHOWN]
            ],
        )
