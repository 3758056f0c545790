"""One class against another: the binary problems that a multi-class SVC consists of."""

from itertools import combinations

import numpy as np
import sklearn
from sklearn.svm import SVC

from stages.errors import UserError
from stages.learn.images import Labels
from stages.learn.kernels import Floats


def class_pairs(classes: int) -> list[tuple[int, int]]:
    """Pairs of classes, in libsvm's order."""
    return list(combinations(range(classes), 2))


def fit_binary(
    kernel: Floats,
    second_class: Labels,
    penalty: float,
    weights: Floats | None = None,
    cache_size: float = 200,
) -> SVC:
    """Fit one class against another.

    Parameters
    ----------
    kernel
        Shape (n_images, n_images).
    second_class
        0 for the images of the first class, 1 for those of the second; shape (n_images,).
    penalty
        C of the SVC.
    weights
        0 for images that are left out; shape (n_images,).
    cache_size
        In MB, for libsvm's rows of the kernel.

    Returns
    -------
    SVC
        scikit-learn turns libsvm's signs in a problem of two classes: a positive decision is one
        for the second class.

    Raises
    ------
    UserError
        If the kernel is too large for libsvm's single precision.
    """
    try:
        with sklearn.config_context(assume_finite=True):
            model = SVC(kernel="precomputed", C=penalty, cache_size=cache_size)
            return model.fit(kernel, second_class, sample_weight=weights)
    except ValueError as error:
        if "not finite" not in str(error):
            raise
        # `fetch` refuses a gamma that is too large for any images.
        raise UserError(
            "params.yaml: a polynomial kernel grew beyond all bounds: lower svm.grid.poly.degree "
            "or svm.grid.poly.gamma."
        ) from None


def vote(class_scores: list[Floats], intercepts: Floats) -> tuple[Labels, Floats]:
    """Predict classes by libsvm's vote, and give the decision function of all classes.

    Parameters
    ----------
    class_scores
        For each class, the sum over its support vectors in each of its pairs: arrays of shape
        (n_images, n_classes - 1).
    intercepts
        Of each pair, shape (n_pairs, 1) or (n_pairs, n_images).

    Returns
    -------
    predicted : int64 array of shape (n_images,)
        The class that wins most of its pairs, the first of equals.
    decision_function : float64 array of shape (n_classes, n_images)
        The number of pairs that a class wins, and less than half a pair more or less for the sum
        of its pairs' decisions; with three classes or more the same as `SVC.decision_function`.
    """
    wins = np.zeros((len(class_scores), len(class_scores[0])), dtype=np.int64)
    confidence = np.zeros(wins.shape)
    pairs = class_pairs(len(class_scores))
    for (a, b), intercept in zip(pairs, intercepts, strict=True):
        decision = class_scores[a][:, b - 1] + class_scores[b][:, a] + intercept
        first_wins = decision > 0
        wins[a] += first_wins
        wins[b] += ~first_wins
        confidence[a] += decision
        confidence[b] -= decision
    return wins.argmax(axis=0), wins + confidence / (3 * (np.abs(confidence) + 1))
