"""Do the pipeline's work through the functions that its stages call, for `make bench` to time.

    python -m tools.bench.parts networks --samples 10000

Run it in a project with data/prepared. The parts have the same names as in `notebook.py`. The times
include the start of processes, but no imports and no reading of files. The command prints the
seconds of each step as JSON. With --results it also writes the resulting arrays.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from stages.files import prepared  # before NumPy is loaded

# isort: split
import numpy as np
from sklearn.model_selection import ParameterGrid

from stages.files.settings import Settings
from stages.learn import clusters as kmeans
from stages.learn import images, one_against_one
from stages.learn import kernel_search as kernels
from stages.learn import networks as mlp
from stages.learn.images import Dataset
from stages.learn.tasks import Task
from stages.run import concurrency, fits, stage
from tools.bench.notebook import POINTS, Arrays, Clock, learned
from tools.shared.arguments import Parser

BEST = {"kernel": "rbf", "C": 10, "gamma": 0.01}
SAMPLES = "--samples"
BATCH = 200  # batch size of scikit-learn's networks
REPEATS = 300


def networks(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Search over architectures and refit the best one."""
    dtype = params.data.dtype
    chosen, labels = images.training_set(dataset, samples, SAMPLES)
    pixels = images.scaled(chosen, dtype)
    candidates = [
        mlp.network(architecture, params.seed, **params.mlp.hyperparameters)
        for architecture in params.mlp.architectures
    ]
    with clock.time("search"):
        accuracy, epochs = mlp.cross_validate(
            candidates, pixels, labels, params.mlp.folds, fits.in_processes("networks")
        )
        best = int(accuracy.mean(axis=1).argmax())
        model = mlp.fit(candidates[best], pixels, labels)
    return {
        "means": accuracy.mean(axis=1),
        "epochs": epochs,
        "final_epochs": np.array(model.n_iter_),
        "best": np.array(best),
        **learned(model, images.scaled(dataset.test_images, dtype)),
    }


def products(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Time the matrix products of one batch for each architecture, on all cores that fits use."""
    inputs, classes = dataset.train_images[0].size, len(dataset.labels)
    batch = min(BATCH, samples)
    layers = [[inputs, *widths, classes] for widths in params.mlp.architectures]
    tasks = [Task("", (widths, batch, params.data.dtype)) for widths in layers]
    on_every_core = [task for task in tasks for _ in range(concurrency.at_once())]
    with clock.time("all"):
        seconds = fits.in_processes("products")("batches", products_of_batch, on_every_core)
    return {
        "batch": np.array(batch),
        "seconds": np.reshape(seconds, (len(layers), -1)).mean(axis=1),
        # Each layer has a product forward and one for the gradient of its weights. All layers
        # but the first have one for the gradient of their inputs.
        "operations": np.array(
            [
                2 * batch * (3 * sum(a * b for a, b in pairwise(widths)) - widths[0] * widths[1])
                for widths in layers
            ]
        ),
    }


def products_of_batch(widths: list[int], batch: int, dtype: str) -> float:
    """Return the seconds of the matrix products of one training step on one batch."""
    activations = [np.ones((batch, width), dtype) for width in widths]
    weights = [np.ones(shape, dtype) for shape in pairwise(widths)]
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for i, matrix in enumerate(weights):
            activations[i] @ matrix
            activations[i].T @ activations[i + 1]
            if i:
                activations[i + 1] @ matrix.T
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def kernel_search(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Search over kernels."""
    grid = kernels.grid_points(params.svm.grid.kernels)
    return cross_validate(dataset, samples, grid, params, clock)


def points(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Search over three points of each kernel."""
    return cross_validate(dataset, samples, list(ParameterGrid(POINTS)), params, clock)


def cross_validate(
    dataset: Dataset,
    samples: int,
    grid: list[dict[str, Any]],
    params: Settings,
    clock: Clock,
) -> Arrays:
    """Return the mean accuracy of each point of a grid."""
    chosen, labels = images.training_set(dataset, samples, SAMPLES)
    with clock.time("search"):
        accuracy = kernels.cross_validate(
            chosen, labels, grid, params.svm.folds, dataset.labels, fits.in_threads("kernels")
        )
    return {"means": accuracy.mean(axis=1)}


def svm(
    dataset: Dataset, samples: int, _: Settings, clock: Clock, train_error: bool = True
) -> Arrays:
    """Fit an SVM with the best kernel; predict the test set and the training set."""
    chosen, labels = images.training_set(dataset, samples, SAMPLES)
    with clock.time("fit"):
        model = one_against_one.fit(BEST, chosen, labels, dataset.labels, fits.in_threads("svm"))
    with clock.time("score"):
        image_sets = [dataset.test_images, *([chosen] if train_error else [])]
        predicted, *predicted_training = (
            one_against_one.predict(model, x, fits.in_threads("predictions")) for x in image_sets
        )
    return {
        "support": model.support_,
        "coefficients": model.dual_coef_,
        "intercepts": model.intercept_,
        "predicted": predicted,
        "retold": np.concatenate([*predicted_training, labels[:0]]),
    }


def large_svm(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Fit the SVM to many images; predict the test set."""
    return svm(dataset, samples, params, clock, train_error=False)


def clusters(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Cluster with all k of params.yaml, and compute their silhouettes."""
    return cluster(dataset, samples, params, clock, params.kmeans.k)


def ten_clusters(dataset: Dataset, samples: int, params: Settings, clock: Clock) -> Arrays:
    """Find ten clusters and their silhouettes."""
    return cluster(dataset, samples, params, clock, [params.kmeans.clusters])


def cluster(
    dataset: Dataset, samples: int, params: Settings, clock: Clock, ks: list[int]
) -> Arrays:
    """Cluster with several k, and compute the mean silhouette of each."""
    chosen, labels = images.training_set(dataset, samples, SAMPLES)
    pixels = images.scaled(chosen, params.data.dtype)
    all_ks, n_init = [*ks, params.kmeans.clusters], params.kmeans.n_init
    with clock.time("all"):
        models = kmeans.fit_all(
            pixels, labels, all_ks, n_init, params.seed, fits.in_threads("clusters")
        )
        found = {k: model.labels_ for k, model in models.items()}
        silhouettes = kmeans.silhouettes(pixels, found)
    return {
        **{f"labels_{k}": of_images for k, of_images in found.items()},
        "silhouettes": np.array([silhouettes[k].mean() for k in ks]),
    }


PARTS: dict[str, Callable[[Dataset, int, Settings, Clock], Arrays]] = {
    part.__name__: part
    for part in (
        networks,
        products,
        kernel_search,
        points,
        svm,
        large_svm,
        clusters,
        ten_clusters,
    )
}


def main(options: argparse.Namespace, params: Settings) -> None:
    """Do one part and print its times."""
    clock = Clock()
    arrays = PARTS[options.part](prepared.load(), options.samples, params, clock)
    if options.results:
        np.savez(options.results, **arrays)
    print(json.dumps(clock.seconds))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="parts", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument(SAMPLES, type=int, required=True)
    parser.add_argument("--results", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    stage.run(partial(main, parse()))
