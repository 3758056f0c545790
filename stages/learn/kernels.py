"""Kernel search from one matrix of products.

Pixels are whole numbers, so their products are exact whole numbers too, whatever the order in
which they are summed. Every kernel that an SVM tries here is an elementwise function of these
products, every one-against-one problem of a multi-class SVM a block of them, and every fold of
a cross-validation a set of weights on that block. So each block is multiplied once, and serves
all kernels, penalties and folds. The fits are scikit-learn's own `SVC`; what is predicted is
what `GridSearchCV(SVC())` on pixels / 255 predicts.
"""

import threading
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.svm import SVC

from stages.learn.images import WHITE, Bytes, Labels

Floats = npt.NDArray[np.float64]

# float32 holds whole numbers exactly up to 2**24, and 258 products of two pixels stay below.
EXACT = 2**24 // WHITE**2
CHUNK = 1000  # images scored at a time
FEW = 60  # images of each class that tell how alike two classes are


_of_this_thread = threading.local()


def scratch(name: str, rows: int, columns: int) -> Floats:
    """A matrix in memory that this thread used before: to touch new memory takes longer.

    Parameters
    ----------
    name : str
        Two matrices that are in use at the same time have two names.
    rows, columns : int

    Returns
    -------
    float64 array of shape (rows, columns)
        With anything in it.
    """
    size = rows * columns
    memory = getattr(_of_this_thread, name, None)
    if memory is None or memory.size < size:
        memory = np.empty(size)
        setattr(_of_this_thread, name, memory)
    return memory[:size].reshape(rows, columns)


def products(a: Bytes, b: Bytes, out: Floats | None = None) -> Floats:
    """Exact products of images, in units of a pixel of 1.

    Parameters
    ----------
    a, b : uint8 arrays of shapes (n_a, height, width), (n_b, height, width)
    out : float64 array of shape (n_a, n_b), optional
        Where to put them.

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
    out = np.empty((len(a), len(b))) if out is None else out
    out[:] = 0
    for start in range(0, flat_a.shape[1], EXACT):
        part = slice(start, start + EXACT)
        out += flat_a[:, part] @ flat_b[:, part].T
    return out


def squares(images: Bytes) -> Floats:
    """Product of each image with itself, in units of a pixel of 1; shape (n_images,)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.einsum("ij,ij->i", flat, flat)


