"""Describe the difference between two contents of a file.

The module splits each kind of file into named values and arrays: metrics, cells of a table, pixels
of a picture, attributes of a model. It names the parts that differ.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.files.keys import flat

Parts = dict[str, Any]
MISSING = "nothing"
# Errors of reading a file that is not of its kind. Such files are compared byte by byte.
UNREADABLE = (
    ValueError,
    LookupError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
)


def describe(name: str, old: bytes, new: bytes) -> str:
    """Describe the difference between two contents of a file.

    Parameters
    ----------
    name
        Name of the file, whose ending tells its kind.
    old, new
        Contents of the file.

    Returns
    -------
    The first part that differs, by how much, and how many more parts differ.
    """
    if old == new:
        return "no difference"
    take_apart = KINDS.get(PurePath(name).suffix, _bytes)
    try:
        return first_difference(take_apart(old), take_apart(new))
    except UNREADABLE:
        return first_difference(_bytes(old), _bytes(new))


def first_difference(old: Parts, new: Parts) -> str:
    """Name the first part that differs, by how much, and how many more parts differ."""
    names = [
        name for name in {**old, **new} if not _same(old.get(name, MISSING), new.get(name, MISSING))
    ]
    if not names:
        return "the same values, written in other bytes"
    change = _change(old.get(names[0], MISSING), new.get(names[0], MISSING))
    more = f"; {len(names) - 1} more differ" if len(names) > 1 else ""
    return f"{names[0]}: {change}{more}"


def _same(old: Any, new: Any) -> bool:
    """Whether two values or arrays have the same type and are equal; NaN equals NaN."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return old.shape == new.shape and old.dtype == new.dtype and not _differing(old, new).any()
    return type(old) is type(new) and (old == new or (old != old and new != new))


def _differing(old: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where two arrays differ; NaN does not differ from NaN."""
    undefined_in_both = (old != old) & (new != new)
    return (old != new) & ~undefined_in_both


def _change(old: Any, new: Any) -> str:
    """Say how two values or arrays differ, and by how much."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        if old.dtype != new.dtype:
            return f"{_printed(old)} → {_printed(new)}"
        if old.shape != new.shape:
            return f"{_size(old)} → {_size(new)}"
        differing = _differing(old, new)
        text = f"{np.count_nonzero(differing):,} of {differing.size:,} differ"
        if np.issubdtype(old.dtype, np.number):
            distance = np.abs(old[differing].astype(float) - new[differing].astype(float)).max()
            text += f", by at most {distance:.3g}"
        return text
    text = f"{_printed(old)} → {_printed(new)}"
    distance = _distance(old, new)
    return text if distance is None else f"{text} ({distance:+.6g})"


def _distance(old: Any, new: Any) -> float | None:
    """Difference of two numbers, also as text of table cells; None for anything else."""
    if isinstance(old, bool) or isinstance(new, bool):
        return None
    try:
        return float(new) - float(old)
    except (TypeError, ValueError):
        return None


def _printed(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{_size(value)} of {value.dtype}"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _size(array: npt.NDArray[Any]) -> str:
    return "×".join(map(str, array.shape))


def _bytes(content: bytes) -> Parts:
    return {"bytes": np.frombuffer(content, np.uint8)}


def _json(content: bytes) -> Parts:
    return dict(flat(json.loads(content)))


def _table(content: bytes) -> Parts:
    """Cells by row and column; row 1 is the first row below the head."""
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    return {
        f"row {i}, {column}": cell
        for i, row in enumerate(rows, 1)
        for column, cell in zip(head, row, strict=True)
    }


def _picture(content: bytes) -> Parts:
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.array(picture.convert("RGBA"))
    return {"pixels": pixels.view("V4")[..., 0]}


def _array(content: bytes) -> Parts:
    return {"array": np.load(io.BytesIO(content), allow_pickle=False)}


def _model(content: bytes) -> Parts:
    """Attributes of a skops archive: the values in its schema, and the arrays that it names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:

        def parts(node: Any, name: str) -> Iterator[tuple[str, Any]]:
            if isinstance(node, dict) and isinstance(node.get("file"), str):
                yield name, _array(archive.read(node["file"]))["array"]
            elif isinstance(node, dict):
                for key, item in node.items():
                    below = name if key == "content" else f"{name}.{key}".lstrip(".")
                    yield from parts(item, below)
            elif isinstance(node, list):
                for i, item in enumerate(node):
                    yield from parts(item, f"{name}[{i}]")
            else:
                yield name, node

        attributes: Parts = {}
        for name, value in parts(json.loads(archive.read("schema.json")), ""):
            attributes.setdefault(
                name, value
            )  # the estimator's class comes before that of its dictionary
        return attributes


KINDS: dict[str, Callable[[bytes], Parts]] = {
    ".json": _json,
    ".csv": _table,
    ".png": _picture,
    ".npy": _array,
    ".skops": _model,
}
