"""IDX files: the raw images and labels of a dataset."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from stages.errors import UserError
from stages.learn.images import Bytes

RAW = Path("data/raw")
LARGEST = 2**32  # bytes of one IDX file; no honest header asks for more
PIECE = 2**20  # bytes


def read_idx(path: Path, dimensions: int) -> Bytes:
    """Read an IDX file of bytes, plain or gzipped.

    Parameters
    ----------
    path
        Whatever its name ends in.
    dimensions
        3 for images, 1 for labels.

    Returns
    -------
    uint8 array
        With the sizes that the header states.

    Raises
    ------
    UserError
        If the file is not what its header says.

    Notes
    -----
    The format: two zero bytes, the type of an item (8: unsigned byte), the number of
    dimensions, each size as a big-endian 32-bit number, then the items, last index fastest
    (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if compressed else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) != 4 + 4 * dimensions or header[:4] != bytes([0, 0, 8, dimensions]):
                raise UserError(
                    f"{path} is not an IDX file of {dimensions}-dimensional bytes: it begins with "
                    f"{header[:4].hex(' ') or 'nothing'}, not 00 00 08 {dimensions:02x}."
                )
            sizes = struct.unpack(f">{dimensions}I", header[4:])
            expected = math.prod(sizes)
            if not 0 < expected <= LARGEST:
                raise UserError(f"{path} states impossible sizes: {sizes}.")
            # In pieces: `read` allocates all the memory that it may fill before it reads. One byte
            # more than expected is enough to see that there are too many.
            content = bytearray()
            while piece := file.read(min(PIECE, expected + 1 - len(content))):
                content += piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}.") from None
    if len(content) != expected:
        found = f"{len(content)}" if len(content) < expected else "more"
        raise UserError(f"{path} states {expected} bytes of data, but holds {found}.")
    return np.frombuffer(content, dtype=np.uint8).reshape(sizes)


def read_raw(files: dict[str, Path], classes: int) -> dict[str, Bytes]:
    """Read a dataset's four files, and check that they belong together.

    Parameters
    ----------
    files
        By role: train_images, train_labels, test_images, test_labels.
    classes
        Number of classes. In the files their labels begin at 0 or, as EMNIST Letters have it, at 1.

    Returns
    -------
    dict of uint8 arrays
        By role; labels begin at 0.

    Raises
    ------
    UserError
        If a file is damaged, or the files do not fit each other or the classes.
    """
    raw = {role: read_idx(path, 3 if "images" in role else 1) for role, path in files.items()}
    for which in ("train", "test"):
        images, labels = raw[f"{which}_images"], raw[f"{which}_labels"]
        if len(images) != len(labels):
            raise UserError(f"The {which} set has {len(images)} images, but {len(labels)} labels.")
    of_labels = ("train_labels", "test_labels")
    lowest = min(int(raw[role].min()) for role in of_labels)
    highest = max(int(raw[role].max()) for role in of_labels)
    first = int(lowest > 0 and highest == classes)
    if highest >= first + classes:
        raise UserError(
            f"The files have labels from {lowest} to {highest}, but `labels` in params.yaml names "
            f"{classes} classes: labels are numbers that begin at 0 or 1, each with a name."
        )
    for role in of_labels:
        raw[role] -= np.uint8(first)
    shapes = [raw[role].shape[1:] for role in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        raise UserError(f"Training images are {shapes[0]} pixels, test images {shapes[1]}.")
    return raw


def write_idx(path: Path, array: Bytes) -> None:
    """Write an array of bytes, of any shape, as one IDX file."""
    header = np.array([0x0800 + array.ndim, *array.shape], dtype=">u4")
    path.write_bytes(header.tobytes() + array.tobytes())
