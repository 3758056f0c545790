"""The arithmetic contract: the settings under which every stage computes.

Floating-point results differ between processors and between numbers of threads: OpenBLAS sums
in another order on each family of processors, NumPy's AVX-512 `exp` and `log` differ in the last
bit from those of the C library, K-means adds up in the order of its threads. The settings below
fix all of that. NumPy reads them when it is imported. So this module sets them before that,
whatever the environment says, and raises an error if NumPy is already there.

With these settings the same commit gives the same bytes on every x86-64 Linux machine with AVX2,
FMA and glibc. The pipeline runs elsewhere too, with metrics close to these.
"""

import os
import platform
import signal
import sys
from pathlib import Path

from stages.run.lifetime import end_with_parent, end_with_shell

# `python -m` runs this before it runs a stage. Imports take a second or two; until the stage
# handles Ctrl-C itself, Ctrl-C ends the process without a traceback.
if sys.argv[0] == "-m":
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
    flags = Path("/proc/cpuinfo").read_text().split()
    glibc = "CS_GNU_LIBC_VERSION" in os.confstr_names
    return glibc and "avx2" in flags and "fma" in flags


SAME_BYTES = _same_bytes_can_be_promised()
CONTRACT = THREADS | (INSTRUCTIONS if SAME_BYTES else {})

if "numpy" in sys.modules and any(os.environ.get(k) != v for k, v in CONTRACT.items()):
    raise ImportError(
        "NumPy was loaded before `stages`, with other arithmetic settings than the pipeline's: "
        "import `stages` first, or set " + " ".join(f"{k}='{v}'" for k, v in CONTRACT.items())
    )
os.environ.update(CONTRACT)
# NumPy refuses to load when features are both enabled and disabled by name.
os.environ.pop("NPY_ENABLE_CPU_FEATURES", None)
