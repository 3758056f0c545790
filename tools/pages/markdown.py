"""Render a page as Markdown, complete without pictures."""

import re
from collections.abc import Sequence

from tools.pages.blocks import (
    Bars,
    Block,
    Caution,
    Chart,
    Folded,
    Gallery,
    Heading,
    Picture,
    Table,
    Text,
    Verdict,
)

WIDTH = 30  # characters of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉"


def render(blocks: Sequence[Block]) -> str:
    """Render blocks as a Markdown document, without charts and pictures."""
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
            rows = table(block.head, block.rows, block.numbers)
            return "\n\n".join(filter(None, [escaped(block.title), rows]))
        case Folded(title, blocks, level):
            return f"{'#' * level} {escaped(title)}".strip() + f"\n\n{render(blocks)}".rstrip()
        case Bars(title, names, series):
            return _bars(title, names, series)
        case Chart() | Picture() | Gallery():
            return ""


def table(head: list[str], rows: list[list[str]], numbers: int) -> str:
    """Render a table, whose last columns hold numbers."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    first, *others = ([escaped(cell) for cell in row] for row in (head, *rows))
    lines = [first, rule, *others]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bars(title: str, names: list[str], series: dict[str, list[float]]) -> str:
    """Draw bars that begin just below the smallest value, so that differences are visible."""
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
    """Draw a bar to an eighth of a character, for a share from 0 to 1 of the longest bar."""
    whole, eighths = divmod(round(share * WIDTH * 8), 8)
    return "█" * whole + EIGHTHS[eighths].strip()


def escaped(text: str) -> str:
    """Escape what Markdown, HTML or a table would interpret; code stays as it is."""
    parts = re.split(r"(\*\*|`[^`]*`)", " ".join(text.split("\n")))
    plain = (re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", part) for part in parts[::2])
    marked = (part.replace("|", r"\|") for part in [*parts[1::2], ""])
    return "".join(a + b for a, b in zip(plain, marked, strict=True))
