"""The kernel trick: the same Gram matrix of images gives every kernel of these images.

Pixels are whole numbers, so their products are exact whole numbers too, whatever the order in
which they are summed. Every kernel that a support vector machine tries here is an elementwise
function of these products.
"""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.learn.images import WHITE, Bytes

Floats = npt.NDArray[np.float64]

# float32 holds whole numbers exactly up to 2**24, and 258 products of two pixels stay below.
EXACT = 2**24 // WHITE**2

_buffers = threading.local()


def scratch(name: str, rows: int, columns: int) -> Floats:
    """A matrix in memory that this thread has used before: touching new memory takes longer.

    Parameters
    ----------
    name
        Two matrices that are in use at the same time have two names.
    rows, columns
        The shape.

    Returns
    -------
    float64 array of shape (rows, columns)
        With arbitrary content.
    """
    size = rows * columns
    buffer = getattr(_buffers, name, None)
    if buffer is None or buffer.size < size:
        buffer = np.empty(size)
        setattr(_buffers, name, buffer)
    return buffer[:size].reshape(rows, columns)


def products(a: Bytes, b: Bytes, out: Floats | None = None) -> Floats:
    """Exact products of images: their Gram matrix.

    Parameters
    ----------
    a, b
        Shapes (n_a, height, width) and (n_b, height, width).
    out
        Where to put the products.

    Returns
    -------
    float64 array of shape (n_a, n_b)
        Whole numbers; divided by 255² they are products of pixels from 0 to 1.

    Notes
    -----
    Single precision multiplies twice as fast as double precision, and it sums up to `EXACT`
    products of pixels exactly.
    """
    flat_a, flat_b = (x.reshape(len(x), -1).astype(np.float32) for x in (a, b))
    out = np.empty((len(a), len(b))) if out is None else out
    out[:] = 0
    for start in range(0, flat_a.shape[1], EXACT):
        part = slice(start, start + EXACT)
        out += flat_a[:, part] @ flat_b[:, part].T
    return out


def squared_norms(images: Bytes) -> Floats:
    """Product of each image with itself, in the units of `products`; shape (n_images,)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.einsum("ij,ij->i", flat, flat)


def kernel(
    point: dict[str, Any],
    gamma: float,
    gram: Floats,
    squared_norms_a: Floats,
    squared_norms_b: Floats,
    out: Floats | None = None,
) -> Floats:
    """A kernel matrix, as an elementwise function of products.

    Parameters
    ----------
    point
        `kernel` is linear, poly or rbf; `degree` belongs to poly.
    gamma
        The kernel's coefficient as a number; a linear kernel ignores it.
    gram
        From `products`, shape (n_a, n_b).
    squared_norms_a, squared_norms_b
        From `squared_norms`, shapes (n_a,) and (n_b,).
    out
        Where to put the kernel: memory that was used before is quicker than new memory.

    Returns
    -------
    float64 array of shape (n_a, n_b)
        The kernel of pixels from 0 to 1, as scikit-learn's user guide defines it, with coef0 = 0.
    """
    match point["kernel"]:
        case "linear":
            return np.divide(gram, WHITE**2, out=out)
        case "poly":
            return _power(np.multiply(gram, gamma / WHITE**2, out=out), point["degree"])
        case _:
            # Squared distances are whole numbers, exact in any order; -gamma comes after them.
            out = np.multiply(gram, -2, out=out)
            out += squared_norms_a[:, None]
            out += squared_norms_b[None, :]
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
