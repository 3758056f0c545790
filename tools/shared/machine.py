"""Describe what the arithmetic runs on: processor, kernels, threads, C library, versions.

    python tools/shared/machine.py    # prints JSON; `stages` in PYTHONPATH sets the arithmetic

Other tools run this file by its path, so that it can describe the environment of a revision that
does not have the file.
"""

import json
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import stages  # before NumPy is loaded

# isort: split
import numpy as np
import sklearn.cluster
import sklearn.svm  # noqa: F401 - loads SciPy's BLAS and OpenMP
from threadpoolctl import threadpool_info

INSTRUCTIONS = re.compile(r"sse4|avx|fma|f16c|bmi")
PACKAGES = {"dvc", "joblib", "numpy", "pandas", "pillow", "scikit-learn", "scipy", "skops"}


def processor() -> tuple[str, list[str]]:
    """Return the processor's name, and its instruction sets that arithmetic may use."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", text, re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    return name, [flag for flag in flags[1].split() if INSTRUCTIONS.match(flag)] if flags else []


def describe() -> dict[str, Any]:
    """Describe this machine and the kernels and threads that the stages use on it.

    The description contains no name of the machine or its user, and no path.
    """
    name, instructions = processor()
    libraries = threadpool_info()
    simd = np.show_config("dicts")["SIMD Extensions"]
    return {
        "processor": name,
        "instructions": instructions,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "blas": sorted(
            {
                f"{library['internal_api']} {library['version']}, "
                f"{library.get('architecture', 'unknown')} kernels"
                for library in libraries
                if library["user_api"] == "blas"
            }
        ),
        "numpy_loops": [*simd["baseline"], *simd["found"]],
        "threads_per_fit": max((library["num_threads"] for library in libraries), default=1),
        "same_bytes_promised": stages.SAME_BYTES,
        "python": platform.python_version(),
        "packages": dict(
            sorted(
                (package.name.lower(), package.version)
                for package in metadata.distributions()
                if package.name.lower() in PACKAGES
            )
        ),
    }


if __name__ == "__main__":
    json.dump(describe(), sys.stdout)
