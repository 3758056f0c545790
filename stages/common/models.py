"""Models as files: skops archives whose bytes depend on the estimator alone.

A skops archive is a ZIP file of arrays and a schema in JSON. Reading one runs no code but that
of the types it names, which have to be trusted; no pickle is written or read.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import skops.io
from sklearn.base import BaseEstimator
from skops.io.exceptions import UntrustedTypesFoundException

from stages.common import artifacts
from stages.common.errors import UserError

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date that a ZIP archive can hold

# What the networks need beyond the types that skops trusts by default.
TRUSTED = [
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


def write(path: Path, model: BaseEstimator) -> None:
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
    artifacts.write(path, result.getvalue())


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a skops schema, in the order of the file."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _nodes(item)


def read(path: Path) -> BaseEstimator:
    """Read what `write` wrote; nothing beyond `TRUSTED` and skops' defaults is loaded.

    Raises
    ------
    UserError
        If the file holds any other type, or is not a skops archive.
    """
    try:
        return skops.io.load(path, trusted=TRUSTED)
    except (UntrustedTypesFoundException, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{path} is not a model of this pipeline: {error}.") from None
