"""From image files of any kind to images as the models know them: bright on black.

What stands out from the background is cut out, scaled and put in the middle of black, as
Fashion-MNIST's images were made of photos (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747,
section 2). The brightest pixel is made white: in Fashion-MNIST every image has one of 254 or 255.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from stages.errors import UserError
from stages.learn.images import WHITE, Bytes, Pixels

# Pillow knows more, but some of them it hands to other programs.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
NEAR = 0.05 * WHITE  # what differs less from the background belongs to it; the paper's figure
NOISE = 5  # times what most of a background differs from a plane through it
CORNER = 0.07  # of a side: of an image of Fashion-MNIST, a pixel
SLOPE = 0.2 * WHITE  # a corner that differs more from the others shows part of the thing
FINE = 8  # pixels on a side that are looked at for one of the model's; more are averaged
WHITE_OF_16_BITS = 2**16 - 1
SHADES = " .:-=+*#%@"


class Photo(NamedTuple):
    """An image file, as a model is shown it.

    Attributes
    ----------
    image : uint8 array of shape (height, width)
        0 is background.
    read_as
        How it was read, in words.
    """

    image: Bytes
    read_as: str


def read(path: Path, shape: tuple[int, int], as_is: bool = False) -> Photo:
    """Read an image file.

    Parameters
    ----------
    path
        One of `FORMATS`; of several pictures in it the first counts.
    shape
        Height and width of the images that the model knows. A picture of this size is taken as it
        is, or, if its background is light, inverted.
    as_is
        Whether those of other sizes too are only scaled and inverted, nothing cut off.

    Raises
    ------
    UserError
        If it is no image, or shows nothing.
    """
    name = printable(path)
    try:
        if not path.is_file():
            raise ValueError("there is no file of this name")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are odd, and the like
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                size, steps = _size_and_first_steps(file)
                grey = _grey(ImageOps.exif_transpose(file), shape, steps)
    except UnidentifiedImageError:
        formats = ", ".join(FORMATS)
        raise UserError(f"{name} is not an image of a known kind ({formats}).") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        megapixels = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise UserError(
            f"{name} has more than {megapixels} million pixels: make it smaller first."
        ) from None
    # There is no end to what a damaged file can lead Pillow to raise.
    except Exception as error:
        message = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join(message.split()).rstrip(".")
        raise UserError(f"{name} cannot be read as an image: {reason}.") from None
    image = _bright_on_black(grey, shape, as_is or size == shape, size[0] / len(grey), steps)
    if not np.ptp(image):
        raise UserError(f"{name} shows nothing: no part of it stands out from its background.")
    return Photo(image, ", ".join(steps))


def printable(path: Path) -> str:
    """A file's name as a terminal can show it: "?" for what is no letter there."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(path))


def _size_and_first_steps(file: Image.Image) -> tuple[tuple[int, int], list[str]]:
    """Height and width of a picture as it is to be seen, and the first steps of its reading."""
    width, height = file.size
    orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    steps = [f"{width}×{height}"]
    if (pictures := getattr(file, "n_frames", 1)) > 1:
        steps.append(f"first of {pictures} pictures")
    if orientation in range(2, 9):
        steps.append("turned as its camera says")
    return (height, width), steps


