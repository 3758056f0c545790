"""Kernel search from one matrix of products.

Pixels are whole numbers, so their products are exact whole numbers too, whatever the order in
which they are summed. Every kernel that an SVM tries here is an elementwise function of these
products, every one-against-one problem of a multi-class SVM a block of them, and every fold of
a cross-validation a set of weights on that block. So each block is multiplied once, and serves
all kernels, penalties and folds. The fits are scikit-learn's own `SVC`; what is predicted is
what `GridSearchCV(SVC())` on pixels / 255 predicts.
"""

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.svm import SVC

from stages.common.images import WHITE, Bytes, Labels

Floats = npt.NDArray[np.float64]

# float32 holds whole numbers exactly up to 2**24, and 258 products of two pixels stay below.
EXACT = 2**24 // WHITE**2
CHUNK = 1000  # images scored at a time


def products(a: Bytes, b: Bytes) -> Floats:
    """Exact products of images, in units of a pixel of 1.

    Parameters
    ----------
    a, b : uint8 arrays of shapes (n_a, height, width), (n_b, height, width)

    Returns
    -------
    float64 array of shape (n_a, n_b)
        Whole numbers; divide by 255² for pixels from 0 to 1.

    Notes
    -----
    Single precision multiplies twice as fast as double, and sums of up to `EXACT` products of
    pixels are exact in it.
    """
    flat_a, flat_b = (x.reshape(len(x), -1).astype(np.float32) for x in (a, b))
    total = np.zeros((len(a), len(b)))
    for start in range(0, flat_a.shape[1], EXACT):
        part = slice(start, start + EXACT)
        total += flat_a[:, part] @ flat_b[:, part].T
    return total


def squares(images: Bytes) -> Floats:
    """Product of each image with itself, in units of a pixel of 1; shape (n_images,)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.einsum("ij,ij->i", flat, flat)


def kernel(
    point: dict[str, Any], gamma: float, gram: Floats, squares_a: Floats, squares_b: Floats
) -> Floats:
    """A kernel, as an elementwise function of products.

    Parameters
    ----------
    point : dict
        `kernel`: linear, poly or rbf; `degree` if it is poly.
    gamma : float
        Its coefficient, a number; no matter if the kernel is linear.
    gram : float64 array of shape (n_a, n_b)
        From `products`.
    squares_a, squares_b : float64 arrays of shapes (n_a,), (n_b,)
        From `squares`.

    Returns
    -------
    float64 array of shape (n_a, n_b)
        Of images with pixels from 0 to 1, as in scikit-learn's user guide, with coef0 = 0.
    """
    match point["kernel"]:
        case "linear":
            return gram / WHITE**2
        case "poly":
            return _power(gram * (gamma / WHITE**2), point["degree"])
        case _:
            distances = squares_a[:, None] + squares_b[None, :] - 2 * gram
            return np.exp(distances * (-gamma / WHITE**2), out=distances)


def _power(base: Floats, degree: int) -> Floats:
    """Multiply as libsvm does, by repeated squaring, so that the last bit is libsvm's too."""
    result = np.ones_like(base)
    while degree:
        if degree % 2:
            result *= base
        base, degree = base * base, degree // 2
    return result


def scale_gamma(images: Bytes) -> float:
    """What scikit-learn's gamma="scale" stands for: 1 / (pixels per image · variance)."""
    flat = images.reshape(len(images), -1)
    variance = float((flat / WHITE).var())
    return 1 / (flat.shape[1] * variance) if variance else 1.0


def pairs(classes: int) -> list[tuple[int, int]]:
    """The one-against-one problems, in libsvm's order."""
    return list(combinations(range(classes), 2))


def families(points: list[dict[str, Any]]) -> list[list[int]]:
    """Group the points of a grid that differ in C alone: they share a kernel matrix.

    Returns
    -------
    list of lists of int
        Indices of points.
    """
    members: dict[tuple[Any, ...], list[int]] = {}
    for i, point in enumerate(points):
        key = tuple(point.get(name) for name in ("kernel", "degree", "gamma"))
        members.setdefault(key, []).append(i)
    return list(members.values())


