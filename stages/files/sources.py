"""Where raw files come from: folders, the caches of other libraries, mirrors on the web.

`collect` looks for the files in $FASHION_MNIST_MIRROR (a folder or a URL) if it is set, then in the
cache folders of Keras and torchvision, then in the dataset's mirrors. A name without .gz stands for
what is inside: a source may hold it packed, in whatever way.
"""

import glob
import gzip
import hashlib
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.request import url2pathname

import certifi
import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from stages.errors import UserError
from stages.files import garments, idx
from stages.files.settings import Source
from stages.run.terminal import Progress

MIRROR = "FASHION_MNIST_MIRROR"
BUILT_IN = "built-in"  # the mirror of the drawn garments
CHUNK = 2**16  # bytes
ATTEMPTS = 3
PAUSE = 0.5  # seconds before the second attempt, and twice as long before each further one
TIMEOUTS = (5, 20)  # seconds to connect, and between two pieces of an answer
SLOWEST = 1000  # bytes a second; a source below it does not answer
SLOW_FOR = 30  # seconds over which it is measured
AS_IS = {"Accept-Encoding": "identity"}  # a server must not unpack a .gz file
UNKNOWN_AUTHORITY = (18, 19, 20, 21)  # codes of OpenSSL, <openssl/x509_vfy.h>
THE_PROXY = "the proxy that HTTPS_PROXY or HTTP_PROXY names refuses"
INSIDE = (
    ": to take any copy, name the file without .gz in params.yaml, with the SHA-256 of the content"
)


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
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails for a user without name
    keras = Path(os.environ.get("KERAS_HOME", home / ".keras")) / "datasets"
    cache = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    torch = Path(os.environ.get("TORCH_HOME", cache / "torch"))
    # Keras has a folder for each dataset; torchvision has NAME/raw below the folder it is given.
    raw = [torch, torch / "datasets", cache / "torchvision", home / "data"]
    patterns = [(keras, "*/"), *((root, "*/raw/") for root in raw)]
    # This glob passes over what cannot be read. Nobody named these folders.
    caches = [
        folder.rstrip("/")
        for root, pattern in patterns
        for folder in sorted(glob.glob(f"{glob.escape(str(root))}/{pattern}"))  # noqa: PTH207
    ]
    first = [os.environ[MIRROR]] if os.environ.get(MIRROR) else []
    return [*first, *caches, *mirrors]


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
        where = place
        if place == BUILT_IN:
            where = str(folder.absolute() / ".drawn")
            garments.write(Path(where))
        for name in list(wanted):
            try:
                bring(where, name, source.sha256[name], folder)
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
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in source.sha256:
            path.unlink()


def bring(place: str, name: str, digest: str, folder: Path) -> None:
    """Bring one file from a folder or a URL, if it is the right one.

    Raises
    ------
    UnavailableError
        If the source does not have it, or not whole, or with another SHA-256.
    """
    part, packed = folder / f".{name}.part", name.endswith(".gz")
    reasons: list[UnavailableError] = []  # the one that says most first
    try:
        for stored in [name] if packed else [name, f"{name}.gz"]:
            try:
                get(place, stored, part)
            except UnavailableError as reason:
                if not reasons and isinstance(reason, UnreachableError):
                    raise
                reasons.append(reason)
                continue
            if stored != name:
                unpack(part)
            if sha256(part) == digest:
                part.replace(folder / name)
                return
            wrong = UnavailableError(f"{stored} has another SHA-256 there{INSIDE * packed}")
            reasons.insert(0, wrong)
        raise reasons[0]
    finally:
        part.unlink(missing_ok=True)


def get(place: str, name: str, part: Path) -> None:
    """Get a file from a folder or a URL, as it is there.

    Raises
    ------
    UnavailableError
        If the source does not have it, or not whole.
    """
    scheme, found, path = place.partition("://")
    match scheme.lower() if found else "":
        case "http" | "https":
            download(f"{place.rstrip('/')}/{name}", part)
        case "file":
            copy(Path(url2pathname(path.removeprefix("localhost")), name), part)
        case "":
            copy(Path(place, name), part)
        case _:
            raise UnreachableError(f"{scheme}:// is not read here: http, https, file are")


def unpack(part: Path) -> None:
    """Replace a packed file by what is inside.

    Raises
    ------
    UnavailableError
        If it is damaged, or larger than any file of images.
    """
    content = bytearray()
    try:
        with gzip.open(part) as file:
            while piece := file.read(CHUNK):
                content += piece
                if len(content) > idx.LARGEST:
                    raise UnavailableError(f"more than {idx.LARGEST} bytes")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if isinstance(error, gzip.BadGzipFile) and not content:
            return  # it was never packed; its hash tells whether it is the right one
        raise UnavailableError(f"damaged: {error}") from None
    part.write_bytes(content)


def copy(path: Path, part: Path) -> None:
    """Copy a local file.

    Raises
    ------
    UnavailableError
        If there is none, or it cannot be read.
    """
    try:
        # Of an experiment in a folder of its own, the clone's root is elsewhere.
        path = Path(os.environ.get("DVC_ROOT", ""), path.expanduser())
        if not path.parent.is_dir():
            raise UnavailableError("no such folder")
        if not path.is_file():
            unpacked = path.with_suffix("") if path.suffix == ".gz" else path
            inside = f", but {unpacked.name}{INSIDE}" if unpacked.is_file() else ""
            raise UnavailableError(f"no {path.name}{inside}")
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
            with requests.get(
                url, stream=True, timeout=TIMEOUTS, headers=AS_IS, verify=authorities()[1]
            ) as answer:
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
            if not may_pass and not isinstance(error, requests.ConnectionError):
                raise UnavailableError(why) from None
            if not may_pass or attempt == ATTEMPTS - 1:
                raise UnreachableError(why) from None
            time.sleep(PAUSE * 2**attempt)


def authorities() -> tuple[str, str]:
    """The variable of requests or OpenSSL that says whom to trust, and what it names."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        if os.path.exists(os.environ.get(name, "")):  # noqa: PTH110 - Path("") is a folder
            return name, os.environ[name]
    return "SSL_CERT_FILE", certifi.where()


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
        case requests.HTTPError(response=requests.Response(status_code=407)):
            return f"{THE_PROXY} (HTTP 407)", False
        case requests.HTTPError(response=requests.Response(status_code=status)):
            return f"HTTP {status}", status == 429 or status >= 500
        case requests.exceptions.SSLError():
            root = cause(error)
            if getattr(root, "verify_code", 0) not in UNKNOWN_AUTHORITY:
                return f"TLS: {root}", True
            return (
                f"its certificate is not trusted here: {authorities()[0]} must name a file with "
                "the certificates of the authority, or of the proxy that opens connections",
                False,
            )
        case requests.exceptions.ProxyError():
            return f"{THE_PROXY} ({cause(error)})", True
        case requests.Timeout() | ReadTimeoutError():
            return "no answer in time", True
        case requests.ConnectionError():
            return "no connection, or a lost one", True
        case HTTPError():
            return "the answer broke off", True
        case _:
            return f"{type(error).__name__}: {error}", False


def cause(error: BaseException) -> BaseException:
    """The first cause of an error."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return error