def kernel(
    point: dict[str, Any],
    gamma: float,
    gram: Floats,
    squares_a: Floats,
    squares_b: Floats,
    out: Floats | None = None,
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
    out : float64 array of shape (n_a, n_b), optional
        Where to put it: memory that was used before is quicker than new.

    Returns
    -------
    float64 array of shape (n_a, n_b)
        Of images with pixels from 0 to 1, as in scikit-learn's user guide, with coef0 = 0.
    """
    match point["kernel"]:
        case "linear":
            return np.divide(gram, WHITE**2, out=out)
        case "poly":
            return _power(np.multiply(gram, gamma / WHITE**2, out=out), point["degree"])
        case _:
            # Whole numbers, exact in any order; then -gamma times them.
            out = np.multiply(gram, -2, out=out)
            out += squares_a[:, None]
            out += squares_b[None, :]
            out *= -gamma / WHITE**2
            return np.exp(out, out=out)


def _power(base: Floats, degree: int) -> Floats:
    """Multiply in place as libsvm does, by repeated squaring: the last bit is libsvm's too."""
    result = None
    while degree > 1:
        if degree % 2:
            result = base.copy() if result is None else np.multiply(result, base, out=result)
        base *= base
        degree //= 2
    if result is not None:
        base *= result
    return base


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
        Indices of points, by growing C.
    """
    members: dict[tuple[Any, ...], list[int]] = {}
    for i, point in enumerate(points):
        key = tuple(point.get(name) for name in ("kernel", "degree", "gamma"))
        members.setdefault(key, []).append(i)
    return [sorted(family, key=lambda i: points[i]["C"]) for family in members.values()]


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
    points : list of dict
        Arguments of `SVC`.
    gammas : float64 array of shape (n_points, n_folds)
        gamma as a number.
    images_a, images_b : uint8 arrays of shapes (n_a, height, width), (n_b, height, width)
    folds_a, folds_b : int64 arrays of shapes (n_a,), (n_b,)
        The fold in which an image is held out.

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
    both, fold_of = np.concatenate([images_a, images_b]), np.concatenate([folds_a, folds_b])
    second = np.repeat([0, 1], [len(images_a), len(images_b)])
    own = squares(both)
    gram = products(both, both, out=scratch("gram", len(both), len(both)))
    matrix = scratch("matrix", len(both), len(both))
    coefficients = np.zeros((*gammas.shape, len(both)))
    intercepts = np.zeros(gammas.shape)
    for family in families(points):
        gamma_of_matrix = None
        for fold in range(gammas.shape[1]):
            kept = np.flatnonzero(fold_of != fold)
            gamma = gammas[family[0], fold]
            if gamma != gamma_of_matrix:
                kernel(points[family[0]], gamma, gram, own, own, out=matrix)
                gamma_of_matrix = gamma
            bound = True
            for i in family:
                if bound:
                    # libsvm leaves out what weighs nothing: no need to cut the matrix.
                    model = fit_two(matrix, second, points[i]["C"], (fold_of != fold).astype(float))
                coefficients[i, fold, kept[model.support_]] = -model.dual_coef_[0]
                intercepts[i, fold] = -model.intercept_[0]
                bound = np.abs(model.dual_coef_).max() >= points[i]["C"] / 2
    return coefficients, intercepts


def fit_two(
    matrix: Floats,
    second: Labels,
    penalty: float,
    weights: Floats | None = None,
    cache_size: float = 200,
) -> SVC:
    """Fit one class against another.

    Parameters
    ----------
    matrix : float64 array of shape (n_images, n_images)
        A kernel.
    second : int64 array of shape (n_images,)
        0 for the images of the first class, 1 for those of the second.
    penalty : float
        SVC's C.
    weights : float64 array of shape (n_images,), optional
        0 for images that are left out.
    cache_size : float
        MB.

    Returns
    -------
    SVC
        In a problem of two classes scikit-learn turns libsvm's signs: here a positive decision
        is one for the second class.
    """
    with sklearn.config_context(assume_finite=True):
        model = SVC(kernel="precomputed", C=penalty, cache_size=cache_size)
        return model.fit(matrix, second, sample_weight=weights)


def seconds(points: list[dict[str, Any]], folds: int, images_a: Bytes, images_b: Bytes) -> float:
    """About how long fits of one class against another take: a few images tell how alike they are.

    Parameters
    ----------
    points : list of dict
        Arguments of `SVC`.
    folds : int
        Fits at each of them.
    images_a, images_b : uint8 arrays of shape (n_class, height, width)

    Notes
    -----
    Measured on the pairs of Fashion-MNIST, with 21 kernels, five folds and 2,500 to 20,000 images.
    The time grows with the square of their number, but that of a linear kernel, which more and
    more images of two like classes leave with nothing to part them by, with its fifth power.
    """
    few = [images[:FEW] for images in (images_a, images_b)]
    pixels = np.concatenate(few).reshape(sum(map(len, few)), -1) / WHITE
    probe = SVC(kernel="linear").fit(pixels, np.repeat([0, 1], [len(f) for f in few]))
    alike, size = (probe.n_iter_[0] / 260) ** 2, (len(images_a) + len(images_b)) / 2000
    of_kernel = {
        "linear": 4e-3 * size**2 + 3e-2 * size**5 * alike,
        "poly": (3e-3 + 4e-3 * alike) * size**2,
        "rbf": (1.8e-2 + 5e-4 * alike) * size**2,
    }
    return folds * sum(5e-4 + of_kernel[point["kernel"]] for point in points)


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
        held_out, shape = images[rows], (len(rows), len(of_class))
        squares_of_rows = squares(held_out)
        gram = products(held_out, of_class, out=scratch("gram", *shape))
        matrix = scratch("matrix", *shape)
        for family in families(points):
            gamma = gammas[family[0], fold]
            kernel(points[family[0]], gamma, gram, squares_of_rows, own, out=matrix)
            for i in family:
                scores[i, rows] = matrix @ coefficients[i, fold]
    return scores


def vote(scores: list[Floats], intercepts: Floats) -> tuple[Labels, Floats]:
    """Classes by libsvm's vote, and how much speaks for each class.

    Parameters
    ----------
    scores : list of float64 arrays of shape (n_images, n_classes - 1)
        For each class, what its support vectors say against each other class.
    intercepts : float64 array of shape (n_pairs, 1) or (n_pairs, n_images)

    Returns
    -------
    predicted : int64 array of shape (n_images,)
        The class that wins most of its pairs, the first of equals.
    support : float64 array of shape (n_classes, n_images)
        The pairs that a class wins, and up to a third of one more or less by how clear all of its
        pairs are: of three classes and more what `SVC.decision_function` gives.
    """
    won = np.zeros((len(scores), len(scores[0])), dtype=np.int64)
    clear = np.zeros(won.shape)
    for (a, b), intercept in zip(pairs(len(scores)), intercepts, strict=True):
        decision = scores[a][:, b - 1] + scores[b][:, a] + intercept
        first = decision > 0
        won[a] += first
        won[b] += ~first
        clear[a] += decision
        clear[b] -= decision
    return won.argmax(axis=0), won + clear / (3 * (np.abs(clear) + 1))


def predict(model: SVC, gamma: float, vectors: Bytes, images: Bytes) -> tuple[Labels, Floats]:
    """What a fitted SVC predicts, through matrix products: the same classes, much sooner.

    Parameters
    ----------
    model : SVC
        Fitted on images, flattened and scaled, with labels 0, 1, …
    gamma : float
        With which it was fitted, as a number.
    vectors : uint8 array of shape (n_support, n_pixels)
        Its support vectors, as they were before they were scaled.
    images : uint8 array of shape (n_images, height, width)

    Returns
    -------
    predicted : int64 array of shape (n_images,)
    support : float64 array of shape (n_classes, n_images)
        How much speaks for each class, from `vote`.
    """
    own = squares(vectors)
    sign = -1 if len(model.classes_) == 2 else 1
    ends = np.cumsum(model.n_support_)
    classes = [slice(end - count, end) for end, count in zip(ends, model.n_support_, strict=True)]
    predicted, support = [], []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        gram = products(chunk, vectors, out=scratch("gram", len(chunk), len(vectors)))
        matrix = kernel(model.get_params(), gamma, gram, squares(chunk), own, out=gram)
        scores = [sign * (matrix[:, rows] @ model.dual_coef_[:, rows].T) for rows in classes]
        of_chunk = vote(scores, sign * model.intercept_[:, None])
        predicted.append(of_chunk[0])
        support.append(of_chunk[1])
    return np.concatenate(predicted), np.concatenate(support, axis=1)
