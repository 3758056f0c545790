"""A page as Markdown, complete without pictures."""

import re
from collections.abc import Sequence

from tools.pages.blocks import (
    Bars,
    Block,
    Caution,
    Chart,
    Gallery,
    Heading,
    Picture,
    Table,
    Text,
    Verdict,
)

WIDTH = 30  # letters of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉"


def render(blocks: Sequence[Block]) -> str:
    """Blocks as a Markdown document; charts and pictures are left to the page."""
    return "\n\n".join(filter(None, map(_of_block, blocks))) + "\n"


def _of_block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {escaped(text)}"
        case Text(text):
            return escaped(text)
        case Verdict(text) | Caution(text):
            return f"**{escaped(text)}**"
        case Table():
            return f"{escaped(block.title)}\n\n{table(block.head, block.rows, block.numbers)}"
        case Bars(title, names, series):
            return _bars(title, names, series)
        case Chart() | Picture() | Gallery():
            return ""


def table(head: list[str], rows: list[list[str]], numbers: int) -> str:
    """A table whose last columns are numbers."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    first, *others = ([escaped(cell) for cell in row] for row in (head, *rows))
    lines = [first, rule, *others]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bars(title: str, names: list[str], series: dict[str, list[float]]) -> str:
    """Bars from just below the least value to the largest: differences would else not be seen."""
    lengths = [value for values in series.values() for value in values]
    low, high = min(lengths), max(lengths)
    low -= (high - low or 1) / WIDTH
    name_width, revision_width = (max(map(len, texts)) for texts in (names, series))
    lines = [
        f"{name:<{name_width}}  {revision:<{revision_width}}  {value:.4f} "
        f"{_bar((value - low) / (high - low))}"
        for name, *values in zip(names, *series.values(), strict=True)
        for revision, value in zip(series, values, strict=True)
    ]
    text = "\n".join(line.replace("`", "'").replace("\n", " ").rstrip() for line in lines)
    return f"{escaped(title)} (bars begin at {low:.4f})\n\n```text\n{text}\n```"


def _bar(share: float) -> str:
    """A bar in eighths of a letter, for a share from 0 to 1 of the longest."""
    whole, eighths = divmod(round(share * WIDTH * 8), 8)
    return "█" * whole + EIGHTHS[eighths].strip()


def escaped(text: str) -> str:
    """Text as it is read, where Markdown, HTML or a table would see signs in it; code stays."""
    parts = re.split(r"(\*\*|`[^`]*`)", " ".join(text.split("\n")))
    plain = (re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", part) for part in parts[::2])
    marked = (part.replace("|", r"\|") for part in [*parts[1::2], ""])
    return "".join(a + b for a, b in zip(plain, marked, strict=True))
