"""mlp_search: which architecture of a neural network, with few images and with many.

    data/prepared → models/mlp_small.skops, models/mlp.skops, metrics/mlp.json,
                    plots/mlp_cv.csv, plots/mlp_loss.csv, plots/mlp_*predictions.csv

    python -m stages.mlp_search

A grid search by cross-validation, done at two sample counts; the best is fitted again on all
of its images, and tried on the test images.
"""

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from stages.common import artifacts, fits, images, models, scores, stage
from stages.common.errors import UserError
from stages.common.images import Labels, Pixels
from stages.common.settings import Mlp, Settings
from stages.common.terminal import print_table, say


class Search(NamedTuple):
    """What a search found.

    Attributes
    ----------
    model : MLPClassifier
        The best architecture, fitted on all images.
    accuracy : float64 array of shape (n_architectures, n_folds)
        In the order of the settings.
    best : int
        Index of the architecture.
    unconverged : list of str
        The fits that were still improving when `max_iter` ended them.
    """

    model: MLPClassifier
    accuracy: npt.NDArray[np.float64]
    best: int
    unconverged: list[str]


def name(architecture: list[int]) -> str:
    """Name of an architecture: 50-50 for two hidden layers of 50 units."""
    return "-".join(map(str, architecture))


def weights(architecture: list[int], pixels: int, classes: int) -> int:
    """Number of weights between the layers: what the time of a fit grows with."""
    widths = [pixels, *architecture, classes]
    return sum(a * b for a, b in pairwise(widths))


def accuracy_and_epochs(model: MLPClassifier, pixels: Pixels, labels: Labels) -> dict[str, float]:
    """Score a fit, and keep how long it ran: GridSearchCV keeps no fitted models."""
    return {"accuracy": model.score(pixels, labels), "epochs": model.n_iter_}


def beyond_bounds(mlp: Mlp) -> UserError:
    """Say that a network cannot be computed with."""
    return UserError(
        "params.yaml: the weights of a network grew beyond all bounds; "
        f"mlp.learning_rate_init, {mlp.learning_rate_init}, is too large."
    )


