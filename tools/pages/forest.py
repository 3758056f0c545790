"""A forest plot: changes with their intervals, in the colours and shapes of their verdicts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from stages.learn.paired import BETTER, WORSE
from tools.pages import colours
from tools.pages.blocks import Chart, chart

WIDTH, STEP = 640, 36  # pixels
POINTS = 100  # a point is a hundredth: one test image in a hundred
COLOURS = {BETTER: colours.BETTER, WORSE: colours.WORSE}
SHAPES = {BETTER: "triangle-left", WORSE: "triangle-right"}


class Row(NamedTuple):
    """A line of the plot.

    Attributes
    ----------
    panel
        Heading of the lines that it stands with; empty if there are no panels.
    name
        What changed.
    verdict
        What is said of it.
    change
        New error minus old error, and half the width of its interval; None if there is neither.
    """

    panel: str
    name: str
    verdict: str
    change: tuple[float, float] | None


def forest(title: str, rows: Sequence[Row], matters: float) -> Chart:
    """Draw changes of test errors, with zero and the size that matters marked."""
    intervals = [
        (POINTS * (difference - margin), POINTS * (difference + margin))
        for difference, margin in (row.change or (0.0, 0.0) for row in rows)
    ]
    values = [
        {
            "panel": row.panel,
            "name": row.name,
            "verdict": row.verdict,
            "known": row.change is not None,
            "at": (low + high) / 2,
            "low": low,
            "high": high,
            "matters": POINTS * matters,
        }
        for row, (low, high) in zip(rows, intervals, strict=True)
    ]
    lowest, highest = (
        f([at for interval in intervals for at in interval] + [side * POINTS * matters])
        for f, side in ((min, -1), (max, 1))
    )
    width = highest - lowest
    ends = [lowest - 0.1 * width, highest + 0.35 * width]  # on the right there are words
    panels = list(dict.fromkeys(row.panel for row in rows))
    plot: dict[str, Any] = {
        "width": WIDTH,
        "height": {"step": STEP},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 320, "ticks": False, "domain": False, "grid": False},
            }
        },
        "layer": _layers(ends),
    }
    subtitle = [
        "A point is one test image in a hundred. Left of zero is better.",
        f"Grey: changes of less than {points(matters)}, which do not matter.",
    ]
    if panels == [""]:
        return chart(title, subtitle, values, plot)
    panel = {
        "field": "panel",
        "type": "nominal",
        "sort": panels,
        "title": None,
        "header": {"orient": "top", "labelAnchor": "start", "labelFontWeight": "bold"},
    }
    return chart(title, subtitle, values, {"facet": {"row": panel}, "spec": plot})


def points(size: float) -> str:
    """Format a size in points."""
    return f"{POINTS * size:g} point{'s' * (POINTS * size != 1)}"


def _layers(ends: list[float]) -> list[dict[str, Any]]:
    """What matters, zero, intervals, estimates and verdicts, one above the other."""
    x = {
        "type": "quantitative",
        "title": "change in points",
        "scale": {"domain": ends, "nice": False},
        "axis": {"grid": False, "tickCount": 7},
    }
    known = [{"filter": "datum.known"}]
    colour = {
        "condition": [
            {"test": f"datum.verdict === '{verdict}'", "value": value}
            for verdict, value in COLOURS.items()
        ],
        "value": colours.NEITHER,
    }
    shape = {
        "condition": [
            {"test": f"datum.verdict === '{verdict}'", "value": value}
            for verdict, value in SHAPES.items()
        ],
        "value": "circle",
    }
    return [
        {
            "transform": [{"calculate": "-datum.matters", "as": "from"}],
            "mark": {"type": "bar", "color": colours.NEITHER, "opacity": 0.16, "height": STEP},
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "matters"}},
        },
        {
            "mark": {"type": "rule", "color": colours.INK},
            "encoding": {"x": {"datum": 0, "type": "quantitative"}, "y": None},
        },
        {
            "transform": known,
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "color": colour,
            },
        },
        {
            "transform": known,
            "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
            "encoding": {"x": {**x, "field": "at"}, "color": colour, "shape": shape},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 10},
            "encoding": {"x": {**x, "field": "high"}, "text": {"field": "verdict"}},
        },
    ]
