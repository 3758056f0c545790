"""Colours of charts: each chart is drawn twice, for a light page and for a dark one.

Old results are blue and new ones vermilion, as in DVC's own plots; better is green, worse purple,
and what is neither is grey. All are of the palette of Okabe and Ito (2008: "Color universal
design"), which tells them apart without full colour vision. Signs and shapes say the same.
"""

from typing import Any, NamedTuple

BETTER, WORSE, NEITHER = "#009e73", "#cc79a7", "#7f8791"
INK, PAGE = "black", "white"  # in a chart: the colours of the page's text and ground
SERIES = ["#0072b2", "#d55e00", "#e69f00", "#56b4e9", INK, NEITHER]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]


class Theme(NamedTuple):
    """Colours of a page.

    Attributes
    ----------
    ink, quiet, line, page
        Of text, of less important text, of lines, of the ground.
    blues
        Of cells, from the smallest number to the largest.
    """

    ink: str
    quiet: str
    line: str
    page: str
    blues: list[str]


LIGHT = Theme(
    "#1f2328",
    "#59636e",
    "#d1d9e0",
    "#ffffff",
    ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"],
)
DARK = Theme(
    "#e6edf3",
    "#9fa8b3",
    "#3d444d",
    "#0d1117",
    ["#101b2c", "#16345a", "#2f6fb5", "#6aaae8", "#b6dbff"],
)


def themed(chart: Any, theme: Theme) -> Any:
    """Give a chart, or a part of one, the colours of a page; its data stay as they are."""
    if isinstance(chart, list):
        return [themed(part, theme) for part in chart]
    if isinstance(chart, dict):
        parts = {
            key: part if key == "values" else themed(part, theme) for key, part in chart.items()
        }
        if parts.pop("scheme", None) == "blues":
            parts["range"] = theme.blues
        return parts
    return {INK: theme.ink, PAGE: theme.page}.get(chart, chart) if isinstance(chart, str) else chart


def config(theme: Theme) -> dict[str, Any]:
    """Return Vega-Lite's settings for all that a chart does not colour itself."""
    labels = {"labelColor": theme.ink, "titleColor": theme.ink}
    return {
        "background": "transparent",
        "title": {"color": theme.ink, "subtitleColor": theme.quiet},
        "axis": {
            **labels,
            "domainColor": theme.quiet,
            "gridColor": theme.line,
            "tickColor": theme.quiet,
        },
        "header": labels,
        "legend": labels,
        "text": {"color": theme.ink},
        "view": {"stroke": theme.line},
    }
