"""What this process computes with, whatever the environment asks for."""

import hashlib
import sys
from functools import cache
from importlib import metadata

import numpy as np
import scipy.linalg  # noqa: F401 - with SciPy's BLAS, which it loads
from threadpoolctl import threadpool_info

from stages import SAME_BYTES

PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib")


@cache
def description() -> dict[str, str]:
    """Versions, and what NumPy and BLAS really do."""
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{package: metadata.version(package) for package in PACKAGES},
        "promise of the same bytes": str(SAME_BYTES),
        "BLAS kernels": ", ".join(sorted({str(library.get("architecture")) for library in blas})),
        "BLAS threads": ", ".join(sorted({str(library["num_threads"]) for library in blas})),
        "NumPy loops": ", ".join(np.show_config("dicts")["SIMD Extensions"]["found"]),
    }


@cache
def sample() -> str:
    """Hash of some results: of exponentials and logarithms, and of products of matrices.

    NumPy takes `exp` and `log` from the C library, which chooses among its own versions of them.
    """
    digest = hashlib.sha256()
    for dtype in ("float64", "float32"):
        numbers = np.linspace(0.01, 20, 3000).astype(dtype)
        matrix = numbers.reshape(50, 60)
        for result in (np.exp(-numbers), np.log(numbers), matrix @ matrix.T):
            digest.update(result.tobytes())
    return digest.hexdigest()
