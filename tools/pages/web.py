"""Render a page as one HTML file, light or dark, that contains its charts and images."""

import base64
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from joblib import Parallel, cpu_count, delayed
from markupsafe import Markup, escape
from PIL import Image

from stages.learn.images import Bytes
from tools.pages import colours
from tools.pages.blocks import Block, Chart, Folded, Heading
from tools.pages.colours import DARK, LIGHT
from tools.plots import VEGA_LITE

Drawing = tuple[str, str, float]  # of a light page and of a dark one, and their width


def render(blocks: Sequence[Block]) -> str:
    """Render blocks as an HTML document."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    charts = list(charts_of(blocks))
    # A drawing takes a tenth of a second; the page of a sweep has hundreds.
    drawings = Parallel(n_jobs=cpu_count())(delayed(drawn)(chart) for chart in charts)
    made = dict(zip(map(id, charts), drawings, strict=True))
    return _templates(made).get_template("page.html").render(title=title, blocks=blocks)


def charts_of(blocks: Iterable[Block]) -> Iterator[Chart]:
    """Yield the charts of a page, also the folded ones."""
    for block in blocks:
        if isinstance(block, Chart):
            yield block
        elif isinstance(block, Folded):
            yield from charts_of(block.blocks)


def _templates(made: dict[int, Drawing]) -> Environment:
    """Templates of this folder, and what they can do with a block; the drawings are made."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    templates.filters |= {
        "kind": lambda block: type(block).__name__,
        "inline": inline,
        "drawn": lambda chart: made[id(chart)],
        "png": png,
        "embedded": embedded,
    }
    return templates


def inline(text: str) -> Markup:
    """Render text with **bold** and `code`."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", text))


def drawn(chart: Chart) -> Drawing:
    """Draw a chart for a light page and for a dark one; return both, and its width in pixels."""
    light, dark = (
        vl_convert.vegalite_to_svg(
            colours.themed(chart.spec, theme), VEGA_LITE, config=colours.config(theme)
        )
        for theme in (LIGHT, DARK)
    )
    found = re.search(r'<svg[^>]* width="([\d.]+)"', light)
    assert found
    of_light, of_dark = (embedded(svg.encode(), "image/svg+xml") for svg in (light, dark))
    return of_light, of_dark, float(found[1])


def png(image: Bytes) -> bytes:
    """Encode an image of the dataset as PNG, with 0 as white."""
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, "PNG", optimize=True)
    return file.getvalue()


def embedded(content: bytes, kind: str) -> str:
    """Return a data: URL that contains the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
