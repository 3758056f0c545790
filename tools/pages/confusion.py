"""Confusion matrices, and their difference between two models."""

import numpy as np

from stages.learn.images import Labels
from tools.pages import colours
from tools.pages.blocks import Block, Chart, Folded, Table, chart

PAIRS_NAMED = 10


def matrix(classes: int, actual: Labels, predicted: Labels) -> Labels:
    """Count the images of each class by predicted class.

    Returns
    -------
    int64 array of shape (n_classes, n_classes)
        Confusion matrix, whose rows are true labels.
    """
    cells = np.bincount(actual * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes)


def compared(names: list[str], old: Labels, new: Labels) -> list[Block]:
    """Show two matrices in one table, and their difference as a chart.

    Parameters
    ----------
    names
        Names of the classes.
    old, new : int64 arrays of shape (n_classes, n_classes)
    """
    title = "Confusion matrix, old → new where they differ; rows are true labels"
    return [
        Folded(title, [Table("", ["", *names], changes(names, old, new), len(names))]),
        _chart(names, new - old),
    ]


def changes(names: list[str], old: Labels, new: Labels) -> list[list[str]]:
    """Return rows of a table of two matrices; a cell shows one number where both agree."""
    return [
        [name, *(str(a) if a == b else f"{a} → {b}" for a, b in zip(*pair, strict=True))]
        for name, *pair in zip(names, old.tolist(), new.tolist(), strict=True)
    ]


def _chart(names: list[str], difference: Labels) -> Chart:
    """Draw the difference of two matrices, in the colours of better and worse."""
    largest = int(np.abs(difference).max()) or 1
    values = [
        {
            "actual": names[i],
            "predicted": names[j],
            "moved": int(difference[i, j]),
            # More images on the diagonal are better, more off the diagonal are worse.
            "worse": int(difference[i, j] if i != j else -difference[i, j]),
        }
        for i, j in np.ndindex(difference.shape)
    ]
    axis = {"type": "nominal", "sort": names}
    plot = {
        "transform": [
            {"calculate": "datum.moved > 0 ? '+' + datum.moved : '' + datum.moved", "as": "change"}
        ],
        "width": {"step": 44},
        "height": {"step": 26},
        "encoding": {
            "x": {**axis, "field": "predicted", "title": "predicted label"},
            "y": {**axis, "field": "actual", "title": "true label"},
        },
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": {
                        "field": "worse",
                        "type": "quantitative",
                        "scale": {
                            "domain": [-largest, 0, largest],
                            "range": [colours.BETTER, colours.PAGE, colours.WORSE],
                            "interpolate": "rgb",
                        },
                        "legend": None,
                    }
                },
            },
            {
                "transform": [{"filter": "datum.moved != 0"}],
                "mark": "text",
                "encoding": {
                    "text": {"field": "change", "type": "nominal"},
                    "color": {
                        "condition": {
                            "test": f"abs(datum.worse) > {0.5 * largest}",
                            "value": "#101010",
                        },
                        "value": colours.INK,
                    },
                },
            },
        ],
    }
    subtitle = "Cell: change in the number of images. Green is better, purple is worse"
    return chart("Difference of the confusion matrices, new minus old", subtitle, values, plot)


def most_confused(names: list[str], counts: Labels) -> list[list[str]]:
    """Return the most frequent confusions of a true class with another class.

    Returns
    -------
    list of [str, str, str]
        True label, predicted label, number of images.
    """
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS_NAMED]
    cells = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [[names[i], names[j], str(wrong[i, j])] for i, j in cells if wrong[i, j]]