def fit_pair(
    points: list[dict[str, Any]],
    gammas: Floats,
    images: tuple[Bytes, Bytes],
    folds_of: tuple[Labels, Labels],
) -> tuple[Floats, Floats]:
    """Fit one class against another, at all points and without each fold in turn.

    Parameters
    ----------
    points : list of dict
        Arguments of `SVC`.
    gammas : float64 array of shape (n_points, n_folds)
        gamma as a number.
    images : pair of uint8 arrays of shape (n_class, height, width)
    folds_of : pair of int64 arrays of shape (n_class,)
        The fold in which an image is held out.

    Returns
    -------
    coefficients : float64 array of shape (n_points, n_folds, n_images of both classes)
        A positive decision is one for the first class, as in libsvm.
    intercepts : float64 array of shape (n_points, n_folds)
    """
    both, fold_of = np.concatenate(images), np.concatenate(folds_of)
    second = np.repeat([0, 1], [len(images[0]), len(images[1])])
    gram, own = products(both, both), squares(both)
    coefficients = np.zeros((*gammas.shape, len(both)))
    intercepts = np.zeros(gammas.shape)
    with sklearn.config_context(assume_finite=True):
        for family in families(points):
            gamma_of_matrix = None
            for fold in range(gammas.shape[1]):
                kept = np.flatnonzero(fold_of != fold)
                gamma = gammas[family[0], fold]
                if gamma != gamma_of_matrix:
                    matrix = kernel(points[family[0]], gamma, gram, own, own)
                    gamma_of_matrix = gamma
                for i in family:
                    # libsvm leaves out what weighs nothing: no need to cut the matrix.
                    model = SVC(kernel="precomputed", C=points[i]["C"])
                    model.fit(matrix, second, sample_weight=(fold_of != fold).astype(float))
                    # In a problem of two classes scikit-learn turns libsvm's signs.
                    coefficients[i, fold, kept[model.support_]] = -model.dual_coef_[0]
                    intercepts[i, fold] = -model.intercept_[0]
    return coefficients, intercepts


def score_class(
    points: list[dict[str, Any]],
    gammas: Floats,
    images: Bytes,
    fold_of: Labels,
    of_class: Bytes,
    coefficients: Floats,
) -> Floats:
    """What the support vectors of one class add to the decisions on held-out images.

    Parameters
    ----------
    points, gammas
        As in `fit_pair`.
    images : uint8 array of shape (n_images, height, width)
    fold_of : int64 array of shape (n_images,)
        The fold in which each of them is held out.
    of_class : uint8 array of shape (n_class, height, width)
    coefficients : float64 array of shape (n_points, n_folds, n_class, n_classes - 1)
        Of these images, against each other class.

    Returns
    -------
    float64 array of shape (n_points, n_images, n_classes - 1)
    """
    own = squares(of_class)
    scores = np.zeros((len(points), len(images), coefficients.shape[3]))
    for fold in range(gammas.shape[1]):
        rows = np.flatnonzero(fold_of == fold)
        gram, squares_of_rows = products(images[rows], of_class), squares(images[rows])
        for family in families(points):
            gamma = gammas[family[0], fold]
            matrix = kernel(points[family[0]], gamma, gram, squares_of_rows, own)
            for i in family:
                scores[i, rows] = matrix @ coefficients[i, fold]
    return scores


def vote(scores: list[Floats], intercepts: Floats) -> Labels:
    """Classes by libsvm's vote: one for the winner of each pair, the first of equals wins.

    Parameters
    ----------
    scores : list of float64 arrays of shape (n_images, n_classes - 1)
        For each class, what its support vectors say against each other class.
    intercepts : float64 array of shape (n_pairs, 1) or (n_pairs, n_images)

    Returns
    -------
    int64 array of shape (n_images,)
    """
    votes = np.zeros((len(scores[0]), len(scores)), dtype=np.int64)
    for (a, b), intercept in zip(pairs(len(scores)), intercepts, strict=True):
        first = scores[a][:, b - 1] + scores[b][:, a] + intercept > 0
        votes[:, a] += first
        votes[:, b] += ~first
    return votes.argmax(axis=1)


def predict(model: SVC, training_images: Bytes, images: Bytes) -> Labels:
    """What a fitted SVC predicts, through matrix products: the same classes, much sooner.

    Parameters
    ----------
    model : SVC
        Fitted on `training_images`, flattened and scaled, with labels 0, 1, …
    training_images, images : uint8 arrays of shape (n, height, width)

    Returns
    -------
    int64 array of shape (n_images,)
    """
    vectors = training_images[model.support_]
    own = squares(vectors)
    gamma = scale_gamma(training_images) if model.gamma == "scale" else model.gamma
    sign = -1 if len(model.classes_) == 2 else 1
    ends = np.cumsum(model.n_support_)
    classes = [slice(end - count, end) for end, count in zip(ends, model.n_support_, strict=True)]
    predicted = []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        gram = products(chunk, vectors)
        matrix = kernel(model.get_params(), gamma, gram, squares(chunk), own)
        scores = [sign * (matrix[:, rows] @ model.dual_coef_[:, rows].T) for rows in classes]
        predicted.append(vote(scores, sign * model.intercept_[:, None]))
    return np.concatenate(predicted)
