"""Images: from IDX files to arrays, from arrays to what a model is trained on."""

import gzip
import json
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.common.errors import UserError

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
WHITE = 255  # the largest pixel
LEAST = 10  # images of a class without which its cross-validation says nothing
LARGEST = 2**32  # bytes of one IDX file; no honest header asks for more
PIECE = 2**20  # bytes

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Pixels = npt.NDArray[np.floating]


class Dataset(NamedTuple):
    """Checked, permuted images; arrays stay on disk until they are read.

    Attributes
    ----------
    name : str
        As in params.yaml.
    labels : list of str
        Names of the classes; a label is an index into it.
    train_images, test_images : uint8 array of shape (n_images, height, width)
        0 is background, 255 the brightest.
    train_labels, test_labels : uint8 array of shape (n_images,)
    """

    name: str
    labels: list[str]
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


def read_idx(path: Path, dimensions: int) -> Bytes:
    """Read an IDX file of bytes, plain or gzipped.

    Parameters
    ----------
    path : Path
    dimensions : int
        3 for images, 1 for labels.

    Returns
    -------
    uint8 array with the sizes that the header states

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
            # In pieces, for `read` takes all the memory that it may fill before it reads. One
            # byte more than is expected is enough to see that there are too many.
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
    files : dict of Path
        By role: train_images, train_labels, test_images, test_labels.
    classes : int
        Labels must lie below it.

    Returns
    -------
    dict of uint8 arrays, by role

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
        if labels.max() >= classes:
            raise UserError(
                f"The {which} set has the label {labels.max()}, but `labels` in params.yaml names "
                f"{classes} classes, 0 to {classes - 1}."
            )
    shapes = [raw[role].shape[1:] for role in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        raise UserError(f"Training images are {shapes[0]} pixels, test images {shapes[1]}.")
    return raw


def order(count: int, seed: int) -> Labels:
    """Order of the training images: the original study's permutation of all of them."""
    return np.random.RandomState(seed).permutation(count)


def check_samples(labels: Bytes, names: list[str], samples: int, folds: int, key: str) -> None:
    """Check that the first images are enough for what is to be done with them.

    Parameters
    ----------
    labels : uint8 array of shape (n_images,)
        All training labels, permuted.
    names : list of str
        Names of the classes.
    samples : int
        How many images are to be used: the first ones.
    folds : int
        Folds of the cross-validation; each class must reach every one of them.
    key : str
        The parameter that asks for this many, for the message.

    Raises
    ------
    UserError
        If there are fewer images, or fewer than `LEAST` or `folds` of some class.
    """
    if samples > len(labels):
        raise UserError(
            f"params.yaml: {key} is {samples}, but there are {len(labels)} training images; "
            f"ask for {len(labels)} or fewer."
        )
    least = max(LEAST, folds)
    counts = np.bincount(labels[:samples], minlength=len(names))
    if counts.min() < least:
        raise UserError(
            f"params.yaml: {key} is {samples}, and only {counts.min()} of these images are "
            f"{names[counts.argmin()]}; {least} of each class are needed, so ask for more."
        )


def load(folder: Path = PREPARED) -> Dataset:
    """Prepared images, mapped into memory.

    Raises
    ------
    UserError
        If they have not been prepared.
    """
    try:
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        arrays = [
            np.load(folder / f"{which}.npy", mmap_mode="r")
            for which in ("train_images", "train_labels", "test_images", "test_labels")
        ]
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: run `dvc repro prepare` first.") from None
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{folder} is damaged ({error}): run `dvc repro --force prepare`."
        ) from None
    return Dataset(about["dataset"], about["labels"], *arrays)


def training_set(dataset: Dataset, samples: int, key: str, folds: int = 0) -> tuple[Bytes, Labels]:
    """The first training images and their labels, checked as `check_samples` does.

    Returns
    -------
    images : uint8 array of shape (n_images, height, width)
    labels : int64 array of shape (n_images,)
    """
    check_samples(dataset.train_labels, dataset.labels, samples, folds, key)
    return dataset.train_images[:samples], dataset.train_labels[:samples].astype(np.int64)


def scaled(images: Bytes, dtype: str = "float64") -> Pixels:
    """Pixels as a model wants them: flattened, from 0 to 1.

    Parameters
    ----------
    images : uint8 array of shape (n_images, height, width)
    dtype : {"float64", "float32"}

    Returns
    -------
    array of shape (n_images, height * width)
    """
    return images.reshape(len(images), -1).astype(dtype) / np.dtype(dtype).type(WHITE)
