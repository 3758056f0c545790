"""Draws: how far a test error moves by chance.

A draw is a random sample of the training images. A network that is fitted to a draw also has other
initial weights and another order of batches.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from stages.learn import images, networks, one_against_one
from stages.learn.images import Bytes, Dataset, Labels
from stages.learn.tasks import Run, Task, one_after_another


def draw(labels: Bytes, samples: int, seed: int, number: int) -> tuple[Labels, int]:
    """Draw training images and a seed.

    Parameters
    ----------
    labels
        Of all training images, shape (n_images,).
    samples
        How many images to draw; some of every class are among them, as a fit needs them.
    seed, number
        Other draws for each pair of the two.

    Returns
    -------
    rows : int64 array of shape (samples,)
        Which images.
    seed : int
        For the initial weights and the order of the batches.
    """
    random = np.random.RandomState([seed, number])
    classes = len(np.unique(labels))
    while True:
        rows = random.permutation(len(labels))[:samples]
        if len(np.unique(labels[rows])) == classes:
            return rows, int(random.randint(2**31))


def network_errors(
    dataset: Dataset,
    candidates: Sequence[tuple[MLPClassifier, int]],
    seed: int,
    draws: int,
    dtype: str,
    run: Run = one_after_another,
) -> list[list[float]]:
    """Test errors of networks on draws.

    Parameters
    ----------
    dataset
        The draws are taken from its training images.
    candidates
        Networks that are not fitted yet, each with its number of training images.
    seed
        Of the draws.
    draws
        Number of draws for each network.
    dtype
        float64 or float32.
    run
        Runs the fits.

    Returns
    -------
    list of lists of float
        For each network the error of each draw.

    Raises
    ------
    UserError
        If the weights of a network grow beyond all bounds.
    """
    wrong = run("networks", network_mistakes, network_fits(dataset, candidates, seed, draws, dtype))
    errors = [len(images_of_draw) / len(dataset.test_labels) for images_of_draw in wrong]
    return np.reshape(errors, (len(candidates), draws)).tolist()


def network_fits(
    dataset: Dataset,
    candidates: Sequence[tuple[MLPClassifier, int]],
    seed: int,
    draws: int,
    dtype: str,
) -> list[Task]:
    """The calls of `network_mistakes` that `network_errors` makes; parameters as there."""
    return [
        Task(
            f"{networks.name(model.hidden_layer_sizes)}, {samples} images, draw {number + 1}",
            (
                model,
                (samples, seed, number),
                dtype,
                dataset.train_images,
                dataset.train_labels,
                dataset.test_images,
                dataset.test_labels,
            ),
        )
        for model, samples in candidates
        for number in range(draws)
    ]


def network_mistakes(
    model: MLPClassifier,
    drawn: tuple[int, int, int],
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
        Not fitted; a copy of it gets the seed that is drawn.
    drawn
        `samples`, `seed` and `number` of `draw`.
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
    rows, seed = draw(labels, *drawn)
    fitted = networks.fit(
        clone(model).set_params(random_state=seed),
        images.scaled(pixels[rows], dtype),
        labels[rows].astype(np.int64),
    )
    predicted = networks.predict(fitted, images.scaled(test_pixels, dtype))
    return np.flatnonzero(predicted != test_labels)


def svm_mistakes(
    point: dict[str, Any],
    drawn: tuple[int, int, int],
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
    rows, _ = draw(labels, *drawn)
    model = one_against_one.fit(point, pixels[rows], labels[rows].astype(np.int64), names, run)
    predicted = one_against_one.predict(model, test_pixels, run)
    return np.flatnonzero(predicted != test_labels)


def summary(errors: Sequence[float]) -> dict[str, float]:
    """How many test errors, their mean, and their standard deviation, with n - 1."""
    return {
        "draws": len(errors),
        "test_error_mean": float(np.mean(errors)),
        "test_error_std": float(np.std(errors, ddof=1)),
    }
