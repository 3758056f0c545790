"""Writing results: whole or not at all, and the same bytes for the same values.

JSON is sorted and rounded, CSV has fixed formats and LF line ends, PNG carries neither date nor
version, models are skops archives with fixed dates and numbers in place of memory addresses.
Nothing here asks the interpreter's zlib, whose output differs between builds.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io
from sklearn.base import BaseEstimator

from stages.common.errors import UserError

DIGITS = 6
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date that a ZIP archive can hold

# What the networks need beyond the types that skops trusts by default.
TRUSTED = [
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


def write(path: Path, content: bytes) -> None:
    """Write a file, its folders too; a reader sees all of it or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON: keys sorted, fractions rounded to six digits."""
    text = json.dumps(_rounded(values), indent=2, sort_keys=True, ensure_ascii=False)
    write(path, f"{text}\n".encode())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV: fractions with six digits, LF line ends, no index."""
    text = table.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}f")
    write(path, text.encode())


def write_model(path: Path, model: BaseEstimator) -> None:
    """Write an estimator as a skops archive whose bytes depend on the estimator alone.

    skops names objects after their addresses in memory and dates each entry. Both are replaced:
    objects are numbered in the order in which the archive's schema names them. Arrays keep
    what they share; numbers, texts and tuples do not, because which of them share one object
    is the interpreter's choice.
    """
    original = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = json.loads(original.read("schema.json"))
    files: dict[str, str] = {}
    numbers: dict[int, int] = {}
    for count, node in enumerate(_nodes(schema)):
        if "file" in node:
            node["file"] = files.setdefault(node["file"], f"{len(files)}.npy")
        if "__id__" in node:
            shared = node["__loader__"] not in ("JsonNode", "TupleNode")
            node["__id__"] = numbers.setdefault(node["__id__"], count) if shared else count
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as archive:
        for old, new in files.items():
            archive.writestr(zipfile.ZipInfo(new, EARLIEST), original.read(old))
        archive.writestr(zipfile.ZipInfo("schema.json", EARLIEST), json.dumps(schema, indent=1))
    write(path, result.getvalue())


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a skops schema, in the order of the file."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _nodes(item)


def read_model(path: Path) -> BaseEstimator:
    """Read what `write_model` wrote; nothing beyond `TRUSTED` and skops' defaults is loaded.

    Raises
    ------
    UserError
        If the file holds any other type, or is not a skops archive.
    """
    try:
        return skops.io.load(path, trusted=TRUSTED)
    except (skops.io.exceptions.UntrustedTypesFoundException, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a model of this pipeline: {error}.") from None
