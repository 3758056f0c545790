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


def misfit(labels: Bytes, names: list[str], samples: int, folds: int) -> str | None:
    """Say why a number of training images does not fit, if it does not.

    Parameters
    ----------
    labels
        All training labels, permuted; shape (n_images,).
    names
        Names of the classes.
    samples
        How many images the model is to use: the first ones.
    folds
        Folds of the cross-validation; each class must reach every one of them.

    Returns
    -------
    str or None
        Why there are too many or too few, and which numbers fit; None if `samples` fits.
    """
    needed = max(FEWEST_OF_CLASS, folds)
    rows = [np.flatnonzero(labels == label) for label in range(len(names))]
    rarest = min(range(len(names)), key=lambda label: len(rows[label]))
    if len(rows[rarest]) < needed:
        return (
            f"but needs {needed} images of each class, and only {len(rows[rarest])} of all "
            f"training images are {names[rarest]}"
        )
    fewest = 1 + max(int(rows_of_class[needed - 1]) for rows_of_class in rows)
    if fewest <= samples <= len(labels):
        return None
    reason = (
        f"there are {len(labels)} training images"
        if samples > len(labels)
        else f"the first {fewest} hold {needed} of each class"
    )
    return f"but must be {fewest} to {len(labels)}: {reason}"


def training_set(dataset: Dataset, samples: int, key: str, folds: int = 0) -> tuple[Bytes, Labels]:
    """The first training images and their labels.

    Parameters
    ----------
    dataset
        Its training images are permuted.
    samples, folds
        As in `misfit`.
    key
        The parameter that asks for this many, for the message.

    Returns
    -------
    images : uint8 array of shape (n_images, height, width)
    labels : int64 array of shape (n_images,)

    Raises
    ------
    UserError
        If there are too few images in all, or of a class.
    """
    if wrong := misfit(dataset.train_labels, dataset.labels, samples, folds):
        raise UserError(f"params.yaml: {key} is {samples}, {wrong}.")
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
