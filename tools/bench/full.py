"""Fit networks and an SVM to all training images, and compare with the paper's table.

    python -m tools.full

The kernel search and the clusters use 20,000 training images. The
command first prints the expected time. It prints the results and writes them to docs/full.json,
which is the same for the same commit.
"""

from pathlib import Path
from typing import Any

from stages.files import artifacts, prepared  # before NumPy is loaded

# isort: split
import numpy as np
from sklearn.neural_network import MLPClassifier

from stages.errors import UserError
from stages.files.settings import Mlp, Settings
from stages.learn import clusters, kernel_search, networks, one_against_one, scores
from stages.learn.images import Bytes, Dataset, Labels, scaled, training_set
from stages.learn.tasks import Task
from stages.run import fits, memory, memory_needed, time_needed
from stages.run.terminal import print_table

RESULTS = Path("docs/full.json")
SEARCHED = 20_000  # images of the kernel search and of K-means
COMMON = [100]  # the architecture in the paper's table

# Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, table 3: accuracy on the test images.
FIELD = {"SVC, rbf, C = 10": 0.897, "MLPClassifier, ReLU, [100]": 0.871}


def architectures(mlp: Mlp) -> list[list[int]]:
    """Return the winner of the pipeline's search, and the architecture in the paper's table.

    Raises
    ------
    UserError
        If the pipeline has not been run.
    """
    try:
        best = artifacts.read_json(Path("metrics/mlp.json"))["large"]["architecture"]
    except FileNotFoundError:
        raise UserError("metrics/mlp.json is missing: run `dvc repro` first.") from None
    winner = next(a for a in mlp.architectures if networks.name(a) == best)
    return [winner] if winner == COMMON else [winner, COMMON]


def fit_networks(
    dataset: Dataset, candidates: list[MLPClassifier], images: Bytes, labels: Labels, dtype: str
) -> dict[str, Any]:
    """Fit the networks to all images; return their test errors and epochs."""
    pixels, test_pixels = (scaled(x, dtype) for x in (images, dataset.test_images))
    tasks = [
        Task(networks.name(model.hidden_layer_sizes), (model, pixels, labels, test_pixels))
        for model in candidates
    ]
    fitted = fits.in_processes("full")(
        f"networks, {len(labels)} images", networks.fit_and_predict, tasks
    )
    return {
        task.name: {"test_error": scores.error(dataset.test_labels, predicted), "epochs": epochs}
        for task, (predicted, epochs) in zip(tasks, fitted, strict=True)
    }


def fit_svm(
    dataset: Dataset, images: Bytes, labels: Labels, points: list[dict[str, Any]], folds: int
) -> dict[str, Any]:
    """Search over kernels, and fit an SVC with the best one to all images."""
    accuracy = kernel_search.cross_validate(
        images[:SEARCHED],
        labels[:SEARCHED],
        points,
        folds,
        dataset.labels,
        fits.in_threads("full: kernel search"),
    ).mean(axis=1)
    best = int(accuracy.argmax())
    model = one_against_one.fit(
        points[best], images, labels, dataset.labels, fits.in_threads("full: SVC")
    )
    predicted = one_against_one.predict(
        model, dataset.test_images, fits.in_threads("full: predicting the test set")
    )
    return {
        "search": [{**p, "cv_accuracy": a} for p, a in zip(points, accuracy, strict=True)],
        "best": {
            **points[best],
            "test_error": scores.error(dataset.test_labels, predicted),
            "support_vectors": len(model.support_),
        },
    }


def mean_silhouettes(images: Bytes, labels: Labels, params: Settings) -> dict[str, float]:
    """Return the mean silhouette by number of clusters."""
    kmeans, pixels = params.kmeans, scaled(images[:SEARCHED], params.data.dtype)
    fitted = clusters.fit_all(
        pixels,
        labels[:SEARCHED],
        [*kmeans.k, kmeans.clusters],
        kmeans.n_init,
        params.seed,
        fits.in_threads("full: clusters"),
    )
    silhouettes = clusters.silhouettes(pixels, {k: m.labels_ for k, m in fitted.items()})
    return {str(k): float(silhouettes[k].mean()) for k in kmeans.k}


def announce(
    images: Bytes,
    labels: Labels,
    candidates: list[MLPClassifier],
    points: list[dict[str, Any]],
    params: Settings,
) -> None:
    """Print the expected time."""
    searched, kmeans = images[:SEARCHED], params.kmeans
    classes = len(np.unique(labels))
    seconds = (
        time_needed.svm_seconds(searched, labels[:SEARCHED], points, params.svm.folds)
        + time_needed.svm_seconds(images, labels, points[-1:], 1)
        + time_needed.clustering_seconds(searched.size, {*kmeans.k, kmeans.clusters}, kmeans.n_init)
    )
    alone = max(
        time_needed.network_seconds(model, len(labels), images[0].size, classes)
        for model in candidates
    )
    time_needed.announce("full", seconds, alone)


def check_memory(images: Bytes, labels: Labels, points: list[dict[str, Any]]) -> None:
    """Check that there is memory for the SVM, which is the largest fit.

    Raises
    ------
    UserError
        If there is not enough.
    """
    counts = np.bincount(labels).tolist()
    needed = memory.with_margin(memory_needed.svm_fit(counts, images[0].size, points))
    if needed > memory.free():
        raise UserError(
            f"An SVM on all {len(labels)} images needs {needed / 1e9:.1f} GB, "
            f"but {memory.free() / 1e9:.1f} GB are free: run it on a machine with more memory."
        )


def main(params: Settings) -> None:
    """Fit all models, print and write the results."""
    dataset = prepared.load()
    images, labels = training_set(dataset, len(dataset.train_labels), "all images")
    points = kernel_search.grid_points(params.svm.grid.kernels)
    candidates = [
        networks.network(architecture, params.seed, **params.mlp.hyperparameters)
        for architecture in architectures(params.mlp)
    ]
    check_memory(images, labels, points)
    announce(images, labels, candidates, points, params)
    found = {
        "samples": {"all": len(labels), "searched": min(SEARCHED, len(labels))},
        "mlp": fit_networks(dataset, candidates, images, labels, params.data.dtype),
        "svm": fit_svm(dataset, images, labels, points, params.svm.folds),
        "silhouette": mean_silhouettes(images, labels, params),
    }
    artifacts.write_json(RESULTS, found)
    print_table(
        f"full: test accuracy with {len(labels)} training images",
        ["", "Fashion-MNIST paper", "here"],
        table(found),
    )
    print_table(
        f"full: mean silhouettes of {found['samples']['searched']} images",
        ["k", "silhouette"],
        [[k, f"{value:.6f}"] for k, value in found["silhouette"].items()],
    )


def table(found: dict[str, Any]) -> list[list[object]]:
    """Return rows with the paper's accuracies and ours."""
    best, common = found["svm"]["best"], str(COMMON[0])
    here = {
        "SVC, rbf, C = 10": 1 - best["test_error"],
        "MLPClassifier, ReLU, [100]": 1 - found["mlp"][common]["test_error"],
    }
    return [[what, f"{accuracy:.3f}", f"{here[what]:.4f}"] for what, accuracy in FIELD.items()]
