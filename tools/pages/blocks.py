"""What a page is made of, whether it is written as Markdown or as HTML.

Text is plain, but for **two stars** around what is bold and `back ticks` around what is code.
"""

from typing import Any, NamedTuple

from stages.learn.images import Bytes


class Heading(NamedTuple):
    """A title, and how deep it lies: 1 for that of the page."""

    text: str
    level: int = 2


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Verdict(NamedTuple):
    """The sentence that a page is read for."""

    text: str


class Caution(NamedTuple):
    """What is to be known before anything else is believed."""

    text: str


class Table(NamedTuple):
    """A table.

    Attributes
    ----------
    rows
        As many cells as the head has.
    numbers
        So many columns, the last ones, are numbers.
    folded
        Whether it is long, and shown where the reader asks for it.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    numbers: int = 0
    folded: bool = False


class Bars(NamedTuple):
    """Bars drawn with letters, where there are no pictures.

    Attributes
    ----------
    series
        A value for each name, by revision.
    """

    title: str
    names: list[str]
    series: dict[str, list[float]]


class Chart(NamedTuple):
    """A Vega-Lite chart, where there are pictures."""

    title: str
    spec: dict[str, Any]


class Picture(NamedTuple):
    """A PNG file, where there are pictures."""

    title: str
    content: bytes


class Gallery(NamedTuple):
    """Images of the dataset, each with a caption, where there are pictures.

    Attributes
    ----------
    images : uint8 array of shape (n_images, height, width)
        0 is drawn white, 255 black.
    """

    title: str
    images: Bytes
    captions: list[str]


Block = Heading | Text | Verdict | Caution | Table | Bars | Chart | Picture | Gallery
