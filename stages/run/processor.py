"""Which instructions this processor has, as it says itself."""

import ctypes
from pathlib import Path

from stages.run.proc import lines


class _Leaf(ctypes.Structure):
    """`struct cpuid_feature` of glibc: four registers of CPUID, and what of it may be used."""

    _fields_ = (("cpuid", ctypes.c_uint * 4), ("active", ctypes.c_uint * 4))


def has_avx2_and_fma() -> bool:
    """Whether this x86-64 processor has AVX2 and FMA.

    Notes
    -----
    glibc asks the processor, and tells from version 2.33 on (<sys/platform/x86.h>). An older one
    does not tell, and the file of the system is read, which shows an emulator's host.
    """
    try:
        leaf = ctypes.CDLL(None)["__x86_get_cpuid_feature_leaf"]
    except AttributeError:
        flags = " ".join(lines(Path("/proc/cpuinfo"))).split()
        return "avx2" in flags and "fma" in flags
    leaf.argtypes, leaf.restype = [ctypes.c_uint], ctypes.POINTER(_Leaf)
    of_leaf_1, of_leaf_7 = (leaf(index).contents.active for index in (0, 1))
    fma, avx2 = of_leaf_1[2] >> 12 & 1, of_leaf_7[1] >> 5 & 1  # bits of ECX and of EBX
    return bool(fma and avx2)
