"""The study on all training images: what the field's table has, and what it has not.

    python -m tools.bench.full

Networks and a support vector machine on all images, the kernel search and the clusters on more
than the pipeline takes. Says first how long that will take, prints the results, and writes those
that the same commit makes again to docs/full.json.
"""

from pathlib import Path
from typing import Any

from stages import kmeans, mlp_search, svm_eval  # before NumPy is loaded
from stages.files import prepared

# isort: split
import numpy as np

from stages.errors import UserError
from stages.files import artifacts
from stages.files.settings import Mlp, Settings
from stages.learn import images, one_against_one, scores
from stages.learn.images import Bytes, Labels, Pixels
from stages.run import fits, memory, stage
from stages.run.terminal import print_table

RESULTS = Path("docs/full.json")
SEARCHED = 20_000  # images, of the kernel search and of K-means
COMMON = [100]  # the architecture that the field's table has

# Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, table 3: accuracy on the test images.
FIELD = {"SVC, rbf, C = 10": 0.897, "MLPClassifier, ReLU, [100]": 0.871}


def architectures(mlp: Mlp) -> list[list[int]]:
    """The winner of the pipeline's search, and the one that the field's table has.

    Raises
    ------
    UserError
        If the pipeline has not been run.
    """
    try:
        best = artifacts.read_json(Path("metrics/mlp.json"))["large"]["architecture"]
    except FileNotFoundError:
        raise UserError("metrics/mlp.json is missing: run `dvc repro` first.") from None
    winner = next(a for a in mlp.architectures if mlp_search.name(a) == best)
    return [winner] if winner == COMMON else [winner, COMMON]


def fit_network(
    architecture: list[int],
    mlp: Mlp,
    seed: int,
    pixels: Pixels,
    labels: Labels,
    test_pixels: Pixels,
) -> tuple[Labels, int]:
    """Predictions of the test images, and number of epochs, of a network fitted to all others."""
    model = mlp_search.fit(mlp_search.network(architecture, mlp, seed), pixels, labels)
    return model.predict(test_pixels), model.n_iter_


def networks(
    dataset: images.Dataset, chosen: Bytes, labels: Labels, params: Settings
) -> dict[str, Any]:
    """Fit the networks to all images; their test errors and epochs."""
    dtype = params.data.dtype
    pixels, test_pixels = (images.scaled(x, dtype) for x in (chosen, dataset.test_images))
    tried = architectures(params.mlp)
    classes = len(dataset.labels)
    fitted = fits.run(
        f"full: networks, {len(labels)} images",
        fit_network,
        [
            fits.Task(
                mlp_search.name(architecture),
                (architecture, params.mlp, params.seed, pixels, labels, test_pixels),
                mlp_search.seconds(architecture, params.mlp, len(labels), pixels.shape[1], classes),
            )
            for architecture in tried
        ],
    )
    return {
        mlp_search.name(architecture): {
            "test_error": scores.error(dataset.test_labels, predicted),
            "epochs": epochs,
        }
        for architecture, (predicted, epochs) in zip(tried, fitted, strict=True)
    }


def machine(
    dataset: images.Dataset, chosen: Bytes, labels: Labels, params: Settings
) -> dict[str, Any]:
    """Search for a kernel, and fit an SVC with the best one to all images."""
    svm, searched = params.svm, slice(SEARCHED)
    points = svm_eval.points_of(svm.grid)
    accuracy = svm_eval.cross_validate(
        chosen[searched], labels[searched], points, svm.folds, dataset.labels
    ).mean(axis=1)
    best = int(accuracy.argmax())
    model = one_against_one.fit(points[best], chosen, labels, dataset.labels, "full: SVC")
    predicted = one_against_one.predict(model, dataset.test_images, "full: test images")
    return {
        "search": [{**p, "cv_accuracy": a} for p, a in zip(points, accuracy, strict=True)],
        "best": {
            **points[best],
            "test_error": scores.error(dataset.test_labels, predicted),
            "support_vectors": len(model.support_),
        },
    }


def clusters(chosen: Bytes, labels: Labels, params: Settings) -> dict[str, float]:
    """Mean silhouette by number of clusters."""
    pixels = images.scaled(chosen[:SEARCHED], params.data.dtype)
    fitted = kmeans.fit_all(pixels, labels[:SEARCHED], params.kmeans, params.seed)
    silhouettes = kmeans.silhouettes_of(pixels, {k: m.labels_ for k, m in fitted.items()})
    return {str(k): float(silhouettes[k].mean()) for k in params.kmeans.k}


def announce(dataset: images.Dataset, chosen: Bytes, labels: Labels, params: Settings) -> None:
    """Say about how long all of it takes."""
    svm, pixels, classes = params.svm, chosen[0].size, len(dataset.labels)
    points = svm_eval.points_of(svm.grid)
    searched = chosen[:SEARCHED]
    alone = max(
        mlp_search.seconds(architecture, params.mlp, len(labels), pixels, classes)
        for architecture in architectures(params.mlp)
    )
    shared = (
        svm_eval.expected(searched, labels[:SEARCHED], points, svm.folds)
        + svm_eval.expected(chosen, labels, points[-1:], 1)
        + sum(kmeans.expected(searched.size, params.kmeans).values())
    )
    fits.announce("full", shared, alone)


def check_memory(chosen: Bytes, labels: Labels, params: Settings) -> None:
    """Check that there is memory for the largest fit, the support vector machine's.

    Raises
    ------
    UserError
    """
    points, size = svm_eval.points_of(params.svm.grid), chosen[0].size
    reckoned = svm_eval.taken_by_fit(np.bincount(labels).tolist(), size, points)
    taken = memory.with_margin(reckoned)
    if taken > memory.free():
        raise UserError(
            f"A support vector machine of all {len(labels)} images takes {taken / 1e9:.1f} GB, "
            f"and {memory.free() / 1e9:.1f} GB are free here: run it on a larger machine."
        )


def main(params: Settings) -> None:
    """Fit all, show it beside the field's table."""
    dataset = prepared.load()
    chosen, labels = images.training_set(dataset, len(dataset.train_labels), "all images")
    check_memory(chosen, labels, params)
    announce(dataset, chosen, labels, params)
    found = {
        "samples": {"all": len(labels), "searched": min(SEARCHED, len(labels))},
        "mlp": networks(dataset, chosen, labels, params),
        "svm": machine(dataset, chosen, labels, params),
        "silhouette": clusters(chosen, labels, params),
    }
    artifacts.write_json(RESULTS, found)
    print_table(
        f"full: accuracy on the test images, after {len(labels)} training images",
        ["", "the field's table", "here"],
        table(found),
    )
    print_table(
        f"full: silhouettes of {found['samples']['searched']} images",
        ["k", "silhouette"],
        [[k, f"{value:.6f}"] for k, value in found["silhouette"].items()],
    )


def table(found: dict[str, Any]) -> list[list[object]]:
    """Rows of the field's table beside what was found."""
    best, common = found["svm"]["best"], str(COMMON[0])
    here = {
        "SVC, rbf, C = 10": 1 - best["test_error"],
        "MLPClassifier, ReLU, [100]": 1 - found["mlp"][common]["test_error"],
    }
    return [[what, f"{accuracy:.3f}", f"{here[what]:.4f}"] for what, accuracy in FIELD.items()]


if __name__ == "__main__":
    stage.run_tool(main)
