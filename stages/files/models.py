"""Models as files: skops archives whose bytes depend on the estimator alone.

A skops archive is a ZIP file of arrays and a schema in JSON. Reading an archive runs only the code
of the types that it names, and only trusted types are read. No pickle is written to a file or read
from one. joblib pickles models only on their way to and from the processes that fit them
(`run/fits.py`).
"""

import io
import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from stages.errors import UserError
from stages.files import artifacts

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date that a ZIP archive can hold

# What the networks need beyond the types that skops trusts by default.
TRUSTED = [
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]

# All types that these models consist of. skops trusts more by default, and a few letters can make
# some of those types take all memory.
TYPES = {
    *TRUSTED,
    "builtins.dict",
    "builtins.list",
    "builtins.str",
    "builtins.tuple",
    "numpy.float32",
    "numpy.float64",
    "numpy.ndarray",
    "numpy.random.mtrand.RandomState",
    "sklearn.cluster._kmeans.KMeans",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.svm._classes.SVC",
}


def write(path: Path, model: BaseEstimator) -> None:
    """Write an estimator as a skops archive whose bytes depend on the estimator alone."""
    artifacts.write(path, archive(model))


def archive(model: BaseEstimator) -> bytes:
    """Make a skops archive of an estimator.

    skops names objects after their addresses in memory and dates each entry. This function replaces
    both: it numbers objects in the order in which the archive's schema names them. Arrays that are
    shared stay shared. Numbers, texts and tuples do not, as the interpreter chooses which of them
    are one object.
    """
    import skops.io  # takes half a second; a stage does not wait for it when it starts

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
    with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as rewritten:
        for old, new in files.items():
            rewritten.writestr(_entry(new), original.read(old))
        rewritten.writestr(_entry("schema.json"), json.dumps(schema, indent=1))
    return result.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry of an archive, without date and system."""
    entry = zipfile.ZipInfo(name, EARLIEST)
    entry.create_system = 3  # Unix, whatever the system
    return entry


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a skops schema, in the order of the file."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _nodes(item)


def read(path: Path, kind: type[BaseEstimator], pixels: int) -> BaseEstimator:
    """Read what `write` wrote, and nothing else.

    Parameters
    ----------
    path
        Of a skops archive.
    kind
        Class of the estimator.
    pixels
        Of an image, as the estimator learned them.

    Raises
    ------
    UserError
        If `write` would not write this file for an estimator of this kind.
    """
    import skops.io

    content = path.read_bytes()
    try:
        check(content)
        model = skops.io.loads(content, trusted=TRUSTED)
        if type(model) is not kind:
            raise ValueError(f"it is no {kind.__name__}")
        if model.n_features_in_ != pixels:
            raise ValueError(f"it is for images of {model.n_features_in_} pixels, not {pixels}")
        if archive(model) != content:
            raise ValueError("writing it again gives other bytes")
    # skops may raise any error on a schema that somebody made up.
    except Exception as error:
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UserError(
            f"{path} is not a model of this pipeline ({why}): `dvc checkout --force {path}` brings "
            "back the one in dvc.lock."
        ) from None
    return model


def check(content: bytes) -> None:
    """Check that reading a skops archive takes memory and time in proportion to its size.

    Raises
    ------
    Exception
        Of any type, if it does not, or if the content is no skops archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as entries:
        if sum(entry.file_size for entry in entries.infolist()) > len(content):
            raise ValueError("its entries are compressed, or overlap")
        for entry in entries.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is compressed")
            if entry.filename != "schema.json":
                with entries.open(entry) as file:
                    np.lib.format.read_magic(file)
                    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                    if math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
                        raise ValueError(f"{entry.filename} does not hold what it states")
        nodes = list(_nodes(json.loads(entries.read("schema.json"))))
    times = Counter(node["__id__"] for node in nodes if "__id__" in node)
    for node in nodes:
        if "__loader__" not in node:
            continue
        if (name := f"{node['__module__']}.{node['__class__']}") not in TYPES:
            raise ValueError(f"it names the type {name}")
        # A node that holds others and occurs twice could hold itself, or double at each step.
        if "content" in node and (node.get("type") == "json" or times[node["__id__"]] > 1):
            raise ValueError("its schema refers to itself")
