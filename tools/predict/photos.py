"""Convert image files to images like the training images: bright on black.

Pictures are those of a catalogue: one whole thing on a plain background. The module crops a picture
to the thing that stands out from its background, scales it and centres it on black, as the authors
of Fashion-MNIST did (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, section 2). It makes the
brightest pixel white, because every image of Fashion-MNIST has a pixel of 254 or 255. Of other
pictures it says that they are not such, as far as that can be seen.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from stages.errors import UserError
from stages.learn.images import WHITE, Bytes, Pixels

# Pillow knows more formats, but passes some of them to other programs.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
NEAR = 0.05 * WHITE  # pixels that differ less from the background belong to it; value of the paper
CORNER = 0.07  # share of a side: one pixel of an image of Fashion-MNIST
# What is cut out of a catalogue picture is whole, and not a detail.
TOUCHED, SMALLEST = 3, 1 / 20  # sides of the picture; share of it
FINE = 8  # pixels of the file on a side of each pixel of the model; larger pictures are averaged
WHITE_OF_16_BITS = 2**16 - 1
SHADES = " .:-=+*#%@"


class Photo(NamedTuple):
    """An image as the model gets it.

    Attributes
    ----------
    image : uint8 array of shape (height, width)
        Pixels, of which 0 is background.
    read_as
        Steps of the reading, in words.
    caution
        Why the picture is not such as the model knows; empty if nothing says so.
    """

    image: Bytes
    read_as: str
    caution: str = ""


def read(path: Path, shape: tuple[int, int], as_is: bool = False) -> Photo:
    """Read an image file.

    Parameters
    ----------
    path
        File in one of `FORMATS`. If it contains several pictures, the first one is read.
    shape
        Height and width of the training images. A picture of this size is not cropped or scaled,
        and inverted only if its background is light.
    as_is
        Whether pictures of other sizes are not cropped either, only scaled and inverted.

    Raises
    ------
    UserError
        If the file is no image, or the image shows nothing.
    """
    name = printable(path)
    try:
        if not path.is_file():
            raise ValueError("there is no file of this name")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # for example of odd tags
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
            f"{name} has more than {megapixels} million pixels: scale it down first."
        ) from None
    # Pillow raises many kinds of exceptions on damaged files.
    except Exception as error:
        message = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join(message.split()).rstrip(".")
        raise UserError(f"{name} cannot be read as an image: {reason}.") from None
    image, caution = _bright_on_black(
        grey, shape, as_is or size == shape, size[0] / len(grey), steps
    )
    if not np.ptp(image):
        raise UserError(f"{name} shows nothing: no part of it stands out from its background.")
    return Photo(image, ", ".join(steps), caution)


def printable(path: Path) -> str:
    """Return a file's name with "?" for characters that a terminal cannot print."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(path))


def _size_and_first_steps(file: Image.Image) -> tuple[tuple[int, int], list[str]]:
    """Return height and width of a picture after rotation, and the first steps of its reading."""
    width, height = file.size
    orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    steps = [f"{width}×{height}"]
    if (pictures := getattr(file, "n_frames", 1)) > 1:
        steps.append(f"first of {pictures} pictures")
    if orientation in range(2, 9):
        steps.append("turned as its EXIF orientation says")
    return (height, width), steps