def _grey(picture: Image.Image, shape: tuple[int, int], steps: list[str]) -> Pixels:
    """Grey values from 0 to 255 of a picture, large ones made smaller; adds to the steps."""
    if picture.mode.startswith(("I", "F")):  # more than eight bits, of which Pillow cuts some
        picture = _of_eight_bits(np.asarray(picture))
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    factor = max(picture.width // (FINE * shape[1]), picture.height // (FINE * shape[0]))
    picture = picture.reduce(max(1, factor))
    values = np.asarray(picture)
    steps.append("colour" if np.ptp(values[..., :3], axis=2).any() else "grey")
    alpha = values[..., 3:]
    if (alpha < WHITE).any():
        on_white = _flattened(picture, "white")
        # White is what is behind a photo's thing, if that is not white itself.
        is_white = np.median(on_white[alpha[..., 0] > 0]) > WHITE - NEAR
        steps.append(f"transparent, on {'black' if is_white else 'white'}")
        return _flattened(picture, "black") if is_white else on_white
    return np.asarray(picture.convert("L"), dtype=np.float64)


def _of_eight_bits(values: Pixels) -> Image.Image:
    """Grey values of more than eight bits as eight: of 16, or else from the least to the most."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some of its pixels are no numbers")
    if values.dtype.kind in "iu" and low >= 0 and high <= WHITE_OF_16_BITS:
        low, high = 0, WHITE_OF_16_BITS
    scaled = (values.astype(np.float64) - low) * (WHITE / ((high - low) or 1))
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def _flattened(picture: Image.Image, colour: str) -> Pixels:
    """Grey values of a transparent picture on a background of this colour."""
    background = Image.new("RGBA", picture.size, colour)
    background.alpha_composite(picture)
    return np.asarray(background.convert("L"), dtype=np.float64)


def _bright_on_black(
    grey: Pixels, shape: tuple[int, int], as_is: bool, scale: float, steps: list[str]
) -> Bytes:
    """The image of a picture; all of one value if nothing is to be seen; adds to the steps."""
    light, background, noise = _background(grey)
    steps.append("light background, inverted" if light else "dark background")
    if as_is:
        return _fitted(WHITE - grey if light else grey, shape)
    # Of what is here darker and there brighter than the background, both count.
    thing = np.abs(grey - background)
    thing[thing <= max(NEAR, noise)] = 0
    if not thing.any():
        return np.zeros(shape, dtype=np.uint8)
    rows, columns = (np.flatnonzero(thing.any(axis=axis)) for axis in (1, 0))
    thing = thing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if thing.shape != grey.shape:
        height, width = (round(scale * side) for side in thing.shape)  # in pixels of the file
        steps.append(f"cut to {width}×{height}")
    contrast = WHITE / thing.max()
    if contrast > 1 + NEAR / WHITE:
        steps.append(f"contrast ×{contrast:.1f}")
    return _fitted(contrast * thing, shape)


def _background(grey: Pixels) -> tuple[bool, Pixels, float]:
    """Whether a background is light, its grey values, and by how much they vary at most.

    A plane through the corners, for light may come from a side. Of each of the 70,000 images of
    Fashion-MNIST, and of these inverted, the median of the corners says rightly whether the
    background is light.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    corners = (np.abs(axes) > 1 - CORNER).all(axis=0)
    plane = np.stack([np.ones_like(grey), *axes], axis=-1)
    values = grey[corners]
    median = float(np.median(values))
    is_background = np.abs(values - median) <= SLOPE
    slopes, *_ = np.linalg.lstsq(plane[corners][is_background], values[is_background] - median)
    background = np.clip(median + plane @ slopes, 0, WHITE)
    noise = NOISE * float(np.percentile(np.abs(values - background[corners]), 70))
    return median > WHITE / 2, background, noise


def _fitted(thing: Pixels, shape: tuple[int, int]) -> Bytes:
    """Scaled until it fits, its sides in proportion, in the middle of black."""
    scale = min(whole / side for whole, side in zip(shape, thing.shape, strict=True))
    height, width = (max(1, round(scale * side)) for side in thing.shape)
    picture = Image.fromarray(np.round(thing).astype(np.uint8))
    image = np.zeros(shape, dtype=np.uint8)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    scaled = picture.resize((width, height), Image.Resampling.BOX)
    image[top : top + height, left : left + width] = np.asarray(scaled)
    return image


def letters(image: Bytes, columns: int = 80) -> str:
    """An image drawn in letters, two to a pixel, as those are half as wide as high.

    Parameters
    ----------
    image : uint8 array of shape (height, width)
    columns
        Letters that fit into a line; a larger image is made smaller.
    """
    picture = Image.fromarray(image).reduce(-(-2 * image.shape[1] // columns))
    levels = np.round(np.asarray(picture) * ((len(SHADES) - 1) / WHITE)).astype(int)
    return "\n".join("".join(2 * SHADES[level] for level in row).rstrip() for row in levels)
