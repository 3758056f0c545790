"""How long fits take, estimated in advance: for their order, time left, and the opening line.

All seconds are those of one core of the machine that made the figures in docs/; `slowness` compares
this machine with it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.learn import clusters, draws, kernel_search, networks, one_against_one
from stages.learn.class_pairs import class_pairs
from stages.learn.images import WHITE, Bytes, Labels, Pixels
from stages.run import concurrency
from stages.run.terminal import say

PER_WEIGHT = 1.1e-10  # seconds of a network for each weight, image and epoch
PER_KERNEL_VALUE = 3e-8  # seconds of one number of a kernel
PER_SCORE = 3e-9  # seconds that one image takes with one other, at one point of a grid
PER_PIXEL = 2e-9  # seconds of K-means for each pixel, start and cluster
FEW = 60  # images of each class that tell how alike two classes are
PROBES = 5  # products of matrices that tell how fast a machine is
PROBE_SECONDS = 0.1  # that these take on the machine of the figures
TWO_MINUTES = 120  # seconds


def announce(title: str, seconds: float, alone: float = 0) -> None:
    """Say about how long work will take on this machine; nothing is known of a cluster.

    Parameters
    ----------
    title
        Of a stage.
    seconds
        Of all fits that run several at a time.
    alone
        Of the fits that run one at a time.
    """
    if concurrency.cluster():
        return
    at_once = concurrency.at_once()
    expected = (seconds / at_once + alone) * slowness()
    duration = (
        f"{expected / 60:.0f} minutes" if expected > TWO_MINUTES else f"{expected:.0f} seconds"
    )
    fits = "fit" if at_once == 1 else "fits"
    say(f"{title}: about {duration} on this machine, {at_once} {fits} at once")


def slowness() -> float:
    """How many times as long as that machine this one takes to multiply matrices."""
    matrix = np.ones((800, 800))
    matrix @ matrix
    start = time.process_time()
    for _ in range(PROBES):
        matrix @ matrix
    return (time.process_time() - start) / PROBE_SECONDS


def network_seconds(model: MLPClassifier, images: int, pixels: int, classes: int) -> float:
    """Seconds of a network's fit.

    Notes
    -----
    Measured on Fashion-MNIST with 500 to 10,000 images, in double precision: a network with one
    hidden layer goes on for some 130 epochs, a deeper one for some 90.
    """
    architecture = model.hidden_layer_sizes
    epochs = min(130 if len(architecture) == 1 else 90, model.max_iter)
    weights = networks.weight_count(architecture, pixels, classes)
    return epochs * images * (weights + 21 * pixels) * PER_WEIGHT


def pair_seconds(
    points: list[dict[str, Any]], folds: int, images_a: Bytes, images_b: Bytes
) -> float:
    """Seconds of the fits of one class against another, from a fit to a few of their images.

    Parameters
    ----------
    points
        Arguments of `SVC`.
    folds
        Fits at each of them.
    images_a, images_b
        Shape (n_class, height, width).

    Notes
    -----
    Measured on the pairs of Fashion-MNIST, with 21 kernels, five folds and 2,500 to 20,000 images.
    The time grows with the square of the number of images; for a linear kernel, which cannot
    separate many images of two similar classes, with its fifth power.
    """
    few = [images[:FEW] for images in (images_a, images_b)]
    pixels = np.concatenate(few).reshape(sum(map(len, few)), -1) / WHITE
    probe = SVC(kernel="linear").fit(pixels, np.repeat([0, 1], [len(f) for f in few]))
    alike, size = (probe.n_iter_[0] / 260) ** 2, (len(images_a) + len(images_b)) / 2000
    seconds_of_kernel = {
        "linear": 4e-3 * size**2 + 3e-2 * size**5 * alike,
        "poly": (3e-3 + 4e-3 * alike) * size**2,
        "rbf": (1.8e-2 + 5e-4 * alike) * size**2,
    }
    return folds * sum(5e-4 + seconds_of_kernel[point["kernel"]] for point in points)


def svm_seconds(images: Bytes, labels: Labels, points: list[dict[str, Any]], folds: int) -> float:
    """Seconds of the fits of all pairs of classes and of their scores, in so many folds."""
    by_class = [images[labels == label] for label in np.unique(labels)]
    fitting = sum(
        pair_seconds(points, folds, by_class[a], by_class[b]) for a, b in class_pairs(len(by_class))
    )
    return fitting + len(points) * len(images) ** 2 * PER_SCORE


def clustering_seconds(pixels: int, ks: Iterable[int], n_init: int) -> float:
    """Seconds of K-means with each number of clusters, on so many pixels in all."""
    return sum(pixels * n_init * (k + 2) * PER_PIXEL for k in ks)


def _validate(
    model: MLPClassifier, pixels: Pixels, labels: Labels, training: Labels, _: Labels
) -> float:
    return network_seconds(model, len(training), pixels.shape[1], len(np.unique(labels)))


def _fit_and_predict(model: MLPClassifier, pixels: Pixels, labels: Labels, _: Pixels) -> float:
    return network_seconds(model, len(labels), pixels.shape[1], len(np.unique(labels)))


def _network_mistakes(
    model: MLPClassifier,
    drawn: tuple[int, int],
    _: str,
    pixels: Bytes,
    labels: Bytes,
    *__: Any,
) -> float:
    return network_seconds(model, drawn[1], pixels[0].size, len(np.unique(labels)))


def _fit_pair_in_folds(
    points: list[dict[str, Any]], gammas: Pixels, images_a: Bytes, images_b: Bytes, *_: Any
) -> float:
    return pair_seconds(points, gammas.shape[1], images_a, images_b)


def _score_class(
    points: list[dict[str, Any]],
    _: Pixels,
    images: Bytes,
    __: Labels,
    class_images: Bytes,
    *___: Any,
) -> float:
    return len(points) * len(images) * len(class_images) * PER_SCORE


def _kernel_of_class(_: dict[str, Any], __: float, class_images: Bytes) -> float:
    return len(class_images) ** 2 * PER_KERNEL_VALUE


def _fit_pair(point: dict[str, Any], _: float, images_a: Bytes, images_b: Bytes, *__: Any) -> float:
    return pair_seconds([point], 1, images_a, images_b)


def _decide(_: SVC, __: float, vectors: Bytes, images: Bytes) -> float:
    return len(images) * len(vectors) * PER_KERNEL_VALUE


def _cluster(pixels: Pixels, _: Labels, k: int, n_init: int, __: int) -> float:
    return clustering_seconds(pixels.size, [k], n_init)


# For each function that is called many times, a function of the same arguments: its seconds.
SECONDS: dict[Callable[..., Any], Callable[..., float]] = {
    networks.validate: _validate,
    networks.fit_and_predict: _fit_and_predict,
    draws.network_mistakes: _network_mistakes,
    kernel_search.fit_pair: _fit_pair_in_folds,
    kernel_search.score_class: _score_class,
    one_against_one.kernel_of_class: _kernel_of_class,
    one_against_one.fit_pair: _fit_pair,
    one_against_one.decide: _decide,
    clusters.fit: _cluster,
}


def estimated_seconds(function: Callable[..., Any], arguments: Sequence[Any]) -> float:
    """About how long a call takes, in seconds; 1 for an unknown function."""
    seconds = SECONDS.get(function)
    return seconds(*arguments) if seconds else 1.0
