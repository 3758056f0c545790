"""Pictures of images, as PNG with the same bytes everywhere.

matplotlib draws them with its own font, without the user's settings, dates and version. DVC draws
the charts of tables, from `plots/*.csv`.
"""

import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.learn.images import Bytes, Pixels

DPI = 100
POINTS = {"title": 12, "heading": 10, "caption": 8}
LINE = {role: round(1.5 * points * DPI / 72) for role, points in POINTS.items()}  # pixels
LETTER = 10  # pixels of a letter of the title, about
IMAGE = 112  # pixels of an image's longer side, about
GAP = 10  # pixels between images
MARGIN = 20  # pixels around everything, and twice as many between blocks


class Block(NamedTuple):
    """Images in a grid.

    Attributes
    ----------
    images
        Shape (n_images, height, width); 0 is drawn white, 255 black.
    captions
        Written above the images; no caption where it is empty.
    columns
        Images in a row.
    heading
        Written above the block.
    """

    images: Bytes
    captions: list[str]
    columns: int
    heading: str = ""


def picture(title: str, blocks: list[Block]) -> bytes:
    """Draw blocks of images side by side.

    Parameters
    ----------
    title
        Written above all blocks.
    blocks
        Their images have one size.

    Returns
    -------
    bytes
        A PNG file.
    """
    shown = blocks[0].images.shape[1:]
    zoom = max(1, IMAGE // max(shown))
    height, width = (zoom * side for side in shown)
    lines = max((c.count("\n") + 1 for b in blocks for c in b.captions if c), default=0)
    top = MARGIN + LINE["title"] + GAP
    if any(block.heading for block in blocks):
        top += LINE["heading"] + GAP
    above = LINE["caption"] * lines  # each image
    right = MARGIN
    texts = [(MARGIN, MARGIN, title, "title", "left")]
    pasted = []
    bottom = top
    for block in blocks:
        texts.append((right, top - LINE["heading"] - GAP // 2, block.heading, "heading", "left"))
        for i, (image, caption) in enumerate(zip(block.images, block.captions, strict=True)):
            row, column = divmod(i, block.columns)
            x = right + column * (width + GAP)
            y = top + row * (above + height + GAP) + above
            pasted.append((x, y, image))
            texts.append((x + width // 2, y - above, caption, "caption", "center"))
            bottom = max(bottom, y + height)
        right += block.columns * (width + GAP) - GAP + 2 * MARGIN
    right = max(right - MARGIN, 2 * MARGIN + len(title) * LETTER)
    canvas = np.full((bottom + MARGIN, right), 255, dtype=np.uint8)
    for x, y, image in pasted:
        canvas[y : y + height, x : x + width] = 255 - image.repeat(zoom, 0).repeat(zoom, 1)
    return _png(canvas, texts)


def _png(canvas: Bytes, texts: list[tuple[int, int, str, str, str]]) -> bytes:
    # Importing matplotlib takes a third of a second; a stage that draws nothing does not wait.
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    file_of_font = Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    height, width = canvas.shape
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        # matplotlib draws a box for a letter that the font does not have.
        warnings.filterwarnings("ignore", "Glyph")
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.figimage(np.dstack([canvas] * 3))
        for x, y, text, role, align in texts:
            font = FontProperties(fname=file_of_font, size=POINTS[role])
            x, y = x / width, 1 - y / height
            figure.text(x, y, text, fontproperties=font, ha=align, va="top", parse_math=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def greys(values: Pixels, low: float, high: float) -> Bytes:
    """Numbers as grey values: `low` and below is 0, `high` and above is 255."""
    return np.round(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)
