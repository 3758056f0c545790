"""A plain SVC, fitted pair by pair.

A multi-class SVC is one problem for each pair of classes. Here they are fitted apart, several at
a time, on blocks of the kernel that are exact sums, and put together to an SVC like any other:
to that end this module, and no other, sets private attributes of scikit-learn's, and reads one.
Each is what `SVC.fit` on the same pixels sets; for linear and polynomial kernels the last digits
of the coefficients may differ, as libsvm's own sums over pixels are not exact.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from stages.learn import images, kernels
from stages.learn.images import WHITE, Bytes, Labels, Pixels
from stages.learn.kernels import CHUNK, Floats
from stages.run import fits

Singles = npt.NDArray[np.float32]
CACHE = 400  # MB for rows of the kernel, so that libsvm copies each of them once
PER_PRODUCT = 3e-8  # seconds that one number of a class's kernel takes
PIECE = 2500  # images that are predicted by one task


def fit(point: dict[str, Any], chosen: Bytes, labels: Labels, names: list[str], title: str) -> SVC:
    """Fit an SVC to all classes.

    Parameters
    ----------
    point : dict
        Arguments of SVC.
    chosen : uint8 array of shape (n_images, height, width)
    labels : int64 array of shape (n_images,)
        All of 0, 1, …, len(names) - 1.
    names : list of str
        Names of the classes, for the progress.
    title : str
        For the progress.

    Returns
    -------
    SVC
        As if fitted to `images.scaled(chosen)`.

    Raises
    ------
    ValueError
        If the kernel grows beyond all bounds, as SVC does.
    """
    gamma = point.get("gamma", "scale")
    if gamma == "scale":
        gamma = np.float64(kernels.scale_gamma(chosen))
    rows = [np.flatnonzero(labels == label) for label in range(len(names))]
    by_class = [chosen[r] for r in rows]
    own = fits.run(
        f"{title}: classes",
        kernel_of_class,
        [
            fits.Task(name, (point, gamma, of_class), len(of_class) ** 2 * PER_PRODUCT)
            for name, of_class in zip(names, by_class, strict=True)
        ],
        threads=True,
    )
    pairs = kernels.pairs(len(names))
    fitted = fits.run(
        f"{title}: pairs of classes",
        fit_pair,
        [
            fits.Task(
                f"{names[a]} or {names[b]}",
                (point, gamma, by_class[a], by_class[b], *own[a], *own[b]),
                kernels.seconds([point], 1, by_class[a], by_class[b]),
            )
            for a, b in pairs
        ],
        threads=True,
    )
    coefficients = np.zeros((len(names) - 1, len(labels)))
    for (a, b), (of_pair, _, _) in zip(pairs, fitted, strict=True):
        coefficients[b - 1, rows[a]] = of_pair[: len(rows[a])]
        coefficients[a, rows[b]] = of_pair[len(rows[a]) :]
    supports: list[Labels] = [r[coefficients[:, r].any(axis=0)] for r in rows]
    return assemble(
        SVC(**point),
        gamma,
        images.scaled(chosen[np.concatenate(supports)]),
        supports,
        coefficients.take(np.concatenate(supports), axis=1),
        np.array([intercept for _, intercept, _ in fitted]),
        np.array([iterations for _, _, iterations in fitted], dtype=np.int32),
        len(labels),
    )


def predict(model: SVC, wanted: Bytes, title: str) -> Labels:
    """What a fitted SVC predicts, several pieces of the images at a time.

    Parameters
    ----------
    model : SVC
        As in `kernels.predict`.
    wanted : uint8 array of shape (n_wanted, height, width)
    title : str
        For the progress.

    Returns
    -------
    int64 array of shape (n_wanted,)
    """
    pieces = [slice(start, start + PIECE) for start in range(0, len(wanted), PIECE)]
    gamma, vectors = learned(model)
    predicted = fits.run(
        title,
        kernels.predict,
        [
            fits.Task(
                f"from image {piece.start}",
                (model, gamma, vectors, wanted[piece]),
                len(wanted[piece]) * len(vectors) * PER_PRODUCT,
            )
            for piece in pieces
        ],
        threads=True,
    )
    return np.concatenate([labels for labels, _ in predicted])


def learned(model: SVC) -> tuple[float, Bytes]:
    """What a fitted SVC knows, as `kernels` computes with it.

    Parameters
    ----------
    model : SVC
        Fitted on images, flattened and scaled.

    Returns
    -------
    gamma : float
        As a number.
    vectors : uint8 array of shape (n_support, n_pixels)
        Its support vectors, as they were before they were scaled.
    """
    vectors = model.support_vectors_ * WHITE
    return model._gamma, np.round(vectors, out=vectors).astype(np.uint8)


def kernel_of_class(point: dict[str, Any], gamma: float, of_class: Bytes) -> tuple[Singles, Floats]:
    """Kernel of the images of one class, which all of its pairs share.

    Returns
    -------
    matrix : float32 array of shape (n_class, n_class)
        libsvm itself keeps its rows in single precision.
    diagonal : float64 array of shape (n_class,)
        Which libsvm keeps in double precision.
    """
    own = kernels.squares(of_class)
    matrix = np.empty((len(of_class), len(of_class)), dtype=np.float32)
    diagonal = np.empty(len(of_class))
    for start in range(0, len(of_class), CHUNK):
        part = slice(start, start + CHUNK)
        gram = kernels.products(of_class[part], of_class)
        block = kernels.kernel(point, gamma, gram, own[part], own, out=gram)
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
    point : dict
        Arguments of SVC.
    gamma : float
        As a number.
    images_a, images_b : uint8 arrays of shapes (n_a, height, width), (n_b, height, width)
    matrix_a, diagonal_a, matrix_b, diagonal_b
        From `kernel_of_class`.

    Returns
    -------
    coefficients : float64 array of shape (n_a + n_b,)
        In libsvm's sense: a positive decision is one for the first class.
    intercept : float
    iterations : int
    """
    a, both = len(images_a), len(images_a) + len(images_b)
    matrix = kernels.scratch("matrix", both, both)
    matrix[:a, :a], matrix[a:, a:] = matrix_a, matrix_b
    np.fill_diagonal(matrix, np.concatenate([diagonal_a, diagonal_b]))
    squares_a, squares_b = kernels.squares(images_a), kernels.squares(images_b)
    for start in range(0, a, CHUNK):
        part = slice(start, min(start + CHUNK, a))
        gram = kernels.products(images_a[part], images_b)
        block = kernels.kernel(point, gamma, gram, squares_a[part], squares_b, out=gram)
        matrix[part, a:], matrix[a:, part] = block, block.T
    second = np.repeat([0, 1], [a, both - a])
    model = kernels.fit_two(matrix, second, point["C"], cache_size=CACHE)
    # Where there is nothing, libsvm still writes the sign of the class.
    coefficients = np.repeat([0.0, -0.0], [a, both - a])
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
    model : SVC
        Not fitted.
    gamma : float
        As a number.
    support_vectors : float64 array of shape (n_support, n_pixels)
    supports : list of int64 arrays
        For each class, which images are support vectors.
    coefficients : float64 array of shape (n_classes - 1, n_support)
    intercepts : float64 array of shape (n_pairs,)
        Both in libsvm's sense: a positive decision is one for the first class.
    iterations : int32 array of shape (n_pairs,)
    samples : int
        Number of images.

    Returns
    -------
    SVC
        The same.
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
