"""mlp_search: search for the architecture of a neural network, with few images and with many.

    data/prepared → models/mlp_small.skops, models/mlp.skops, metrics/mlp.json,
                    plots/mlp_cv.csv, plots/mlp_loss.csv, plots/mlp_*predictions.csv

    python -m stages.mlp_search

A grid search by cross-validation runs twice: with few training images, and with many. Each search
refits its best network to all of its images, and predicts the test images.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.neural_network import MLPClassifier

from stages.files import artifacts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import images, networks, scores
from stages.learn.images import Dataset, Labels, Pixels
from stages.run import fits, forecast, stage
from stages.run.terminal import print_table, say


class Search(NamedTuple):
    """What a search found.

    Attributes
    ----------
    model
        The best network, fitted to all images.
    accuracy
        Of each architecture in each fold, shape (n_architectures, n_folds).
    predicted
        Labels that the model gives the test images, shape (n_test_images,).
    metrics
        For `metrics/mlp.json`.
    """

    model: MLPClassifier
    accuracy: npt.NDArray[np.float64]
    predicted: Labels
    metrics: dict[str, Any]


def search(
    dataset: Dataset, test_pixels: Pixels, samples: int, key: str, params: Settings
) -> Search:
    """Search with so many images; `key` is the parameter that asks for this many."""
    mlp, title = params.mlp, f"mlp_search: {samples} images"
    chosen, labels = images.training_set(dataset, samples, key, mlp.folds)
    pixels = images.scaled(chosen, params.data.dtype)
    candidates = [
        networks.network(architecture, params.seed, **mlp.hyperparameters)
        for architecture in mlp.architectures
    ]

    accuracy, epochs = networks.cross_validate(
        candidates, pixels, labels, mlp.folds, fits.in_processes("mlp_search")
    )
    means = accuracy.mean(axis=1)
    best = int(means.argmax())
    architecture = networks.name(mlp.architectures[best])
    say(f"{title}: refitting the best architecture, {architecture}, to all images")
    model = networks.fit(candidates[best], pixels, labels)
    predicted = networks.predict(model, test_pixels)

    unconverged = networks.unconverged(candidates, epochs, model)
    if unconverged:
        say(
            f"{title}: these fits did not converge in {mlp.max_iter} epochs (mlp.max_iter): "
            + "; ".join(unconverged)
        )
    metrics = {
        "samples": samples,
        "architecture": architecture,
        "cv_accuracy": float(means[best]),
        "train_error": scores.error(labels, networks.predict(model, pixels)),
        **scores.of_test_images(dataset.test_labels, predicted),
        "epochs": model.n_iter_,
        "unconverged_fits": len(unconverged),
    }
    return Search(model, accuracy, predicted, metrics)


def main(params: Settings) -> None:
    """Search twice; write models, metrics and tables."""
    dataset, mlp = prepared.load(), params.mlp
    forecast.network_search(dataset, mlp, params.data.dtype)
    test_pixels = images.scaled(dataset.test_images, params.data.dtype)
    small = search(dataset, test_pixels, mlp.small_samples, "mlp.small_samples", params)
    large = search(dataset, test_pixels, mlp.samples, "mlp.samples", params)

    searches = {"small": small, "large": large}
    metrics = {size: found.metrics for size, found in searches.items()}
    names = [networks.name(architecture) for architecture in mlp.architectures]
    models.write(Path("models/mlp_small.skops"), small.model)
    models.write(Path("models/mlp.skops"), large.model)
    artifacts.write_json(Path("metrics/mlp.json"), metrics)
    artifacts.write_table(
        Path("plots/mlp_cv.csv"),
        pd.concat(
            tables.network_folds(names, found.accuracy, found.metrics["samples"])
            for found in searches.values()
        ),
    )
    artifacts.write_table(
        Path("plots/mlp_loss.csv"),
        pd.concat(
            tables.losses(found.model.loss_curve_, found.metrics["samples"])
            for found in searches.values()
        ),
    )
    for stem, found in (("mlp_small", small), ("mlp", large)):
        artifacts.write_table(
            Path(f"plots/{stem}_predictions.csv"),
            tables.predictions(dataset.labels, dataset.test_labels, found.predicted),
        )
    print_table(
        f"mlp_search: {dataset.name}, accuracy in cross-validation",
        ["architecture", *(f"{found.metrics['samples']} images" for found in searches.values())],
        [
            [name, *(f"{found.accuracy[i].mean():.4f}" for found in searches.values())]
            for i, name in enumerate(names)
        ],
    )
    print_table(
        "mlp_search: the best, refitted",
        ["", *searches],
        [[key, *(metrics[size][key] for size in searches)] for key in small.metrics],
    )


if __name__ == "__main__":
    stage.run(main)
