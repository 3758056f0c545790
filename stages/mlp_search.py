"""mlp_search: search for the architecture of a neural network, with few images and with many.

    data/prepared → models/mlp_small.skops, models/mlp.skops, metrics/mlp.json,
                    plots/mlp_cv.csv, plots/mlp_loss.csv, plots/mlp_*predictions.csv

    python -m stages.mlp_search

A grid search by cross-validation runs twice: with few training images, and with many. Each search
refits its best network to all of its images, and predicts the test images.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from stages.files import artifacts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import images, networks, scores
from stages.learn.images import Dataset, Labels, Pixels
from stages.run import fits, forecast, records, stage
from stages.run.records import Record
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
    training: tuple[Pixels, Labels],
    candidates: Sequence[MLPClassifier],
    dataset: Dataset,
    test_pixels: Pixels,
    params: Settings,
    record: Record,
) -> Search:
    """Search with some training images."""
    (pixels, labels), mlp, samples = training, params.mlp, len(training[1])
    title = f"mlp_search: {samples} images"
    accuracy, epochs = networks.cross_validate(
        candidates, pixels, labels, mlp.folds, fits.in_processes("mlp_search", record)
    )
    means = accuracy.mean(axis=1)
    best = int(means.argmax())
    model = clone(candidates[best])
    architecture = networks.name(model.hidden_layer_sizes)
    say(f"{title}: refitting the best architecture, {architecture}, to all images")
    networks.fit(model, pixels, labels)
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
    dataset, mlp, dtype = prepared.load(), params.mlp, params.data.dtype
    forecast.check_network_search(dataset, mlp, dtype)
    record = records.of_this_clone("mlp_search")
    candidates = [
        networks.network(architecture, params.seed, **mlp.hyperparameters)
        for architecture in mlp.architectures
    ]
    few, many = (
        _training(dataset, samples, key, params)
        for key, samples in (
            ("mlp.small_samples", mlp.small_samples),
            ("mlp.samples", mlp.samples),
        )
    )
    validations = [
        task
        for training in (few, many)
        for task in networks.validations(candidates, *training, mlp.folds)
    ]
    to_do = record.unknown(networks.validate, [task.arguments for task in validations])
    forecast.announce_network_search([validations[i] for i in to_do], candidates, dataset, mlp)
    test_pixels = images.scaled(dataset.test_images, dtype)
    small, large = (
        search(training, candidates, dataset, test_pixels, params, record)
        for training in (few, many)
    )

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


def _training(dataset: Dataset, samples: int, key: str, params: Settings) -> tuple[Pixels, Labels]:
    """So many training images as networks take them, and their labels; `key` asks for so many."""
    chosen, labels = images.training_set(dataset, samples, key, params.mlp.folds)
    return images.scaled(chosen, params.data.dtype), labels


if __name__ == "__main__":
    stage.run(main)
