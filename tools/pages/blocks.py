"""Blocks of a page, which `markdown` and `web` render.

Text is plain, except for **two stars** around bold text and `back ticks` around code.
"""

from typing import Any, NamedTuple

from stages.learn.images import Bytes


class Heading(NamedTuple):
    """A title and its level: 1 is the title of the page."""

    text: str
    level: int = 2


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Verdict(NamedTuple):
    """The main finding of a page."""

    text: str


class Caution(NamedTuple):
    """A warning that limits what the page's results mean."""

    text: str


class Table(NamedTuple):
    """A table.

    Attributes
    ----------
    rows
        Rows of as many cells as the head has.
    numbers
        Number of columns, counted from the last, that hold numbers.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    numbers: int = 0


class Folded(NamedTuple):
    """Blocks that the HTML page shows only when the reader opens them.

    Attributes
    ----------
    blocks
        What is folded away.
    level
        Level of the title as a heading; 0 if it is none.
    """

    title: str
    blocks: list[Any]
    level: int = 0


class Bars(NamedTuple):
    """A bar chart of characters, for Markdown only.

    Attributes
    ----------
    series
        Values in the order of the names, by revision.
    """

    title: str
    names: list[str]
    series: dict[str, list[float]]


class Chart(NamedTuple):
    """A Vega-Lite chart, for HTML only; `colours` says which of its colours suit the page."""

    title: str
    spec: dict[str, Any]


def chart(title: str, subtitle: Any, values: list[dict[str, Any]], plot: dict[str, Any]) -> Chart:
    """Draw values; a subtitle may have several lines."""
    head = {"text": title, "subtitle": subtitle, "anchor": "start", "offset": 12}
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return Chart(title, {"$schema": schema, "title": head, "data": {"values": values}, **plot})


class Picture(NamedTuple):
    """A PNG file, for HTML only."""

    title: str
    content: bytes


class Gallery(NamedTuple):
    """Images of the dataset, each with a caption, for HTML only.

    Attributes
    ----------
    images : uint8 array of shape (n_images, height, width)
        Pixels, of which 0 is drawn white and 255 black.
    """

    title: str
    images: Bytes
    captions: list[str]


Block = Heading | Text | Verdict | Caution | Table | Folded | Bars | Chart | Picture | Gallery
