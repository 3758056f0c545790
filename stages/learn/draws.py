"""Draws: disjoint blocks of training images, to which the winners are fitted again.

A model that the study fits to m images has its draws in the images after these: draw r is rows
m r to m (r + 1) of the permuted training images, r = 1, 2, … A fit of a network also has first
weights and an order of batches of its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from stages.learn import images, networks, one_against_one
from stages.learn.images import Bytes, Dataset, Labels
from stages.learn.tasks import Run, Task, one_after_another

# Point, first row and number of rows, training and test images with their labels.
SvmCall = tuple[dict[str, Any], tuple[int, int], Bytes, Bytes, Bytes, Bytes]


def blocks(labels: Bytes, samples: int) -> list[int]:
    """Where the draws of a model begin.

    Parameters
    ----------
    labels
        Of all training images, permuted; shape (n_images,).
    samples
        Number of images that the model is fitted to.

    Returns
    -------
    list of ints
        First row of each block. A block that lacks a class is left out, as a fit needs all.
    """
    classes = len(np.unique(labels))
    firsts = range(samples, len(labels) - samples + 1, samples)
    return [at for at in firsts if len(np.unique(labels[at : at + samples])) == classes]


def network_fits(
    dataset: Dataset, model: MLPClassifier, samples: int, repeats: int, dtype: str
) -> list[Task]:
    """The calls of `network_mistakes` for each fit of a network to a draw.

    Parameters
    ----------
    dataset
        With the images.
    model
        Not fitted; its seed is that of all draws.
    samples
        Number of images that it is fitted to.
    repeats
        Number of fits. When every block has had one, they begin again with other first weights.
    dtype
        float64 or float32.

    Returns
    -------
    list of Task
        Empty if there is no block.
    """
    firsts = blocks(dataset.train_labels, samples)
    return [
        Task(
            f"{networks.name(model.hidden_layer_sizes)}, {samples} images, draw {number + 1}",
            (
                clone(model).set_params(random_state=_seed(model.random_state, number)),
                (firsts[number % len(firsts)], samples),
                dtype,
                *_arrays(dataset),
            ),
        )
        for number in range(repeats if firsts else 0)
    ]


def svm_fits(dataset: Dataset, point: dict[str, Any], samples: int, repeats: int) -> list[SvmCall]:
    """Arguments of `svm_mistakes` for each draw: of a block, the same fit always comes out.

    Parameters
    ----------
    dataset
        With the images.
    point
        Kernel, C and so on, as `SVC` names them.
    samples
        Number of images that it is fitted to.
    repeats
        Number of fits; fewer are made if there are fewer blocks.
    """
    firsts = blocks(dataset.train_labels, samples)[:repeats]
    return [(point, (first, samples), *_arrays(dataset)) for first in firsts]


def _seed(seed: int, number: int) -> int:
    """Seed of the first weights and the order of batches of a fit."""
    return int(np.random.RandomState([seed, number]).randint(2**31))


def _arrays(dataset: Dataset) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training and test images, each with their labels."""
    return dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels


def network_mistakes(
    model: MLPClassifier,
    drawn: tuple[int, int],
    dtype: str,
    pixels: Bytes,
    labels: Bytes,
    test_pixels: Bytes,
    test_labels: Bytes,
) -> Labels:
    """Which test images a network gets wrong that is fitted to one draw.

    Parameters
    ----------
    model
        Not fitted.
    drawn
        First row and number of rows.
    dtype
        float64 or float32.
    pixels, test_pixels
        Shape (n_images, height, width).
    labels, test_labels
        Shape (n_images,).

    Returns
    -------
    int64 array of shape (n_wrong,)
        Numbers of the images, ascending.

    Raises
    ------
    UserError
        If the weights of the network grow beyond all bounds.
    """
    first, samples = drawn
    rows = slice(first, first + samples)
    fitted = networks.fit(
        clone(model), images.scaled(pixels[rows], dtype), labels[rows].astype(np.int64)
    )
    predicted = networks.predict(fitted, images.scaled(test_pixels, dtype))
    return np.flatnonzero(predicted != test_labels)


def svm_mistakes(
    point: dict[str, Any],
    drawn: tuple[int, int],
    pixels: Bytes,
    labels: Bytes,
    test_pixels: Bytes,
    test_labels: Bytes,
    names: list[str],
    run: Run = one_after_another,
) -> Labels:
    """Which test images a support vector machine gets wrong that is fitted to one draw.

    Parameters
    ----------
    point
        Kernel, C and so on, as `SVC` names them.
    drawn, pixels, labels, test_pixels, test_labels
        As in `network_mistakes`.
    names
        Names of the classes, for the person who waits.
    run
        Runs the fits.

    Returns
    -------
    int64 array of shape (n_wrong,)
        Numbers of the images, ascending.

    Raises
    ------
    UserError
        If a kernel grows beyond all bounds.
    """
    first, samples = drawn
    rows = slice(first, first + samples)
    model = one_against_one.fit(point, pixels[rows], labels[rows].astype(np.int64), names, run)
    predicted = one_against_one.predict(model, test_pixels, run)
    return np.flatnonzero(predicted != test_labels)


def table(mistakes: Sequence[Sequence[int] | Labels], count: int) -> npt.NDArray[np.bool_]:
    """Whether each fit gets each test image wrong, shape (n_fits, count)."""
    wrong = np.zeros((len(mistakes), count), bool)
    for row, numbers in zip(wrong, mistakes, strict=True):
        row[np.asarray(numbers, int)] = True
    return wrong
