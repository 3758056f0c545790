"""What a stage asks before it begins: is there enough memory, and how long will it take?

Memory is checked before a stage takes any. The time counts only fits that are not known from
earlier runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from stages.files.settings import Kmeans, Mlp, Svm
from stages.learn import draws, networks
from stages.learn.images import Dataset
from stages.learn.tasks import Task
from stages.run import memory, memory_needed
from stages.run.time_needed import (
    announce,
    estimated_seconds,
    network_seconds,
    svm_seconds,
)


def check_network_search(dataset: Dataset, mlp: Mlp, dtype: str) -> None:
    """Check the memory of a search over networks, with few images and with many.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    tests, pixels, classes = len(dataset.test_images), _pixels(dataset), len(dataset.labels)
    few = mlp.small_samples * pixels * np.dtype(dtype).itemsize
    memory.check(
        mlp.samples,
        "mlp.samples",
        lambda samples: (
            few
            + memory_needed.network_search(
                samples, tests, mlp.architectures, mlp.folds, mlp.solver, pixels, classes, dtype
            )
        ),
    )


def announce_network_search(
    validations: Sequence[Task], candidates: Sequence[MLPClassifier], dataset: Dataset, mlp: Mlp
) -> None:
    """Say how long a search over networks takes.

    Parameters
    ----------
    validations
        The calls of `networks.validate` that are to be made.
    candidates
        One of them is fitted once more, with few images and with many.
    dataset, mlp
        As in `check_network_search`.
    """
    refits = [
        max(network_seconds(c, samples, _pixels(dataset), len(dataset.labels)) for c in candidates)
        for samples in (mlp.small_samples, mlp.samples)
    ]
    announce("mlp_search", _seconds(networks.validate, validations), alone=sum(refits))


def check_kernel_search(dataset: Dataset, svm: Svm, points: list[dict[str, Any]]) -> None:
    """Check the memory of a search over kernels and of the last fit.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    memory.check(
        svm.search_samples,
        "svm.search_samples",
        lambda samples: memory_needed.kernel_search(
            _counts(dataset, samples), _pixels(dataset), points, svm.folds
        ),
    )
    _check_svm_fit(dataset, svm.samples, points)


def announce_kernel_search(
    dataset: Dataset, svm: Svm, unknown: list[dict[str, Any]], last: dict[str, Any]
) -> None:
    """Say how long a search over the unknown points and the last fit take.

    Parameters
    ----------
    dataset
        With the training images.
    svm
        Numbers of images and of folds.
    unknown
        Points to search.
    last
        A point that stands for the winner, which is not known yet.
    """
    images, labels = dataset.train_images, dataset.train_labels
    searched, fitted = slice(svm.search_samples), slice(svm.samples)
    announce(
        "svm_eval",
        svm_seconds(images[searched], labels[searched], unknown, svm.folds)
        + svm_seconds(images[fitted], labels[fitted], [last], 1),
    )


def check_clusterings(dataset: Dataset, kmeans: Kmeans, dtype: str) -> None:
    """Check the memory of all clusterings.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    ks, pixels = [*kmeans.k, kmeans.clusters], _pixels(dataset)
    memory.check(
        kmeans.samples,
        "kmeans.samples",
        lambda samples: memory_needed.clusterings(samples, pixels, ks, dtype),
    )


def check_draws(
    dataset: Dataset,
    candidates: Mapping[str, tuple[MLPClassifier, int]],
    point: dict[str, Any],
    svm_samples: int,
    repeats: int,
    dtype: str,
) -> None:
    """Check the memory of fits to other draws.

    Parameters
    ----------
    dataset
        The draws are taken from its training images.
    candidates
        The small and the large network, each with its number of training images.
    point, svm_samples
        Of the support vector machine.
    repeats
        The number of draws.
    dtype
        Of the networks.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    tests, pixels, classes = len(dataset.test_images), _pixels(dataset), len(dataset.labels)
    fits = len(candidates) * repeats
    memory.check(
        candidates["large"][1],
        "mlp.samples",
        lambda samples: max(
            memory_needed.network_draws(
                samples, tests, model.hidden_layer_sizes, model.solver, fits, pixels, classes, dtype
            )
            for model, _ in candidates.values()
        ),
    )
    _check_svm_fit(dataset, svm_samples, [point])


def announce_draws(
    network_fits: Sequence[Task],
    svm_fits: int,
    dataset: Dataset,
    point: dict[str, Any],
    svm_samples: int,
) -> None:
    """Say how long fits to other draws take.

    Parameters
    ----------
    network_fits
        The calls of `draws.network_mistakes` that are to be made.
    svm_fits
        How many fits of the support vector machine.
    dataset, point, svm_samples
        As in `check_draws`.
    """
    images, labels = dataset.train_images[:svm_samples], dataset.train_labels[:svm_samples]
    announce(
        "noise",
        _seconds(draws.network_mistakes, network_fits)
        + svm_fits * svm_seconds(images, labels, [point], 1),
    )


def _seconds(function: Callable[..., Any], tasks: Sequence[Task]) -> float:
    """About how long all calls of a function take, in seconds of one core."""
    return sum(estimated_seconds(function, task.arguments) for task in tasks)


def _check_svm_fit(dataset: Dataset, samples: int, points: list[dict[str, Any]]) -> None:
    """Check the memory of the fit of one support vector machine."""
    memory.check(
        samples,
        "svm.samples",
        lambda n: memory_needed.svm_fit(_counts(dataset, n), _pixels(dataset), points),
    )


def _counts(dataset: Dataset, samples: int) -> list[int]:
    """Images of each class among the first training images."""
    return np.bincount(dataset.train_labels[:samples], minlength=len(dataset.labels)).tolist()


def _pixels(dataset: Dataset) -> int:
    """Pixels of an image."""
    return dataset.test_images[0].size
