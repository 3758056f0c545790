"""What a stage asks before it begins: is there enough memory, and how long will it take?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from stages.files.settings import Kmeans, Mlp, Noise, Svm
from stages.learn import networks
from stages.learn.images import Dataset
from stages.run import memory, memory_needed
from stages.run.time_needed import announce, clustering_seconds, network_seconds, svm_seconds


def network_search(dataset: Dataset, mlp: Mlp, dtype: str) -> None:
    """Check the memory of a search over networks, and announce its time.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    tests, pixels, classes = len(dataset.test_images), _pixels(dataset), len(dataset.labels)
    architectures, folds = mlp.architectures, mlp.folds
    memory.check(
        mlp.samples,
        "mlp.samples",
        lambda samples: memory_needed.network_search(
            samples, tests, architectures, folds, mlp.solver, pixels, classes, dtype
        ),
    )
    seconds = [
        [
            network_seconds(networks.network(a, 0, **mlp.hyperparameters), samples, pixels, classes)
            for a in architectures
        ]
        for samples in (mlp.small_samples, mlp.samples)
    ]
    announce("mlp_search", (folds - 1) * sum(map(sum, seconds)), alone=sum(map(max, seconds)))


def kernel_search(dataset: Dataset, svm: Svm, points: list[dict[str, Any]]) -> None:
    """Check the memory of a search over kernels and of the last fit, and announce their time.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    images, labels, pixels = dataset.train_images, dataset.train_labels, _pixels(dataset)
    memory.check(
        svm.search_samples,
        "svm.search_samples",
        lambda samples: memory_needed.kernel_search(
            _counts(dataset, samples), pixels, points, svm.folds
        ),
    )
    _check_svm_fit(dataset, svm.samples, points)
    searched, fitted = slice(svm.search_samples), slice(svm.samples)
    announce(
        "svm_eval",
        svm_seconds(images[searched], labels[searched], points, svm.folds)
        # The winner is not known yet; the last point stands for it.
        + svm_seconds(images[fitted], labels[fitted], points[-1:], 1),
    )


def clusterings(dataset: Dataset, kmeans: Kmeans, dtype: str) -> None:
    """Check the memory of all clusterings, and announce their time.

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
    announce("kmeans", clustering_seconds(kmeans.samples * pixels, set(ks), kmeans.n_init))


def draws(
    dataset: Dataset,
    candidates: Mapping[str, tuple[MLPClassifier, int]],
    point: dict[str, Any],
    svm_samples: int,
    noise: Noise,
    dtype: str,
) -> None:
    """Check the memory of fits to other draws, and announce their time.

    Parameters
    ----------
    dataset
        The draws are taken from its training images.
    candidates
        The small and the large network, each with its number of training images.
    point, svm_samples
        Of the support vector machine.
    noise
        The number of draws.
    dtype
        Of the networks.

    Raises
    ------
    UserError
        If there is too little memory.
    """
    tests, pixels, classes = len(dataset.test_images), _pixels(dataset), len(dataset.labels)
    fits = len(candidates) * noise.repeats
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
    once = svm_seconds(
        dataset.train_images[:svm_samples], dataset.train_labels[:svm_samples], [point], 1
    ) + sum(
        network_seconds(model, samples, pixels, classes) for model, samples in candidates.values()
    )
    announce("noise", noise.repeats * once)


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
