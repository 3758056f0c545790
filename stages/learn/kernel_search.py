"""Cross-validation of many kernels, with the results of scikit-learn's GridSearchCV(SVC()).

Every one-against-one problem of a multi-class SVM uses one block of the Gram matrix. Sample weights
on that block express a fold of the cross-validation: a held-out image weighs nothing. So each block
is multiplied once, and serves all kernels, penalties and folds. The fits are scikit-learn's own
`SVC`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.svm import SVC

from stages.learn.class_pairs import class_pairs, fit_binary, vote
from stages.learn.images import Bytes, Labels
from stages.learn.kernels import Floats, kernel, products, scale_gamma, scratch, squared_norms
from stages.learn.tasks import Run, Task, one_after_another

COLUMNS = ["kernel", "C", "gamma", "degree"]
PARAMETERS = {"linear": COLUMNS[:2], "rbf": COLUMNS[:3], "poly": COLUMNS}


def grid_points(grid: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """The points of a grid, as arguments of `SVC`, in the order of scikit-learn's ParameterGrid.

    Parameters
    ----------
    grid
        For each kernel, the values of each of its parameters.
    """
    return list(ParameterGrid([{"kernel": [name], **values} for name, values in grid.items()]))


def point_of(model: SVC) -> dict[str, Any]:
    """The point of a grid at which an SVC was fitted."""
    return {name: getattr(model, name) for name in PARAMETERS[model.kernel]}


def cross_validate(
    images: Bytes,
    labels: Labels,
    points: list[dict[str, Any]],
    folds: int,
    names: list[str],
    run: Run = one_after_another,
) -> Floats:
    """Cross-validate SVC at each point of a grid.

    Parameters
    ----------
    images
        Shape (n_images, height, width).
    labels
        Shape (n_images,).
    points
        Arguments of `SVC`.
    folds
        Number of stratified folds.
    names
        Names of the classes, for the person who waits.
    run
        Runs the fits.

    Returns
    -------
    float64 array of shape (n_points, n_folds)
        The accuracies that `GridSearchCV(SVC(), points, cv=folds)` finds on pixels from 0 to 1.

    Raises
    ------
    UserError
        If a kernel grows beyond all bounds.
    """
    classes = len(names)
    fold_of = np.empty(len(labels), dtype=np.int64)
    gammas = np.zeros((len(points), folds))
    splits = StratifiedKFold(folds).split(images, labels)
    for fold, (training, held_out) in enumerate(splits):
        fold_of[held_out] = fold
        gammas[:, fold] = _gammas(points, images[training])
    rows = [np.flatnonzero(labels == label) for label in range(classes)]
    images_of_class = [images[r] for r in rows]
    folds_of_class = [fold_of[r] for r in rows]

    pairs = class_pairs(classes)
    fitted = run(
        "pairs of classes",
        fit_pair,
        [
            Task(
                f"{names[a]} or {names[b]}",
                (
                    points,
                    gammas,
                    images_of_class[a],
                    images_of_class[b],
                    folds_of_class[a],
                    folds_of_class[b],
                ),
            )
            for a, b in pairs
        ],
    )
    coefficients = [np.zeros((len(points), folds, len(r), classes - 1)) for r in rows]
    for (a, b), (coefficients_of_pair, _) in zip(pairs, fitted, strict=True):
        coefficients[a][..., b - 1] = coefficients_of_pair[..., : len(rows[a])]
        coefficients[b][..., a] = coefficients_of_pair[..., len(rows[a]) :]
    class_scores = run(
        "held-out images",
        score_class,
        [
            Task(
                names[label],
                (points, gammas, images, fold_of, images_of_class[label], coefficients[label]),
            )
            for label in range(classes)
        ],
    )
    accuracy = np.zeros((len(points), folds))
    for i in range(len(points)):
        intercepts = np.stack([intercepts_of_pair[i, fold_of] for _, intercepts_of_pair in fitted])
        predicted, _ = vote([scores[i] for scores in class_scores], intercepts)
        right = predicted == labels
        accuracy[i] = [right[fold_of == fold].mean() for fold in range(folds)]
    return accuracy


def _gammas(points: list[dict[str, Any]], training: Bytes) -> list[float]:
    """Gamma of each point as a number; 0 for a kernel that has none."""
    scale = scale_gamma(training) if any(p.get("gamma") == "scale" for p in points) else 0
    return [scale if p.get("gamma") == "scale" else p.get("gamma", 0) for p in points]


def _penalty_paths(points: list[dict[str, Any]]) -> list[list[int]]:
    """Indices of the points that share a kernel matrix, as they differ in C alone; C ascends."""
    paths: dict[tuple[Any, ...], list[int]] = {}
    for i, point in enumerate(points):
        key = tuple(point.get(name) for name in ("kernel", "degree", "gamma"))
        paths.setdefault(key, []).append(i)
    return [sorted(path, key=lambda i: points[i]["C"]) for path in paths.values()]


def fit_pair(
    points: list[dict[str, Any]],
    gammas: Floats,
    images_a: Bytes,
    images_b: Bytes,
    folds_a: Labels,
    folds_b: Labels,
) -> tuple[Floats, Floats]:
    """Fit one class against another, at all points and without each fold in turn.

    Parameters
    ----------
    points
        Arguments of `SVC`.
    gammas
        gamma as a number, shape (n_points, n_folds).
    images_a, images_b
        Shapes (n_a, height, width) and (n_b, height, width).
    folds_a, folds_b
        The fold in which an image is held out, shapes (n_a,) and (n_b,).

    Returns
    -------
    coefficients : float64 array of shape (n_points, n_folds, n_a + n_b)
        A positive decision is one for the first class, as in libsvm.
    intercepts : float64 array of shape (n_points, n_folds)

    Notes
    -----
    A fit in which no coefficient comes near its bound C is the same for every larger C, and is
    not done again. Below half of C it was so to the last bit in all of 1560 fits that were
    compared; below C itself six of 1700 differed in last digits.
    """
    images, fold_of = np.concatenate([images_a, images_b]), np.concatenate([folds_a, folds_b])
    second_class = np.repeat([0, 1], [len(images_a), len(images_b)])
    norms = squared_norms(images)
    gram = products(images, images, out=scratch("gram", len(images), len(images)))
    matrix = scratch("matrix", len(images), len(images))
    coefficients = np.zeros((*gammas.shape, len(images)))
    intercepts = np.zeros(gammas.shape)
    for path in _penalty_paths(points):
        gamma_of_matrix = None
        for fold in range(gammas.shape[1]):
            training = np.flatnonzero(fold_of != fold)
            gamma = gammas[path[0], fold]
            if gamma != gamma_of_matrix:
                kernel(points[path[0]], gamma, gram, norms, norms, out=matrix)
                gamma_of_matrix = gamma
            bounded = True
            for i in path:
                if bounded:
                    # libsvm leaves out what weighs nothing: no need to cut the matrix.
                    weights = (fold_of != fold).astype(float)
                    model = fit_binary(matrix, second_class, points[i]["C"], weights)
                coefficients[i, fold, training[model.support_]] = -model.dual_coef_[0]
                intercepts[i, fold] = -model.intercept_[0]
                bounded = np.abs(model.dual_coef_).max() >= points[i]["C"] / 2
    return coefficients, intercepts


def score_class(
    points: list[dict[str, Any]],
    gammas: Floats,
    images: Bytes,
    fold_of: Labels,
    class_images: Bytes,
    coefficients: Floats,
) -> Floats:
    """What the support vectors of one class add to the decisions on held-out images.

    Parameters
    ----------
    points, gammas
        As in `fit_pair`.
    images
        Shape (n_images, height, width).
    fold_of
        The fold in which each of these images is held out, shape (n_images,).
    class_images
        The images of the class, shape (n_class, height, width).
    coefficients
        Of the class's images against each other class: shape (n_points, n_folds, n_class,
        n_classes - 1).

    Returns
    -------
    float64 array of shape (n_points, n_images, n_classes - 1)
    """
    norms = squared_norms(class_images)
    scores = np.zeros((len(points), len(images), coefficients.shape[3]))
    for fold in range(gammas.shape[1]):
        rows = np.flatnonzero(fold_of == fold)
        held_out, shape = images[rows], (len(rows), len(class_images))
        norms_of_rows = squared_norms(held_out)
        gram = products(held_out, class_images, out=scratch("gram", *shape))
        matrix = scratch("matrix", *shape)
        for path in _penalty_paths(points):
            gamma = gammas[path[0], fold]
            kernel(points[path[0]], gamma, gram, norms_of_rows, norms, out=matrix)
            for i in path:
                scores[i, rows] = matrix @ coefficients[i, fold]
    return scores
