"""Render a page as one HTML file, light or dark, that contains its charts and images."""

import base64
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path

import vl_convert
from PIL import Image

from stages.learn.images import Bytes
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
from tools.plots import VEGA_LITE

STYLE = Path(__file__).with_name("page.css")
LONG_CELL = 40  # characters; a longer cell gets a wide column
ZOOM = 3  # pixels on the screen for each pixel of an image


def render(blocks: Sequence[Block]) -> str:
    """Render blocks as an HTML document."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(filter(None, map(_of_block, blocks)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _of_block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{inline(text)}</p>"
        case Verdict(text):
            return f'<p class="verdict">{inline(text)}</p>'
        case Caution(text):
            return f'<p class="caution"><strong>{inline(text)}</strong></p>'
        case Table():
            return _table(block)
        case Bars():
            return ""
        case Chart(title, spec):
            svg = vl_convert.vegalite_to_svg(spec | {"background": "white"}, VEGA_LITE)
            return _figure(title, embedded("image/svg+xml", svg.encode()))
        case Picture(title, content):
            return _figure(title, embedded("image/png", content))
        case Gallery():
            return _gallery(block)


def inline(text: str) -> str:
    """Render text with **bold** and `code`."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def _scrolling(tag: str, title: str, content: str, kind: str) -> str:
    """Wrap content that may be wider than the page, so that mouse and keys can scroll it."""
    return (
        f'<{tag} class="{kind} scrolls" tabindex="0" role="group" '
        f'aria-label="{html.escape(title)}">{content}</{tag}>'
    )


def _table(block: Table) -> str:
    first_number = len(block.head) - block.numbers

    def line(cells: list[str], tag: str) -> str:
        kinds = [
            "number" if i >= first_number else "long" if len(cell) > LONG_CELL else "text"
            for i, cell in enumerate(cells)
        ]
        # An empty head is no header cell.
        tags = [tag if cell else "td" for cell in cells]
        return "".join(
            f"<{tag} class={kind}>{inline(cell)}</{tag}>"
            for tag, kind, cell in zip(tags, kinds, cells, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in block.rows)
    rows = f"<thead><tr>{line(block.head, 'th')}</tr></thead><tbody>{body}</tbody>"
    title = inline(block.title)
    if block.folded:
        table = _scrolling("div", block.title, f"<table>{rows}</table>", "table")
        return f"<details><summary>{title}</summary>{table}</details>"
    caption = f"<caption>{title}</caption>"
    return _scrolling("div", block.title, f"<table>{caption}{rows}</table>", "table")


def _figure(title: str, address: str) -> str:
    picture = f'<img src="{address}" alt="{html.escape(title)}">'
    return _scrolling("figure", title, picture, "chart")


def _gallery(block: Gallery) -> str:
    height, width = (ZOOM * side for side in block.images.shape[1:])
    items = "".join(
        f'<li><img src="{embedded("image/png", png(image))}" alt="" '
        f'width="{width}" height="{height}"><span>{html.escape(caption)}</span></li>'
        for image, caption in zip(block.images, block.captions, strict=True)
    )
    return f"<figure><figcaption>{inline(block.title)}</figcaption><ul>{items}</ul></figure>"


def png(image: Bytes) -> bytes:
    """Encode an image of the dataset as PNG, with 0 as white."""
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, "PNG", optimize=True)
    return file.getvalue()


def embedded(kind: str, content: bytes) -> str:
    """Return a data: URL that contains the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