def _grey(picture: Image.Image, shape: tuple[int, int], steps: list[str]) -> Pixels:
    """Return grey values from 0 to 255 of a picture, scaled down if large; extend the steps."""
    if picture.mode.startswith(("I", "F")):  # more than eight bits, some of which Pillow would drop
        picture = _of_eight_bits(np.asarray(picture))
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    factor = max(picture.width // (FINE * shape[1]), picture.height // (FINE * shape[0]))
    picture = picture.reduce(max(1, factor))
    values = np.asarray(picture)
    steps.append("colour" if np.ptp(values[..., :3], axis=2).any() else "grey")
    alpha = values[..., 3:]
    if (alpha < WHITE).any():
        on_white = _flattened(picture, "white")
        # The background becomes white, unless the thing itself is white.
        is_white = np.median(on_white[alpha[..., 0] > 0]) > WHITE - NEAR
        steps.append(f"transparent, on {'black' if is_white else 'white'}")
        return _flattened(picture, "black") if is_white else on_white
    return np.asarray(picture.convert("L"), dtype=np.float64)


def _of_eight_bits(values: Pixels) -> Image.Image:
    """Convert to eight bits, from the range of 16 bits or else from that of the values."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some of its pixels are no numbers")
    if values.dtype.kind in "iu" and low >= 0 and high <= WHITE_OF_16_BITS:
        low, high = 0, WHITE_OF_16_BITS
    scaled = (values.astype(np.float64) - low) * (WHITE / ((high - low) or 1))
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def _flattened(picture: Image.Image, colour: str) -> Pixels:
    """Return grey values of a transparent picture on a background of this colour."""
    background = Image.new("RGBA", picture.size, colour)
    background.alpha_composite(picture)
    return np.asarray(background.convert("L"), dtype=np.float64)


def _bright_on_black(
    grey: Pixels, shape: tuple[int, int], as_is: bool, scale: float, steps: list[str]
) -> tuple[Bytes, str]:
    """Crop, invert and scale a picture, all pixels equal if it shows nothing; also a caution."""
    background = _background(grey)
    light = background > WHITE / 2
    steps.append("light background, inverted" if light else "dark background")
    if as_is:
        return _fitted(WHITE - grey if light else grey, shape), ""
    # A thing may be darker than the background in places and brighter in others.
    thing = np.abs(grey - background)
    thing[thing <= NEAR] = 0
    if not thing.any():
        return np.zeros(shape, dtype=np.uint8), ""
    rows, columns = (np.flatnonzero(thing.any(axis=axis)) for axis in (1, 0))
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    thing = thing[cut]
    if thing.shape != grey.shape:
        height, width = (round(scale * side) for side in thing.shape)  # in pixels of the file
        steps.append(f"cut to {width}×{height}")
    contrast = WHITE / thing.max()
    if contrast > 1 + NEAR / WHITE:
        steps.append(f"contrast ×{contrast:.1f}")
    return _fitted(contrast * thing, shape), _caution(cut, grey.shape)


def _background(grey: Pixels) -> float:
    """The grey value of the background: the median of the corners.

    It tells correctly whether the background is light for all 70,000 images of Fashion-MNIST and
    for their inverses.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    return float(np.median(grey[(np.abs(axes) > 1 - CORNER).all(axis=0)]))


def _caution(thing: tuple[slice, slice], whole: tuple[int, ...]) -> str:
    """Say why a cut-out is not that of a catalogue picture; nothing if it may be."""
    ends = [part.start == 0 for part in thing]
    ends += [part.stop == side for part, side in zip(thing, whole, strict=True)]
    height, width = (part.stop - part.start for part in thing)
    share = height * width / (whole[0] * whole[1])
    if ends.count(True) >= TOUCHED:
        return f"what stands out touches {ends.count(True)} sides of the picture"
    return f"what stands out fills {share:.1%} of the picture" if share < SMALLEST else ""


def _fitted(thing: Pixels, shape: tuple[int, int]) -> Bytes:
    """Scale a picture to fit, with its proportions, and centre it on black."""
    scale = min(whole / side for whole, side in zip(shape, thing.shape, strict=True))
    height, width = (max(1, round(scale * side)) for side in thing.shape)
    picture = Image.fromarray(np.round(thing).astype(np.uint8))
    image = np.zeros(shape, dtype=np.uint8)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    scaled = picture.resize((width, height), Image.Resampling.BOX)
    image[top : top + height, left : left + width] = np.asarray(scaled)
    return image


def letters(image: Bytes, columns: int = 80) -> str:
    """Draw an image as ASCII art, two characters to a pixel, because they are half as wide as high.

    Parameters
    ----------
    image : uint8 array of shape (height, width)
    columns
        Characters that fit into a line; a larger image is scaled down.
    """
    picture = Image.fromarray(image).reduce(-(-2 * image.shape[1] // columns))
    levels = np.round(np.asarray(picture) * ((len(SHADES) - 1) / WHITE)).astype(int)
    return "\n".join("".join(2 * SHADES[level] for level in row).rstrip() for row in levels)
