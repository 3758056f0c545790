"""The arithmetic contract: the settings under which every stage computes.

Floating-point results differ between processors and between numbers of threads: OpenBLAS sums
in another order on each family of processors, NumPy's AVX-512 `exp` and `log` differ in the last
bit from those of the C library, K-means adds up in the order of its threads. The settings below
fix all of that. NumPy reads them when it is imported. So this module sets them before that,
whatever the environment says, and raises an error if NumPy is already there.

With these settings the same commit gives the same bytes on every x86-64 Linux machine with AVX2,
FMA and glibc. The pipeline runs elsewhere too, with metrics close to these.
"""

import sys

# Before anything that an older Python cannot read.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Python 3.11 or later is needed, and {sys.executable} is {sys.version.split()[0]}.")

import os
import platform
import signal
import warnings

from stages.run import packages, processor
from stages.run.lifetime import end_with_parent, end_with_shell

# What the libraries and Python read from the environment, by the beginnings of the names: it can
# change a result or break a run, so no program inherits it. A notebook sets MPLBACKEND.
UNSET = (
    *("BLIS_", "GOMP_", "GOTO_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "VECLIB_"),
    *("NPY_", "NUMPY_", "PANDAS_", "SCIPY_", "SKLEARN_"),
    *("JOBLIB_", "LOKY_", "MATPLOTLIBRC", "MPLBACKEND", "PYTHONWARNINGS", "SOURCE_DATE_EPOCH"),
)
# Without these, some machines have no room, or run nothing.
KEPT = ("JOBLIB_TEMP_FOLDER", "KMP_DUPLICATE_LIB_OK")

# `python -m` imports this before a stage. A tool imports it first.
STAGE = sys.argv[0] == "-m"
if STAGE or any(argument.startswith("tools.") for argument in sys.orig_argv):
    other = packages.other()
    if other:
        sys.exit(
            f"{sys.executable} {other}: activate the project's environment "
            "(`. .venv/bin/activate`) and unset PYTHONPATH, or run `make`."
        )
    for name in [name for name in os.environ if name.startswith(UNSET) and name not in KEPT]:
        del os.environ[name]
    # PYTHONWARNINGS=error would make errors of other packages' warnings, here and in each process.
    sys.warnoptions[:] = [o for o in sys.warnoptions if not o.lstrip().startswith("e")]
    warnings.filters[:] = [f for f in warnings.filters if f[0] != "error"]  # type: ignore[index]
if STAGE:
    # Until the stage handles Ctrl-C itself, Ctrl-C ends it without a traceback.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    end_with_shell()

# One thread per fit. Fits run in parallel with each other, which changes no result.
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

# OpenBLAS's AVX2 kernels on every machine, and NumPy without its AVX-512 groups. NumPy 2.4
# dispatches on groups with these names; another version may have others.
INSTRUCTIONS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


def _same_bytes_can_be_promised() -> bool:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return "CS_GNU_LIBC_VERSION" in os.confstr_names and processor.has_avx2_and_fma()


SAME_BYTES = _same_bytes_can_be_promised()
CONTRACT = THREADS | (INSTRUCTIONS if SAME_BYTES else {})

if "numpy" in sys.modules and any(os.environ.get(k) != v for k, v in CONTRACT.items()):
    raise ImportError(
        "NumPy was loaded before `stages`, with other arithmetic settings than the pipeline's: "
        "import `stages` first, or set " + " ".join(f"{k}='{v}'" for k, v in CONTRACT.items())
    )
# NumPy refuses to load when features are both enabled and disabled by name.
os.environ.pop("NPY_ENABLE_CPU_FEATURES", None)
os.environ.update(CONTRACT)
