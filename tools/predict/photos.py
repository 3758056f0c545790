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
DEEP = 2**16 - 1  # white, in 16 bits
SHADES = " .:-=+*#%@"


class Photo(NamedTuple):
    """An image file, as a model is shown it.

    Attributes
    ----------
    image : uint8 array of shape (height, width)
        0 is background.
    how : str
        How it was read.
    """

    image: Bytes
    how: str


def read(path: Path, shape: tuple[int, int], as_is: bool = False) -> Photo:
    """Read an image file.

    Parameters
    ----------
    path : Path
        One of `FORMATS`; of several pictures in it the first counts.
    shape : tuple of int
        Height and width of the images that the model knows. A picture of this size is taken as it
        is, or, if its background is light, inverted.
    as_is : bool
        Whether those of other sizes too are only scaled and inverted, nothing cut off.

    Raises
    ------
    UserError
        If it is no image, or shows nothing.
    """
    name = shown(path)
    try:
        if not path.is_file():
            raise ValueError("there is no file of this name")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are odd, and the like
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                size, steps = _described(file)
                grey = _grey(ImageOps.exif_transpose(file), shape, steps)
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise UserError(f"{name} is not an image of a known kind ({known}).") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise UserError(
            f"{name} has more than {most} million pixels: make it smaller first."
        ) from None
    # There is no end to what a damaged file can lead Pillow to raise.
    except Exception as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        why = " ".join(said.split()).rstrip(".")
        raise UserError(f"{name} cannot be read as an image: {why}.") from None
    image = _image(grey, shape, as_is or size == shape, size[0] / len(grey), steps)
    if not np.ptp(image):
        raise UserError(f"{name} shows nothing: no part of it stands out from its background.")
    return Photo(image, ", ".join(steps))


def shown(path: Path) -> str:
    """A file's name as a terminal can show it: "?" for what is no letter there."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(path))


def _described(file: Image.Image) -> tuple[tuple[int, int], list[str]]:
    """Height and width of a picture as it is to be seen, and first words on how it is read."""
    width, height = file.size
    turned = file.getexif().get(ExifTags.Base.Orientation, 1)
    if turned in (5, 6, 7, 8):
        width, height = height, width
    steps = [f"{width}×{height}"]
    if (pictures := getattr(file, "n_frames", 1)) > 1:
        steps.append(f"first of {pictures} pictures")
    if turned in range(2, 9):
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
        grey = _on("white", picture)
        # White is what is behind a photo's thing, if that is not white itself.
        lost = np.median(grey[alpha[..., 0] > 0]) > WHITE - NEAR
        steps.append(f"transparent, on {'black' if lost else 'white'}")
        return _on("black", picture) if lost else grey
    return np.asarray(picture.convert("L"), dtype=np.float64)


def _of_eight_bits(values: Pixels) -> Image.Image:
    """Grey values of more than eight bits as eight: of 16, or else from the least to the most."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some of its pixels are no numbers")
    if values.dtype.kind in "iu" and low >= 0 and high <= DEEP:
        low, high = 0, DEEP
    scaled = (values.astype(np.float64) - low) * (WHITE / ((high - low) or 1))
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def _on(colour: str, picture: Image.Image) -> Pixels:
    background = Image.new("RGBA", picture.size, colour)
    background.alpha_composite(picture)
    return np.asarray(background.convert("L"), dtype=np.float64)


def _image(
    grey: Pixels, shape: tuple[int, int], as_is: bool, averaged: float, steps: list[str]
) -> Bytes:
    """What a picture shows, bright on black and of the right size; adds to the steps.

    Parameters
    ----------
    grey : float64 array
        From `_grey`.
    shape : tuple of int
        Height and width that the image is to have.
    as_is : bool
        Whether nothing is cut off.
    averaged : float
        Pixels in the file for one of these, on a side.
    steps : list of str

    Returns
    -------
    uint8 array of this shape
        All of one value if nothing is to be seen.
    """
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
        height, width = (round(averaged * side) for side in thing.shape)
        steps.append(f"cut to {width}×{height}")
    contrast = WHITE / thing.max()
    if contrast > 1 + NEAR / WHITE:
        steps.append(f"contrast ×{contrast:.1f}")
    return _fitted(contrast * thing, shape)


def _background(grey: Pixels) -> tuple[bool, Pixels, float]:
    """A plane through the corners, for light may come from a side.

    Parameters
    ----------
    grey : float64 array of shape (height, width)

    Returns
    -------
    light : bool
        Whether it is rather white than black.
    background : float64 array of shape (height, width)
        From 0 to 255.
    noise : float
        What differs less from it is most likely background too.

    Notes
    -----
    Of each of the 70,000 images of Fashion-MNIST, and of these inverted, the middle value of the
    corners tells rightly whether the background is light.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    corners = (np.abs(axes) > 1 - CORNER).all(axis=0)
    plane = np.stack([np.ones_like(grey), *axes], axis=-1)
    values = grey[corners]
    middle = float(np.median(values))
    kept = np.abs(values - middle) <= SLOPE
    slopes, *_ = np.linalg.lstsq(plane[corners][kept], values[kept] - middle)
    background = np.clip(middle + plane @ slopes, 0, WHITE)
    noise = NOISE * float(np.percentile(np.abs(values - background[corners]), 70))
    return middle > WHITE / 2, background, noise


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
    columns : int
        Letters that fit into a line; a larger image is made smaller.
    """
    picture = Image.fromarray(image).reduce(-(-2 * image.shape[1] // columns))
    levels = np.round(np.asarray(picture) * ((len(SHADES) - 1) / WHITE)).astype(int)
    return "\n".join("".join(2 * SHADES[level] for level in row).rstrip() for row in levels)
