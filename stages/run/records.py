"""The record of fits: what a fit found is kept, and every later run of this clone finds it again.

Under the arithmetic contract a fit is a function of its code in `learn`, of what this process
computes with, and of its arguments. Their hash is the name of an entry. What is kept are a few
numbers: the score of a fold, the images that a draw got wrong. Models are always fitted.

    .dvc/tmp/fits/3f/3f9c….json     of the clone, not of an experiment's copy of it

The folder may be deleted at any time.
"""

import ast
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from stages import SAME_BYTES
from stages.errors import UserError
from stages.run import arithmetic
from stages.run.terminal import say

VARIABLE = "FIT_RECORD"
FOLDER = Path(".dvc/tmp/fits")
LARGEST = 200_000_000  # bytes; a record that is larger is emptied
BLOCK = 4096  # bytes that a small file takes on most disks
LEARN = "stages.learn"

# As this process loads them: a file that is changed later is not what computes here.
SOURCES = {
    f"{LEARN}.{file.stem}": file.read_bytes()
    for file in (Path(__file__).parents[1] / "learn").glob("[!.]*.py")  # no lock of an editor
}


class Record:
    """What fits found in earlier runs.

    Parameters
    ----------
    title
        Of the stage, for the person who waits.
    folder
        Where the entries lie; None for a record that knows nothing and keeps nothing.
    """

    def __init__(self, title: str, folder: Path | None) -> None:
        self._title = title
        self._folder = folder
        # Each array is hashed once. It stays here, so that no other gets its id.
        self._hashed: dict[int, tuple[npt.NDArray[Any], list[Any]]] = {}

    def complete(
        self,
        what: str,
        function: Callable[..., Any],
        calls: Sequence[Sequence[Any]],
        compute: Callable[[list[int]], Iterable[tuple[int, Any]]],
    ) -> list[Any]:
        """What several calls return; those that are not known are computed, and kept.

        Parameters
        ----------
        what
            The calls compute, for the person who waits.
        function
            Of a module in `stages.learn`. It returns numbers, or lists, tuples or arrays of them.
        calls
            Arguments of each call: arrays, estimators that are not fitted, and plain values.
        compute
            Makes some of the calls, given by their numbers. It yields number and result of each.

        Returns
        -------
        list
            The results in the order of the calls: from the record as numbers and lists.

        Raises
        ------
        TypeError
            If an argument or a result is of any other type.
        """
        known = self.known(function, dict(enumerate(calls)))
        unknown = [i for i in range(len(calls)) if i not in known]
        tell(what, len(known), len(calls))
        if unknown:
            for i, result in compute(unknown):
                known[i] = result
                self.keep(function, calls[i], result)
        return [known[i] for i in range(len(calls))]

    def known(
        self, function: Callable[..., Any], calls: Mapping[int, Sequence[Any]]
    ) -> dict[int, Any]:
        """What those calls return that are known; calls have numbers, results keep them."""
        found = {i: self._find(function, arguments) for i, arguments in calls.items()}
        return {i: result for i, result in found.items() if result is not None}

    def unknown(self, function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> list[int]:
        """Numbers of those calls that are not known."""
        known = self.known(function, dict(enumerate(calls)))
        return [i for i in range(len(calls)) if i not in known]

    def keep(self, function: Callable[..., Any], arguments: Sequence[Any], result: Any) -> None:
        """Keep what a call returned; a reader sees the whole entry or none."""
        if self._folder is None:
            return
        key, values = self._key(function, arguments), _as_lists(result)
        entry = {
            "function": _name(function),
            "key": key,
            "result": values,
            "sha256": _hash(json.dumps(values)),
        }
        path = self._path(key)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(entry), encoding="ascii")
            part.replace(path)
        except OSError as error:
            say(f"{self._title}: {path} cannot be written ({error.strerror}): fits are not kept")
            self._folder = None
        finally:
            with suppress(OSError):
                part.unlink()

    def _find(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """What a call returned, as numbers and lists; None if that is not known."""
        if self._folder is None:
            return None
        key = self._key(function, arguments)
        path = self._path(key)
        try:
            entry = json.loads(path.read_bytes())
            result = entry["result"]
            sound = entry["key"] == key and entry["sha256"] == _hash(json.dumps(result))
        except OSError:
            return None
        except (ValueError, LookupError, TypeError):
            sound = False
        if not sound:
            say(f"{self._title}: {path} is damaged: it is deleted, and its fit is done again")
            path.unlink(missing_ok=True)
            return None
        return result

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key}.json"

    def _key(self, function: Callable[..., Any], arguments: Sequence[Any]) -> str:
        """Hash of all that the result of a call depends on."""
        parts = [
            _name(function),
            {name: _hash(SOURCES[name]) for name in sorted(modules(function.__module__))},
            arithmetic.description(),
            arithmetic.sample(),
            [self._described(value) for value in arguments],
        ]
        return _hash(json.dumps(parts, sort_keys=True))

    def _described(self, value: Any) -> Any:
        """Describe an argument: other values have other descriptions."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return {"float": value.hex()}
        if type(value) in (list, tuple):
            return {type(value).__name__: [self._described(item) for item in value]}
        if type(value) is dict and all(type(key) is str for key in value):
            return {"dict": [[key, self._described(value[key])] for key in sorted(value)]}
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            if id(value) not in self._hashed:
                self._hashed[id(value)] = value, _described_array(value)
            return {"array": self._hashed[id(value)][1]}
        if isinstance(value, BaseEstimator):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return {"estimator": [kind, self._described(value.get_params())]}
        raise TypeError(f"The record of fits cannot tell values of {type(value)} apart.")


def tell(what: str, known: int, count: int) -> None:
    """Say how many of so many fits are known, if any is."""
    if known == count:
        say(f"{what}: all {count} fits known, none to do ({VARIABLE}=off does them again)")
    elif known:
        say(f"{what}: {known} of {count} fits known, {count - known} to do")


NO_RECORD = Record("", None)


def is_off() -> bool:
    """Whether $FIT_RECORD is off; a UserError if it is neither that nor empty."""
    if (given := os.environ.get(VARIABLE)) not in (None, "", "off"):
        raise UserError(f"{VARIABLE} is {given!r}, but must be off, or not set.")
    return given == "off"


def of_this_clone(title: str) -> Record:
    """The record of this clone, for a stage.

    It knows and keeps nothing where $FIT_RECORD is off, outside of a DVC project, and where this
    machine cannot promise the same bytes.

    Raises
    ------
    UserError
        If $FIT_RECORD is neither "off" nor empty.
    """
    if is_off() or not SAME_BYTES:
        return Record(title, None)
    folder = Path(os.environ.get("DVC_ROOT", "")) / FOLDER
    if not folder.parents[1].is_dir():
        return Record(title, None)
    if _size(folder) > LARGEST:
        say(f"{title}: {folder} is larger than {LARGEST / 1e6:.0f} MB, and is emptied")
        shutil.rmtree(folder, ignore_errors=True)
    return Record(title, folder)


@cache
def modules(name: str) -> set[str]:
    """A module of `learn`, and all modules of `learn` that it imports, directly or not."""
    found, waiting = set(), [name]
    while waiting:
        if (module := waiting.pop()) not in found:
            found.add(module)
            waiting += _imported(SOURCES[module])
    return found


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _imported(source: bytes) -> list[str]:
    """Modules of `learn` that a source imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name in SOURCES]


def _size(folder: Path) -> int:
    """About how many bytes the files of a folder take on the disk."""
    blocks = 0
    for path in folder.glob("*/*"):
        try:
            blocks += -(-path.stat().st_size // BLOCK)
        except FileNotFoundError:  # another process has emptied it
            continue
    return blocks * BLOCK


def _described_array(array: npt.NDArray[Any]) -> list[Any]:
    """Describe an array by type, shape, order in memory, and content."""
    order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else array.strides
    return [array.dtype.str, array.shape, order, _hash(np.ascontiguousarray(array))]


def _as_lists(result: Any) -> Any:
    """Numbers of a result as those of Python, arrays and tuples as lists."""
    if isinstance(result, (list, tuple)):
        return [_as_lists(item) for item in result]
    array = np.asarray(result)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"The record of fits keeps numbers, not {type(result)}.")
    return array.tolist()


def _hash(content: Any) -> str:
    """SHA-256 of a text, of bytes, or of an array."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
