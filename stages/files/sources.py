"""Where raw files come from: folders, the caches of other libraries, mirrors on the web.

`collect` looks for the files in $FASHION_MNIST_MIRROR (a folder or a URL) if it is set, then in the
cache folders of Keras and torchvision, then in the dataset's mirrors.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from stages.errors import UserError
from stages.files import idx
from stages.files.settings import Source
from stages.run.terminal import Progress

MIRROR = "FASHION_MNIST_MIRROR"
CHUNK = 2**16  # bytes
ATTEMPTS = 3
PAUSE = 0.5  # seconds before the second attempt, and twice as long before each further one
TIMEOUTS = (5, 20)  # seconds to connect, and between two pieces of an answer
SLOWEST = 1000  # bytes a second; a source below it does not answer
SLOW_FOR = 30  # seconds over which it is measured
AS_IS = {"Accept-Encoding": "identity"}  # a server must not unpack a .gz file


class NoSourceError(UserError):
    """No source has the files."""


class UnavailableError(Exception):
    """A source does not have a file; the text says why."""


class UnreachableError(UnavailableError):
    """A source does not answer: it need not be asked for another file."""


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(source: Source, folder: Path) -> list[str]:
    """Names of a dataset's files that a folder lacks, or has with another SHA-256."""
    return [
        name
        for name, digest in source.sha256.items()
        if not ((folder / name).is_file() and sha256(folder / name) == digest)
    ]


def places(mirrors: list[str]) -> list[str]:
    """Folders and URLs to look in, in this order."""
    home = Path.home()
    keras = Path(os.environ.get("KERAS_HOME", home / ".keras")) / "datasets"
    cache = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    torch = Path(os.environ.get("TORCH_HOME", cache / "torch"))
    # Keras has a folder for each dataset; torchvision has NAME/raw below the folder it is given.
    caches = [
        *sorted(keras.glob("*/")),
        *(
            folder
            for root in (torch, torch / "datasets", cache / "torchvision", home / "data")
            for folder in sorted(root.glob("*/raw/"))
        ),
    ]
    first = [os.environ[MIRROR]] if os.environ.get(MIRROR) else []
    return [*first, *map(str, caches), *mirrors]


def collect(source: Source, folder: Path) -> None:
    """Bring a dataset's files into a folder, and remove every other file from it.

    Parameters
    ----------
    source
        The names of the files, their SHA-256, their mirrors.
    folder
        Files that are there and right stay as they are.

    Raises
    ------
    NoSourceError
        If some file is in no source; says of each source why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = missing(source, folder)
    reasons: dict[tuple[str, str], str] = {}
    for place in places(source.mirrors) if wanted else []:
        for name in list(wanted):
            try:
                bring(place, name, source.sha256[name], folder)
                wanted.remove(name)
            except UnreachableError as reason:
                reasons |= {(place, other): str(reason) for other in wanted}
                break
            except UnavailableError as reason:
                reasons[place, name] = str(reason)
        if not wanted:
            break
    if wanted:
        reason_of_place: dict[str, str] = {}
        for (place, name), sentence in reasons.items():
            if name in wanted:
                reason_of_place.setdefault(place, sentence)
        tried = "; ".join(f"{place} ({why})" for place, why in reason_of_place.items())
        raise NoSourceError(
            f"{', '.join(wanted)} could not be found: {tried or 'there was nowhere to look'}. "
            f"Set {MIRROR} to a folder or a URL that holds the dataset's files."
        )
    for path in folder.iterdir():
        if path.name not in source.sha256:
            path.unlink()


def bring(place: str, name: str, digest: str, folder: Path) -> None:
    """Bring one file from a folder or a URL, if it is the right one.

    Raises
    ------
    UnavailableError
        If the source does not have it, or not whole, or with another SHA-256.
    """
    where = f"{place.rstrip('/')}/{name}"
    part = folder / f".{name}.part"
    try:
        if place.startswith(("http://", "https://")):
            download(where, part)
        else:
            copy(Path(where), part)
        if sha256(part) != digest:
            raise UnavailableError(f"{name} has another SHA-256 there")
        part.replace(folder / name)
    finally:
        part.unlink(missing_ok=True)


def copy(path: Path, part: Path) -> None:
    """Copy a local file.

    Raises
    ------
    UnavailableError
        If there is none, or it cannot be read.
    """
    try:
        path = path.expanduser()
        if not path.parent.is_dir():
            raise UnavailableError("no such folder")
        if not path.is_file():
            raise UnavailableError(f"no {path.name}")
        content = path.read_bytes()
    except (OSError, RuntimeError) as error:  # not readable, or ~NAME of no user
        raise UnavailableError(str(error)) from None
    part.write_bytes(content)


def download(url: str, part: Path) -> None:
    """Download a file, with another try after an error that may pass.

    Raises
    ------
    UnavailableError
        If the file does not come, or not whole.
    """
    for attempt in range(ATTEMPTS):
        try:
            with requests.get(url, stream=True, timeout=TIMEOUTS, headers=AS_IS) as answer:
                answer.raise_for_status()
                size = int(answer.headers.get("Content-Length", 0)) or None
                with part.open("wb") as file, Progress(f"fetch {url}", size, in_bytes=True) as bar:
                    for piece in pieces(answer):
                        file.write(piece)
                        bar.advance(steps=len(piece))
            return
        # A ValueError says that a host's name is impossible, or a length no number.
        except (requests.RequestException, HTTPError, ValueError) as error:
            why, may_pass = explain(error)
            if not may_pass:
                raise UnavailableError(why) from None
            if attempt == ATTEMPTS - 1:
                raise UnreachableError(why) from None
            time.sleep(PAUSE * 2**attempt)


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """Pieces of an answer, as they come.

    Raises
    ------
    UnavailableError
        If the answer is longer than any file of images.
    requests.Timeout
        If it comes more slowly than `SLOWEST`.
    """
    total = since = 0
    began = time.monotonic()
    while piece := answer.raw.read1(CHUNK, decode_content=True):
        total += len(piece)
        since += len(piece)
        if total > idx.LARGEST:
            raise UnavailableError(f"more than {idx.LARGEST} bytes")
        if (seconds := time.monotonic() - began) > SLOW_FOR:
            if since < SLOWEST * seconds:
                raise requests.Timeout
            began, since = time.monotonic(), 0
        yield piece


def explain(error: requests.RequestException | HTTPError | ValueError) -> tuple[str, bool]:
    """Why a download failed, in a few words, and whether another attempt may succeed."""
    match error:
        case requests.HTTPError(response=requests.Response(status_code=status)):
            return f"HTTP {status}", status == 429 or status >= 500
        case requests.Timeout() | ReadTimeoutError():
            return "no answer in time", True
        case requests.ConnectionError():
            return "no connection, or a lost one", True
        case HTTPError():
            return "the answer broke off", True
        case _:
            return f"{type(error).__name__}: {error}", False