def search(pixels: Pixels, labels: Labels, mlp: Mlp, seed: int, title: str) -> Search:
    """Search the architectures by cross-validation.

    Parameters
    ----------
    pixels : array of shape (n_images, n_pixels)
        From 0 to 1.
    labels : int64 array of shape (n_images,)
    mlp : Mlp
        The grid, and the settings of each network.
    seed : int
        First weights and order of the batches.
    title : str
        For the progress.

    Returns
    -------
    Search

    Raises
    ------
    UserError
        If the weights of a network grew beyond all bounds.
    """
    # The longest first, so that no process is left waiting for one at the end.
    classes = len(np.unique(labels))
    widest_first = sorted(
        mlp.architectures, key=lambda a: weights(a, pixels.shape[1], classes), reverse=True
    )
    places = [widest_first.index(architecture) for architecture in mlp.architectures]

    def best_place(results: dict[str, Any]) -> int:
        # The first of the settings' own order on equal scores.
        return max(places, key=lambda place: results["mean_test_accuracy"][place])

    grid = GridSearchCV(
        MLPClassifier(
            max_iter=mlp.max_iter,
            alpha=mlp.alpha,
            solver=mlp.solver,
            tol=mlp.tol,
            learning_rate_init=mlp.learning_rate_init,
            random_state=seed,
        ),
        {"hidden_layer_sizes": [tuple(architecture) for architecture in widest_first]},
        scoring=accuracy_and_epochs,
        cv=mlp.folds,
        refit=best_place,
        n_jobs=fits.processes(),
        pre_dispatch="all",
        error_score="raise",
    )
    fit_names = [
        f"{name(architecture)}, fold {fold}"
        for architecture in widest_first
        for fold in range(1, mlp.folds + 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # counted below
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow: refused below
        try:
            with fits.progress_of(grid, title, fit_names):
                grid.fit(pixels, labels)
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            raise beyond_bounds(mlp) from None

    def by_fold(metric: str) -> npt.NDArray[np.float64]:
        columns = [grid.cv_results_[f"split{fold}_test_{metric}"] for fold in range(mlp.folds)]
        return np.column_stack(columns)

    model = grid.best_estimator_
    epochs = [*by_fold("epochs").ravel(), model.n_iter_]
    fit_names.append(f"{name(model.hidden_layer_sizes)}, all images")
    return Search(
        model,
        by_fold("accuracy")[places],
        places.index(grid.best_index_),
        [fit for fit, ran in zip(fit_names, epochs, strict=True) if ran >= mlp.max_iter],
    )


def cv_table(search: Search, mlp: Mlp, samples: int) -> pd.DataFrame:
    """Accuracy of each architecture in each fold."""
    return pd.DataFrame(
        [
            (samples, name(architecture), fold, accuracy)
            for architecture, folds in zip(mlp.architectures, search.accuracy, strict=True)
            for fold, accuracy in enumerate(folds, start=1)
        ],
        columns=["samples", "architecture", "fold", "accuracy"],
    )


def loss_table(model: MLPClassifier, samples: int) -> pd.DataFrame:
    """Training loss after each epoch."""
    epochs = range(1, len(model.loss_curve_) + 1)
    return pd.DataFrame({"samples": samples, "epoch": epochs, "loss": model.loss_curve_})


def main(params: Settings) -> None:
    """Search twice; write models, metrics and tables."""
    dataset, mlp = images.load(), params.mlp
    test_pixels = images.scaled(dataset.test_images, params.data.dtype)
    metrics, searches, tables, predictions = {}, {}, [], {}
    for size, samples, key in (
        ("small", mlp.small_samples, "mlp.small_samples"),
        ("large", mlp.samples, "mlp.samples"),
    ):
        _, pixels, labels = images.training_set(dataset, samples, key, mlp.folds, params.data.dtype)
        title = f"mlp_search: {samples} images"
        found = searches[size] = search(pixels, labels, mlp, params.seed, title)
        try:
            with np.errstate(over="raise", invalid="raise"):
                retold, predicted = (found.model.predict(x) for x in (pixels, test_pixels))
        except FloatingPointError:
            raise beyond_bounds(mlp) from None
        metrics[size] = {
            "samples": samples,
            "architecture": name(mlp.architectures[found.best]),
            "cv_accuracy": float(found.accuracy[found.best].mean()),
            "train_error": scores.error(labels, retold),
            "test_error": scores.error(dataset.test_labels, predicted),
            "test_error_margin95": scores.wilson_margin(dataset.test_labels, predicted),
            "epochs": found.model.n_iter_,
            "unconverged_fits": len(found.unconverged),
        }
        tables.append((cv_table(found, mlp, samples), loss_table(found.model, samples)))
        predictions[size] = scores.table(dataset.labels, dataset.test_labels, predicted)
        if found.unconverged:
            say(
                f"{title}: still improving after {mlp.max_iter} epochs, mlp.max_iter: "
                + "; ".join(found.unconverged)
            )

    models.write(Path("models/mlp_small.skops"), searches["small"].model)
    models.write(Path("models/mlp.skops"), searches["large"].model)
    artifacts.write_json(Path("metrics/mlp.json"), metrics)
    cv, loss = (pd.concat(parts) for parts in zip(*tables, strict=True))
    artifacts.write_table(Path("plots/mlp_cv.csv"), cv)
    artifacts.write_table(Path("plots/mlp_loss.csv"), loss)
    artifacts.write_table(Path("plots/mlp_small_predictions.csv"), predictions["small"])
    artifacts.write_table(Path("plots/mlp_predictions.csv"), predictions["large"])
    print_table(
        f"mlp_search: {dataset.name}, accuracy in cross-validation",
        ["architecture", *(f"{metrics[size]['samples']} images" for size in searches)],
        [
            [
                name(architecture),
                *(f"{found.accuracy[i].mean():.4f}" for found in searches.values()),
            ]
            for i, architecture in enumerate(mlp.architectures)
        ],
    )
    print_table(
        "mlp_search: the best, fitted again",
        ["", *searches],
        [[key, *(metrics[size][key] for size in searches)] for key in metrics["small"]],
    )


if __name__ == "__main__":
    stage.run(main)
