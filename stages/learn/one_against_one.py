"""A plain SVC, fitted pair by pair, and its predictions through matrix products.

A multi-class SVC is one problem for each pair of classes. This module fits each pair by itself, on
a block of the kernel whose sums are exact, and assembles the fitted pairs into one SVC. To do so it
sets private attributes of scikit-learn's SVC and reads one; no other module does. With an RBF
kernel all attributes equal those of `SVC.fit` on the same pixels. With linear and polynomial
kernels the last digits of the coefficients may differ, as libsvm's own sums are not exact.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from stages.learn.class_pairs import class_pairs, fit_binary, vote
from stages.learn.images import WHITE, Bytes, Labels, Pixels, scaled
from stages.learn.kernels import Floats, kernel, products, scale_gamma, scratch, squared_norms
from stages.learn.tasks import Run, Task, one_after_another

Singles = npt.NDArray[np.float32]
CACHE = 400  # MB for rows of the kernel, so that libsvm copies each of them once
CHUNK = 1000  # images of which a kernel is made at a time
PIECE = 2500  # images that one task predicts


def fit(
    point: dict[str, Any],
    images: Bytes,
    labels: Labels,
    names: list[str],
    run: Run = one_after_another,
) -> SVC:
    """Fit an SVC to all classes.

    Parameters
    ----------
    point
        Arguments of `SVC`.
    images
        Shape (n_images, height, width).
    labels
        All of 0, 1, …, len(names) - 1; shape (n_images,).
    names
        Names of the classes, for the person who waits.
    run
        Runs the fits.

    Returns
    -------
    SVC
        As if fitted to `images.scaled(images)`.

    Raises
    ------
    UserError
        If the kernel grows beyond all bounds.
    """
    gamma = point.get("gamma", "scale")
    if gamma == "scale":
        gamma = np.float64(scale_gamma(images))
    rows = [np.flatnonzero(labels == label) for label in range(len(names))]
    images_of_class = [images[r] for r in rows]
    kernels = run(
        "classes",
        kernel_of_class,
        [
            Task(name, (point, gamma, class_images))
            for name, class_images in zip(names, images_of_class, strict=True)
        ],
    )
    pairs = class_pairs(len(names))
    fitted = run(
        "pairs of classes",
        fit_pair,
        [
            Task(
                f"{names[a]} or {names[b]}",
                (point, gamma, images_of_class[a], images_of_class[b], *kernels[a], *kernels[b]),
            )
            for a, b in pairs
        ],
    )
    coefficients = np.zeros((len(names) - 1, len(labels)))
    for (a, b), (coefficients_of_pair, _, _) in zip(pairs, fitted, strict=True):
        coefficients[b - 1, rows[a]] = coefficients_of_pair[: len(rows[a])]
        coefficients[a, rows[b]] = coefficients_of_pair[len(rows[a]) :]
    supports: list[Labels] = [r[coefficients[:, r].any(axis=0)] for r in rows]
    return assemble(
        SVC(**point),
        gamma,
        scaled(images[np.concatenate(supports)]),
        supports,
        coefficients.take(np.concatenate(supports), axis=1),
        np.array([intercept for _, intercept, _ in fitted]),
        np.array([iterations for _, _, iterations in fitted], dtype=np.int32),
        len(labels),
    )


def predict(model: SVC, images: Bytes, run: Run = one_after_another) -> Labels:
    """Predict labels, in several pieces.

    Parameters
    ----------
    model
        As in `decide`.
    images
        Shape (n_images, height, width).
    run
        Runs the pieces.

    Returns
    -------
    int64 array of shape (n_images,)
    """
    gamma, vectors = learned(model)
    tasks = [
        Task(f"from image {start}", (model, gamma, vectors, images[start : start + PIECE]))
        for start in range(0, len(images), PIECE)
    ]
    decided = run(f"{len(images)} images", decide, tasks)
    return np.concatenate([predicted for predicted, _ in decided])


def decide(model: SVC, gamma: float, vectors: Bytes, images: Bytes) -> tuple[Labels, Floats]:
    """Predict labels, and give the decision function: what SVC gives, much sooner.

    Parameters
    ----------
    model
        Fitted on images, flattened and scaled, with labels 0, 1, …
    gamma, vectors
        From `learned`.
    images
        Shape (n_images, height, width).

    Returns
    -------
    predicted : int64 array of shape (n_images,)
    decision_function : float64 array of shape (n_classes, n_images)
        From `vote`.
    """
    norms = squared_norms(vectors)
    sign = -1 if len(model.classes_) == 2 else 1
    ends = np.cumsum(model.n_support_)
    classes = [slice(end - count, end) for end, count in zip(ends, model.n_support_, strict=True)]
    predicted, decision_function = [], []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        gram = products(chunk, vectors, out=scratch("gram", len(chunk), len(vectors)))
        matrix = kernel(model.get_params(), gamma, gram, squared_norms(chunk), norms, out=gram)
        scores = [sign * (matrix[:, rows] @ model.dual_coef_[:, rows].T) for rows in classes]
        labels_of_chunk, decisions_of_chunk = vote(scores, sign * model.intercept_[:, None])
        predicted.append(labels_of_chunk)
        decision_function.append(decisions_of_chunk)
    return np.concatenate(predicted), np.concatenate(decision_function, axis=1)


def learned(model: SVC) -> tuple[float, Bytes]:
    """What `decide` has to know of a fitted SVC.

    Parameters
    ----------
    model
        Fitted on images, flattened and scaled.

    Returns
    -------
    gamma : float
        As a number.
    vectors : uint8 array of shape (n_support, n_pixels)
        The support vectors before they were scaled.
    """
    vectors = model.support_vectors_ * WHITE
    return model._gamma, np.round(vectors, out=vectors).astype(np.uint8)


def kernel_of_class(
    point: dict[str, Any], gamma: float, class_images: Bytes
) -> tuple[Singles, Floats]:
    """Kernel of the images of one class, which all of its pairs share.

    Returns
    -------
    matrix : float32 array of shape (n_class, n_class)
        libsvm itself keeps its rows in single precision.
    diagonal : float64 array of shape (n_class,)
        libsvm keeps it in double precision.
    """
    norms = squared_norms(class_images)
    matrix = np.empty((len(class_images), len(class_images)), dtype=np.float32)
    diagonal = np.empty(len(class_images))
    for start in range(0, len(class_images), CHUNK):
        part = slice(start, start + CHUNK)
        gram = products(class_images[part], class_images)
        block = kernel(point, gamma, gram, norms[part], norms, out=gram)
        matrix[part] = block
        diagonal[part] = np.diagonal(block, offset=start)
    return matrix, diagonal


def fit_pair(
    point: dict[str, Any],
    gamma: float,
    images_a: Bytes,
    images_b: Bytes,
    matrix_a: Singles,
    diagonal_a: Floats,
    matrix_b: Singles,
    diagonal_b: Floats,
) -> tuple[Floats, float, int]:
    """Fit one class against another.

    Parameters
    ----------
    point
        Arguments of `SVC`.
    gamma
        As a number.
    images_a, images_b
        Shapes (n_a, height, width) and (n_b, height, width).
    matrix_a, diagonal_a, matrix_b, diagonal_b
        From `kernel_of_class`.

    Returns
    -------
    coefficients : float64 array of shape (n_a + n_b,)
        In libsvm's sense: a positive decision is one for the first class.
    intercept : float
    iterations : int
    """
    first, count = len(images_a), len(images_a) + len(images_b)
    matrix = scratch("matrix", count, count)
    matrix[:first, :first], matrix[first:, first:] = matrix_a, matrix_b
    np.fill_diagonal(matrix, np.concatenate([diagonal_a, diagonal_b]))
    norms_a, norms_b = squared_norms(images_a), squared_norms(images_b)
    for start in range(0, first, CHUNK):
        part = slice(start, min(start + CHUNK, first))
        gram = products(images_a[part], images_b)
        block = kernel(point, gamma, gram, norms_a[part], norms_b, out=gram)
        matrix[part, first:], matrix[first:, part] = block, block.T
    second_class = np.repeat([0, 1], [first, count - first])
    model = fit_binary(matrix, second_class, point["C"], cache_size=CACHE)
    # Where there is nothing, libsvm still writes the sign of the class.
    coefficients = np.repeat([0.0, -0.0], [first, count - first])
    coefficients[model.support_] = -model.dual_coef_[0]
    return coefficients, -model.intercept_[0], model.n_iter_[0]


def assemble(
    model: SVC,
    gamma: float,
    support_vectors: Pixels,
    supports: list[Labels],
    coefficients: Floats,
    intercepts: Floats,
    iterations: npt.NDArray[np.int32],
    samples: int,
) -> SVC:
    """Give an SVC what its `fit` would have given it.

    Parameters
    ----------
    model
        Not fitted yet.
    gamma
        As a number.
    support_vectors
        Shape (n_support, n_pixels).
    supports
        For each class, which images are support vectors.
    coefficients
        Shape (n_classes - 1, n_support). A positive decision is one for the first class of a pair,
        as in libsvm.
    intercepts
        Shape (n_pairs,), with the same signs.
    iterations
        Shape (n_pairs,).
    samples
        Number of training images.
    """
    classes = len(supports)
    model._sparse = False
    model.n_features_in_ = support_vectors.shape[1]
    model.class_weight_ = np.ones(classes)
    model.classes_ = np.arange(classes)
    model._effective_probability = False
    model._gamma = gamma
    model.support_ = np.concatenate(supports).astype(np.int32)
    model.support_vectors_ = support_vectors
    model._n_support = np.array([len(support) for support in supports], dtype=np.int32)
    model.dual_coef_ = coefficients
    model.intercept_ = intercepts
    model._probA, model._probB = np.empty(0), np.empty(0)
    model.fit_status_ = 0
    model._num_iter = iterations
    model.shape_fit_ = (samples, support_vectors.shape[1])
    model._intercept_ = intercepts.copy()
    model._dual_coef_ = coefficients
    if classes == 2:  # where scikit-learn turns libsvm's signs
        model.intercept_ *= -1
        model.dual_coef_ = -coefficients
    model.n_iter_ = iterations
    return model
