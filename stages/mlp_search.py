"""mlp_search: which architecture of a neural network, with few images and with many.

    data/prepared → models/mlp_small.skops, models/mlp.skops, metrics/mlp.json,
                    plots/mlp_cv.csv, plots/mlp_loss.csv, plots/mlp_*predictions.csv

    python -m stages.mlp_search

A grid search by cross-validation, done at two sample counts; the best is fitted again on all
of its images, and tried on the test images.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from stages.errors import UserError
from stages.files import artifacts, models, prepared
from stages.files.settings import Mlp, Settings
from stages.learn import images, scores
from stages.learn.images import Labels, Pixels
from stages.run import fits, memory, stage
from stages.run.terminal import print_table, say

PER_WEIGHT = 1.1e-10  # seconds for each weight, image and epoch
COPIES = {"sgd": 6, "adam": 8}  # numbers for each weight: gradient, velocity and so on


class Search(NamedTuple):
    """What a search found.

    Attributes
    ----------
    model : MLPClassifier
        The best architecture, fitted on all images.
    accuracy : float64 array of shape (n_architectures, n_folds)
        In the order of the settings.
    epochs : float64 array of shape (n_architectures, n_folds)
        How long each of these fits ran.
    best : int
        Index of the architecture.
    unconverged : list of str
        The fits that were still improving when `max_iter` ended them.
    """

    model: MLPClassifier
    accuracy: npt.NDArray[np.float64]
    epochs: npt.NDArray[np.float64]
    best: int
    unconverged: list[str]


def name(architecture: list[int]) -> str:
    """Name of an architecture: 50-50 for two hidden layers of 50 units."""
    return "-".join(map(str, architecture))


def widths(name: str) -> list[int]:
    """Widths of the hidden layers of an architecture that is called so."""
    return [int(width) for width in name.split("-")]


def weights(architecture: list[int], pixels: int, classes: int) -> int:
    """Number of weights between the layers: what the time of a fit grows with."""
    widths = [pixels, *architecture, classes]
    return sum(a * b for a, b in pairwise(widths))


def seconds(architecture: list[int], mlp: Mlp, images: int, pixels: int, classes: int) -> float:
    """About how long a fit takes.

    Notes
    -----
    Measured on Fashion-MNIST with 500 to 10,000 images, in double precision: a network with one
    hidden layer goes on for some 130 epochs, a deeper one for some 90.
    """
    epochs = min(130 if len(architecture) == 1 else 90, mlp.max_iter)
    return epochs * images * (weights(architecture, pixels, classes) + 21 * pixels) * PER_WEIGHT


def announce(mlp: Mlp, pixels: int, classes: int) -> None:
    """Say about how long both searches will take."""
    counts = mlp.small_samples, mlp.samples
    once = {n: [seconds(a, mlp, n, pixels, classes) for a in mlp.architectures] for n in counts}
    fits.announce(
        "mlp_search",
        (mlp.folds - 1) * sum(map(sum, once.values())),
        alone=sum(map(max, once.values())),
    )


def taken(samples: int, tests: int, mlp: Mlp, pixels: int, classes: int, dtype: str) -> float:
    """Bytes that a search with so many images takes, at most.

    Notes
    -----
    The images, twice while they are scaled; for each fit at a time its own, first those it fits,
    later those held out with what all units of two layers say of them. That is said of all images
    when the best network is tried. Several fits at once are as many processes, and a copy of the
    images that all of them see.
    """
    sizes = [weights(architecture, pixels, classes) for architecture in mlp.architectures]
    at_once = min(fits.here(), len(sizes) * mlp.folds)
    alone = fits.here() == 1  # joblib then starts no process
    largest = sorted(sizes * mlp.folds, reverse=True)[:at_once]
    layers = [pair for a in mlp.architectures for pair in pairwise([*a, classes])]
    units = max(map(sum, layers))
    held_out = 1 / mlp.folds
    each = max(pixels * (1 - held_out), (pixels + units) * held_out)
    images = max(
        samples * 2 * pixels,
        samples * ((1 if alone else 2) * pixels + at_once * each),
        samples * pixels + max(samples, tests) * units,
    )
    numbers = images + tests * pixels + COPIES[mlp.solver] * sum(largest)
    return (0 if alone else at_once * fits.PROCESS) + numbers * np.dtype(dtype).itemsize


def network(architecture: list[int], mlp: Mlp, seed: int) -> MLPClassifier:
    """A network that is not yet fitted."""
    return MLPClassifier(
        hidden_layer_sizes=tuple(architecture),
        max_iter=mlp.max_iter,
        alpha=mlp.alpha,
        solver=mlp.solver,
        tol=mlp.tol,
        learning_rate_init=mlp.learning_rate_init,
        random_state=seed,
    )


def fit_without(
    model: MLPClassifier,
    pixels: Pixels,
    labels: Labels,
    training: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64],
) -> tuple[float, int]:
    """Accuracy on held-out images, and number of epochs, of a fit to the others."""
    fit(model, pixels[training], labels[training])
    with np.errstate(over="ignore", invalid="ignore"):  # the best is looked at again
        accuracy = model.score(pixels[held_out], labels[held_out])
    memory.give_back()  # the process goes on, with another fit or none
    return accuracy, model.n_iter_


def fit(model: MLPClassifier, pixels: Pixels, labels: Labels) -> MLPClassifier:
    """Fit a network, without its warnings: what they say is looked at by the caller."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow
        return model.fit(pixels, labels)


