"""How much memory fits need, estimated in advance: an upper bound in bytes, beyond what is in use.

Each bound is the peak: the largest sum of the arrays that a stage holds at one moment. The notes
of each function list the moments. `samples` counts training images, `tests` test images, `pixels`
the pixels of an image, and `counts` the images of each class.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from stages.learn.class_pairs import class_pairs
from stages.learn.clusters import BLOCK
from stages.learn.networks import weight_count
from stages.learn.one_against_one import CACHE, CHUNK
from stages.run import concurrency

PROCESS = 145_000_000  # bytes of a process before it has images
NUMBERS_PER_WEIGHT = {"sgd": 6, "adam": 8}  # gradient, velocity and so on
ARENA = 2**24  # bytes that the C library may keep of freed arrays below 32 MB


def kept_of(freed: float) -> float:
    """About how many bytes of freed arrays the C library keeps for a while."""
    return min(freed, ARENA)


def network_search(
    samples: int,
    tests: int,
    architectures: Sequence[Sequence[int]],
    folds: int,
    solver: str,
    pixels: int,
    classes: int,
    dtype: str,
) -> float:
    """Bytes of a search over networks.

    Notes
    -----
    The images, twice while they are scaled. For each fit at a time its own images: first those it
    fits, later the held-out ones with the activations of all units of two layers. When the best
    network is tried, the activations of all images. Several fits at once are as many processes,
    and a copy of the images that all of them see.
    """
    weights = [weight_count(architecture, pixels, classes) for architecture in architectures]
    at_once = min(concurrency.at_once_here(), len(weights) * folds)
    in_this_process = concurrency.at_once_here() == 1  # joblib then starts no process
    largest = sorted(weights * folds, reverse=True)[:at_once]
    units = max(a + b for layers in architectures for a, b in pairwise([*layers, classes]))
    held_out = 1 / folds
    each = max(pixels * (1 - held_out), (pixels + units) * held_out)
    images = max(
        samples * 2 * pixels,
        samples * ((1 if in_this_process else 2) * pixels + at_once * each),
        samples * pixels + max(samples, tests) * units,
    )
    numbers = images + tests * pixels + NUMBERS_PER_WEIGHT[solver] * sum(largest)
    processes = 0 if in_this_process else at_once * PROCESS
    return processes + numbers * np.dtype(dtype).itemsize


def network_draws(
    samples: int,
    tests: int,
    architecture: Sequence[int],
    solver: str,
    fits: int,
    pixels: int,
    classes: int,
    dtype: str,
) -> float:
    """Bytes of a network's fits to several draws.

    Notes
    -----
    For each fit at a time its images as they are, and twice while they are scaled: those it fits
    or the test images. Or the test images with the activations of all units of two layers.
    """
    at_once = min(concurrency.at_once_here(), fits)
    in_this_process = concurrency.at_once_here() == 1  # joblib then starts no process
    units = max(a + b for a, b in pairwise([*architecture, classes]))
    numbers = max(2 * pixels * max(samples, tests), tests * (pixels + units))
    numbers += NUMBERS_PER_WEIGHT[solver] * weight_count(architecture, pixels, classes)
    each = numbers * np.dtype(dtype).itemsize + samples * pixels
    return at_once * (each + (0 if in_this_process else PROCESS))


def kernel_search(
    counts: Sequence[int], pixels: int, points: Sequence[dict[str, Any]], folds: int
) -> float:
    """Bytes of a search over kernels.

    Notes
    -----
    First, for each pair at a time, products and kernel in float64, and beside them in float32 the
    parts of the products, then the rows that libsvm keeps; and the coefficients of all pairs. Then
    the coefficients twice, the scores of each class, and for each class at a time products and
    kernel of held-out images.
    """
    samples = sum(counts)
    held_out = samples / folds

    def pair(size: int) -> float:
        return 20 * size**2 + 16 * size * pixels + kept_of(4 * size**2)

    def score(count: int) -> float:
        passing = 4 * held_out * count + pixels * (5 * held_out + 4 * count)
        return 16 * held_out * count + passing + kept_of(passing)

    pairs = [counts[a] + counts[b] for a, b in class_pairs(len(counts))]
    coefficients = 8 * len(points) * samples * (len(counts) - 1)
    return pixels * samples + max(
        folds * coefficients + _largest(pair, pairs),
        (2 * folds + len(counts)) * coefficients + _largest(score, counts),
        _variance(samples, pixels, points),
    )


def svm_fit(counts: Sequence[int], pixels: int, points: Sequence[dict[str, Any]]) -> float:
    """Bytes of the fit of one support vector machine, and of its predictions.

    Notes
    -----
    First the kernels of all classes in float32, for each pair at a time the whole kernel in
    float64, and the rows that libsvm keeps. Or, beside the kernels, the support vectors while they
    are scaled: two in five images of Fashion-MNIST. Then the support vectors, and for training and
    test images products and kernel with a chunk of them; at last three copies of the support
    vectors, when they are written.
    """
    samples = sum(counts)
    vectors = round(0.4 * samples)
    kernels = sum(4 * count**2 for count in counts)

    def pair(size: int) -> float:
        rows = min(4 * size**2, CACHE * 2**20)
        return 8 * size**2 + rows + kept_of(3 * CHUNK * size)

    pairs = [counts[a] + counts[b] for a, b in class_pairs(len(counts))]
    return pixels * samples + max(
        kernels + _largest(pair, pairs),
        kernels + 16 * pixels * vectors,
        vectors * (32 * pixels + 8 * CHUNK),
        vectors * (8 * pixels + concurrency.at_once_here() * (12 * CHUNK + 8 * pixels)),
        _variance(samples, pixels, points),
    )


def clusterings(samples: int, pixels: int, ks: Sequence[int], dtype: str) -> float:
    """Bytes of K-means with several numbers of clusters, and of their silhouettes.

    Notes
    -----
    The images, twice while they are scaled. For each fit at a time a copy of them with their mean
    taken off, and beside it first their variances, later Elkan's bounds. Then blocks of distances.
    """
    itemsize = np.dtype(dtype).itemsize
    at_once = min(concurrency.at_once_here(), len(set(ks)))
    fit = pixels + max(pixels, *ks)
    beside = max(samples * max(pixels, at_once * fit) * itemsize, BLOCK * 2**20)
    return samples * pixels * itemsize + beside


def _largest(memory_of: Callable[[int], float], sizes: Sequence[int]) -> float:
    """Bytes of the largest tasks, of those that run here at once."""
    return sum(map(memory_of, sorted(sizes, reverse=True)[: concurrency.at_once_here()]))


def _variance(samples: int, pixels: int, points: Sequence[dict[str, Any]]) -> float:
    """Bytes of the variance of all pixels, if gamma = scale asks for it."""
    return 16 * samples * pixels if any(p.get("gamma") == "scale" for p in points) else 0
