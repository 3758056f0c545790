"""Neural networks: their cross-validation, their fits, their predictions."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from stages.errors import UserError
from stages.learn.images import Labels, Pixels
from stages.learn.tasks import Run, Task, one_after_another

Floats = npt.NDArray[np.float64]


def name(architecture: Sequence[int]) -> str:
    """Name of an architecture: 50-50 for two hidden layers of 50 units."""
    return "-".join(map(str, architecture))


def widths(name: str) -> list[int]:
    """Widths of the hidden layers of the architecture that has this name."""
    return [int(width) for width in name.split("-")]


def weight_count(architecture: Sequence[int], pixels: int, classes: int) -> int:
    """Number of weights between the layers."""
    return sum(a * b for a, b in pairwise([pixels, *architecture, classes]))


def network(architecture: Sequence[int], seed: int, **hyperparameters: Any) -> MLPClassifier:
    """A network that is not fitted yet; the seed gives first weights and order of the batches."""
    return MLPClassifier(
        hidden_layer_sizes=tuple(architecture), random_state=seed, **hyperparameters
    )


def cross_validate(
    candidates: Sequence[MLPClassifier],
    pixels: Pixels,
    labels: Labels,
    folds: int,
    run: Run = one_after_another,
) -> tuple[Floats, Floats]:
    """Cross-validate networks.

    Parameters
    ----------
    candidates
        Networks that are not fitted yet.
    pixels
        Shape (n_images, n_pixels), from 0 to 1.
    labels
        Shape (n_images,).
    folds
        Number of stratified folds.
    run
        Runs the fits.

    Returns
    -------
    accuracy : array of shape (n_candidates, n_folds)
        On the held-out fold.
    epochs : array of shape (n_candidates, n_folds)
        How long each fit ran.

    Raises
    ------
    UserError
        If the weights of a network grow beyond all bounds.
    """
    tasks = validations(candidates, pixels, labels, folds)
    found = run(f"{len(labels)} images", validate, tasks)
    accuracy, epochs = np.reshape(found, (len(candidates), folds, 2)).transpose(2, 0, 1)
    return accuracy, epochs


def validations(
    candidates: Sequence[MLPClassifier], pixels: Pixels, labels: Labels, folds: int
) -> list[Task]:
    """The calls of `validate` that a cross-validation makes; parameters as there."""
    splits = list(StratifiedKFold(folds).split(pixels, labels))
    return [
        Task(
            f"{name(model.hidden_layer_sizes)}, fold {fold}",
            (model, pixels, labels, training, held_out),
        )
        for model in candidates
        for fold, (training, held_out) in enumerate(splits, start=1)
    ]


def validate(
    model: MLPClassifier,
    pixels: Pixels,
    labels: Labels,
    training: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64],
) -> tuple[float, int]:
    """Fit a network to some images; its accuracy on the held-out ones, and number of epochs."""
    fit(model, pixels[training], labels[training])
    with np.errstate(over="ignore", invalid="ignore"):  # `predict` looks at the best one again
        return model.score(pixels[held_out], labels[held_out]), model.n_iter_


def fit(model: MLPClassifier, pixels: Pixels, labels: Labels) -> MLPClassifier:
    """Fit a network; the caller sees from `n_iter_` whether it converged.

    Raises
    ------
    UserError
        If its weights grow beyond all bounds.
    """
    with warnings.catch_warnings(), _within_bounds(model):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow
        return model.fit(pixels, labels)


def predict(model: MLPClassifier, pixels: Pixels) -> Labels:
    """Predict labels.

    Raises
    ------
    UserError
        If the network's outputs overflow.
    """
    with np.errstate(over="raise", invalid="raise"), _within_bounds(model):
        return model.predict(pixels)


def fit_and_predict(
    model: MLPClassifier, pixels: Pixels, labels: Labels, test_pixels: Pixels
) -> tuple[Labels, int]:
    """Fit a network to images; its predictions for others, and number of epochs."""
    fit(model, pixels, labels)
    return predict(model, test_pixels), model.n_iter_


def unconverged(
    candidates: Sequence[MLPClassifier], epochs: Floats, best: MLPClassifier
) -> list[str]:
    """Names of the fits that were still improving when `max_iter` ended them.

    Parameters
    ----------
    candidates, epochs
        As in `cross_validate`, and as it gives them.
    best
        The candidate that was fitted to all images.
    """
    names = [
        f"{name(model.hidden_layer_sizes)}, fold {fold}"
        for model, epochs_of_folds in zip(candidates, epochs, strict=True)
        for fold, count in enumerate(epochs_of_folds, start=1)
        if count >= model.max_iter
    ]
    if best.n_iter_ >= best.max_iter:
        names.append(f"{name(best.hidden_layer_sizes)}, all images")
    return names


@contextmanager
def _within_bounds(model: MLPClassifier) -> Iterator[None]:
    """Turn the error of a network that diverges into a sentence."""
    try:
        yield
    except (ValueError, FloatingPointError) as error:
        if isinstance(error, ValueError) and "non-finite" not in str(error):
            raise
        raise UserError(
            "params.yaml: the weights of a network grew beyond all bounds: lower "
            f"mlp.learning_rate_init, now {model.learning_rate_init}."
        ) from None
