"""Images as arrays: their order, the training set of a model, their scale."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.errors import UserError

WHITE = 255  # the largest pixel
FEWEST_OF_CLASS = 10  # images of a class without which its cross-validation says nothing

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Pixels = npt.NDArray[np.floating]


class Dataset(NamedTuple):
    """Checked images, the training images permuted.

    Attributes
    ----------
    name
        As in params.yaml.
    labels
        Names of the classes; a label is an index into this list.
    train_images, test_images
        Shape (n_images, height, width); 0 is background, 255 the brightest pixel.
    train_labels, test_labels
        Shape (n_images,).
    """

    name: str
    labels: list[str]
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


def order(count: int, seed: int) -> Labels:
    """Order of the training images: the original study's permutation of all of them."""
    return np.random.RandomState(seed).permutation(count)


def check_samples(labels: Bytes, names: list[str], samples: int, folds: int, key: str) -> None:
    """Check that the first images are enough for what is to be done with them.

    Parameters
    ----------
    labels
        All training labels, permuted; shape (n_images,).
    names
        Names of the classes.
    samples
        How many images are to be used: the first ones.
    folds
        Folds of the cross-validation; each class must reach every one of them.
    key
        The parameter that asks for this many, for the message.

    Raises
    ------
    UserError
        If there are fewer images, or fewer than `FEWEST_OF_CLASS` or `folds` of some class.
    """
    if samples > len(labels):
        raise UserError(
            f"params.yaml: {key} is {samples}, but there are {len(labels)} training images; "
            f"ask for {len(labels)} or fewer."
        )
    needed = max(FEWEST_OF_CLASS, folds)
    counts = np.bincount(labels[:samples], minlength=len(names))
    if counts.min() < needed:
        raise UserError(
            f"params.yaml: {key} is {samples}, and only {counts.min()} of these images are "
            f"{names[counts.argmin()]}; {needed} of each class are needed, so ask for more."
        )


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
    images
        Shape (n_images, height, width).
    dtype
        float64 or float32.

    Returns
    -------
    array of shape (n_images, height * width)
    """
    return images.reshape(len(images), -1).astype(dtype) / np.dtype(dtype).type(WHITE)
