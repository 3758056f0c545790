"""How much memory is free, and whether a number of images fits.

A system that runs out of memory ends the process that happens to ask last, after minutes of work
and without a word. So a stage reckons what it needs (`memory_needed`) and checks it here before it
begins.
"""

import ctypes
import os
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from stages.errors import UserError
from stages.run.proc import lines

SELF = Path("/proc/self")
MARGIN, MARGIN_BYTES = 1.02, 12_000_000  # for what is too small to reckon
M_ARENA_MAX = -8  # <malloc.h>
OCTAL = re.compile(r"\\([0-7]{3})")  # as the system writes a space in a path, and what ends lines

# Files of a control group, by the kind of its file system: its limits, its use, and the part of
# the use that is cached files, which the system drops when memory is short.
GROUPS = {
    "cgroup2": (
        ["memory.max", "memory.high"],
        "memory.current",
        ["inactive_file", "active_file"],
    ),
    "cgroup": (
        ["memory.limit_in_bytes"],
        "memory.usage_in_bytes",
        ["total_inactive_file", "total_active_file"],
    ),
}


def check(samples: int, key: str, needed: Callable[[int], float]) -> None:
    """Check that there is memory for so many images.

    Parameters
    ----------
    samples
        Number of images.
    key
        The parameter that asks for this many, for the message.
    needed
        Gives the bytes for a number of images, as `memory_needed` does.

    Raises
    ------
    UserError
        If they do not fit; says how many would.
    """
    available = free()

    def memory_for(samples: int) -> float:
        return with_margin(needed(samples))

    if memory_for(samples) > available:
        # A little less than fits now, as a little less may be free at the next run.
        largest = bisect_right(range(1, samples), 0.99 * available, key=memory_for)
        raise UserError(
            f"params.yaml: {key} is {samples}, which takes {memory_for(samples) / 1e9:.1f} GB, and "
            f"{available / 1e9:.1f} GB are free here; "
            + (f"the largest that fits is {largest}." if largest else "no number of images fits.")
        )


def with_margin(reckoned: float) -> float:
    """Bytes that were reckoned, and a margin for what is too small to reckon."""
    return reckoned * MARGIN + MARGIN_BYTES


def share_one_heap() -> None:
    """Have all threads take memory from one place; each would keep up to 64 MB of its own."""
    _call("mallopt", M_ARENA_MAX, 1)


def give_back() -> None:
    """Give freed memory back to the system."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library, if it has that function, as glibc does."""
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None)[name](*arguments)


def free(process: Path = SELF) -> float:
    """Bytes that this process and those it starts may still take.

    Parameters
    ----------
    process
        What the system tells of this process, on Linux.

    Returns
    -------
    float
        The least of what the machine has left, what each control group (a container is one)
        leaves, and what the limit of this process's address space does.
    """
    rooms = [float(psutil.virtual_memory().available)]
    if sys.platform == "linux":
        this = psutil.Process()
        limit, _ = this.rlimit(psutil.RLIMIT_AS)
        if limit != psutil.RLIM_INFINITY:
            rooms.append(limit - this.memory_info().vms)
        rooms += [_left(kind, folder) for kind, folder in groups(process)]
    return max(0.0, min(rooms))


def groups(process: Path = SELF) -> Iterator[tuple[str, Path]]:
    """The control groups that may limit a process's memory, and those around them.

    Yields
    ------
    kind : {"cgroup2", "cgroup"}
        Versions 2 and 1, as their file systems are called.
    folder : Path
        May not exist: a container does not see the groups around it.
    """
    paths = {}
    for line in lines(process / "cgroup"):
        controllers, _, path = line.partition(":")[2].partition(":")
        if not controllers:
            paths["cgroup2"] = path
        elif "memory" in controllers.split(","):
            paths["cgroup"] = path
    for line in lines(process / "mountinfo"):
        mount, _, kind = line.partition(" - ")
        # One space ends a field, which may be empty: the system writes spaces in names as \\040.
        system, options = kind.split(" ")[0], kind.split(" ")[-1]
        limits = system == "cgroup2" or (system == "cgroup" and "memory" in options.split(","))
        places = mount.split(" ")[3:5]
        if limits and system in paths and len(places) == 2:
            root, top = (OCTAL.sub(lambda octal: chr(int(octal[1], 8)), path) for path in places)
            # A container may see only its own group, mounted as if it were the topmost.
            group = Path(os.path.normpath(paths[system]))
            inside = group.relative_to(root) if group.is_relative_to(root) else Path()
            for folder in (inside, *inside.parents):
                yield system, Path(top, folder)


def _left(kind: str, group: Path) -> float:
    """Bytes that a control group may still take; infinitely many if it has no limit."""
    limits, use, cached = GROUPS[kind]
    none = float("inf")
    least = min(_number("".join(lines(group / name)), none) for name in limits)
    if least == none:
        return least
    used = _number("".join(lines(group / use)), 0)
    counted = dict(line.partition(" ")[::2] for line in lines(group / "memory.stat"))
    return least - used + sum(_number(counted.get(name, ""), 0) for name in cached)


def _number(text: str, otherwise: float) -> float:
    """The number that a text is; another one if it is none, as `max`."""
    return float(text) if text.isdecimal() else otherwise