@contextmanager
def within_bounds(mlp: Mlp) -> Iterator[None]:
    """Say of a network that cannot be computed with that it is so.

    Raises
    ------
    UserError
    """
    try:
        yield
    except (ValueError, FloatingPointError) as error:
        if isinstance(error, ValueError) and "non-finite" not in str(error):
            raise
        raise UserError(
            "params.yaml: the weights of a network grew beyond all bounds; "
            f"mlp.learning_rate_init, {mlp.learning_rate_init}, is too large."
        ) from None


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
    networks = [network(architecture, mlp, seed) for architecture in mlp.architectures]
    classes = len(np.unique(labels))
    splits = list(StratifiedKFold(mlp.folds).split(pixels, labels))
    tasks = [
        fits.Task(
            f"{name(architecture)}, fold {fold}",
            (model, pixels, labels, training, held_out),
            seconds(architecture, mlp, len(training), pixels.shape[1], classes),
        )
        for architecture, model in zip(mlp.architectures, networks, strict=True)
        for fold, (training, held_out) in enumerate(splits, start=1)
    ]
    with within_bounds(mlp):
        accuracy, epochs = np.reshape(
            fits.run(title, fit_without, tasks), (len(networks), mlp.folds, 2)
        ).transpose(2, 0, 1)
        best = int(accuracy.mean(axis=1).argmax())
        say(f"{title}: fitting the best, {name(mlp.architectures[best])}, to all")
        model = fit(networks[best], pixels, labels)
    ran = [*epochs.ravel(), model.n_iter_]
    names = [*(task.name for task in tasks), f"{name(mlp.architectures[best])}, all images"]
    unconverged = [fit for fit, ran in zip(names, ran, strict=True) if ran >= mlp.max_iter]
    return Search(model, accuracy, epochs, best, unconverged)


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
    dataset, mlp = prepared.load(), params.mlp
    tests, size = len(dataset.test_images), dataset.test_images[0].size
    memory.check(
        mlp.samples,
        "mlp.samples",
        lambda n: taken(n, tests, mlp, size, len(dataset.labels), params.data.dtype),
    )
    test_pixels = images.scaled(dataset.test_images, params.data.dtype)
    announce(mlp, test_pixels.shape[1], len(dataset.labels))
    metrics, searches, tables, predictions = {}, {}, [], {}
    for size, samples, key in (
        ("small", mlp.small_samples, "mlp.small_samples"),
        ("large", mlp.samples, "mlp.samples"),
    ):
        chosen, labels = images.training_set(dataset, samples, key, mlp.folds)
        pixels = images.scaled(chosen, params.data.dtype)
        title = f"mlp_search: {samples} images"
        found = searches[size] = search(pixels, labels, mlp, params.seed, title)
        with within_bounds(mlp), np.errstate(over="raise", invalid="raise"):
            retold, predicted = (found.model.predict(x) for x in (pixels, test_pixels))
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
