"""Promises of the stage `fetch`: where files come from, and what is never accepted."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.files import garments, idx, pyyaml, settings, sources
from tests.conftest import ROOT, run_in

NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
TROUBLED = NAMES[1]  # the file with which a mirror has its troubles
SOURCES = pytest.mark.figure("bad sources and files refused")
ANOTHER = f"{TROUBLED} has another SHA-256 there"


class Mirror(ThreadingHTTPServer):
    """A real server of a folder, which answers as it likes for one of the files."""

    def __init__(self, folder: Path, answer: "Answer") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.answer = folder, answer
        self.asked: list[str] = []
        self.ended = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = Path(self.path).name
        self.server.asked.append(name)
        self.body = (self.server.folder / name).read_bytes()
        (self.server.answer if name == TROUBLED else whole)(self)

    def say(self, body: bytes, status: int = 200, length: object = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", f"{length or len(body)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    """Serve until the end of the block."""
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Answer = Callable[[Handler], None]


def whole(handler: Handler) -> None:
    handler.say(handler.body)


def without_a_length(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(handler.body)


def truncated(handler: Handler) -> None:
    handler.say(handler.body[:-100], length=len(handler.body))


def truncated_in_silence(handler: Handler) -> None:
    handler.say(handler.body[:-100])


def other(handler: Handler) -> None:
    handler.say(handler.body[::-1])


def page(handler: Handler) -> None:
    handler.say(b"<html>Come back later</html>")


def strange_length(handler: Handler) -> None:
    handler.say(handler.body, length="many")


def silent(handler: Handler) -> None:
    handler.server.ended.wait()


def stalled(handler: Handler) -> None:
    truncated(handler)
    handler.server.ended.wait()


def dripping(handler: Handler) -> None:
    """Send byte after byte, for much longer than the limit."""
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):  # nobody listens any more
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.server.ended.wait(0.02)


def slow(handler: Handler) -> None:
    """Send the file in pieces, with pauses that are within the limits."""
    handler.send_response(200)
    handler.send_header("Content-Length", f"{len(handler.body)}")
    handler.end_headers()
    for start in range(0, len(handler.body), 60):
        handler.wfile.write(handler.body[start : start + 60])
        handler.server.ended.wait(0.2)


def nearly_endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):  # nobody listens any more
        for _ in range(100):
            handler.wfile.write(bytes(2**16))


def in_chunks(handler: Handler, ends: bool = True) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(handler.body), 100):
        piece = handler.body[start : start + 100]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n" if ends else b"64\r\n")
    handler.close_connection = True


def half_of_the_chunks(handler: Handler) -> None:
    handler.body = handler.body[:200]
    in_chunks(handler, ends=False)


def packed_on_the_way(handler: Handler) -> None:
    packed = gzip.compress(handler.body)
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", f"{len(packed)}")
    handler.end_headers()
    handler.wfile.write(packed)


def packed_badly(handler: Handler) -> None:
    handler.body = b"\x1f\x8b" + handler.body
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(handler.body)


def too_short_a_length(handler: Handler) -> None:
    handler.say(handler.body, length=len(handler.body) - 100)


def too_long_a_length(handler: Handler) -> None:
    handler.say(handler.body, length=len(handler.body) + 100)


def hung_up(handler: Handler) -> None:
    handler.close_connection = True


def missing(handler: Handler) -> None:
    handler.say(b"Not here", 404)


def busy(handler: Handler) -> None:
    handler.say(b"Come back later", 503)


def round_and_round(handler: Handler) -> None:
    handler.send_response(302)
    handler.send_header("Location", f"/elsewhere/{TROUBLED}")
    handler.end_headers()


def moved(handler: Handler) -> None:
    (round_and_round if handler.path.startswith("/files/") else whole)(handler)


def after_two(failures: Answer) -> Answer:
    """An answer that fails twice, and then does not."""

    def answer(handler: Handler) -> None:
        (failures if handler.server.asked.count(TROUBLED) < 3 else whole)(handler)

    return answer


Mirrors = Callable[[Answer], Mirror]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that a test finds what it put there; and short waits."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HOME", str(folder))
    for name in ("KERAS_HOME", "TORCH_HOME", "XDG_CACHE_HOME", sources.MIRROR):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(sources, "PAUSE", 0.01)
    monkeypatch.setattr(sources, "TIMEOUTS", (5, 0.5))
    monkeypatch.setattr(sources, "SLOW_FOR", 0.3)
    monkeypatch.setattr(sources, "SLOWEST", 100)
    monkeypatch.setattr(idx, "LARGEST", 10**6)
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small dataset: 400 training and 100 test images."""
    folder = tmp_path_factory.mktemp("drawn")
    garments.write(folder, 400, 100)
    return folder


@pytest.fixture
def mirror(drawn: Path) -> Iterator[Mirrors]:
    """Start servers of the small dataset, to be ended after the test."""
    with ExitStack() as ends:

        def start(answer: Answer) -> Mirror:
            server = Mirror(drawn, answer)
            ends.enter_context(served(server))
            ends.callback(server.ended.set)
            return server

        yield start


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder that is to be filled."""
    return tmp_path / "raw"


def source(folder: Path, *mirrors: object) -> settings.Source:
    """The source of the dataset in a folder."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES}
    return settings.Source(
        labels=list(garments.LABELS), mirrors=[str(place) for place in mirrors], sha256=digests
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(of: settings.Source, folder: Path) -> str:
    """The sentence with which it is said that no source has the files."""
    with pytest.raises(sources.NoSourceError) as refused:
        sources.collect(of, folder)
    sentence = str(refused.value)
    assert len(sentence.splitlines()) == 1
    return sentence


@pytest.mark.parametrize("kind", ["folder", "folder below home", "URL"])
def test_files_come_from_the_place_that_the_environment_names(
    kind: str,
    drawn: Path,
    home: Path,
    raw: Path,
    mirror: Mirrors,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(drawn, home / "mine")
    unused = mirror(whole)
    places = {"folder": str(drawn), "folder below home": "~/mine", "URL": mirror(whole).url}
    monkeypatch.setenv(sources.MIRROR, places[kind])
    sources.collect(source(drawn, unused.url), raw)
    assert contents(raw) == contents(drawn)
    assert unused.asked == []


KERAS = ".keras/datasets/fashion-mnist"
TORCH = ".cache/torch/FashionMNIST/raw"


@pytest.mark.parametrize(
    ("cache", "environment"),
    [
        ("keras/datasets/fashion-mnist", {"KERAS_HOME": "keras"}),
        ("torch/FashionMNIST/raw", {"TORCH_HOME": "torch"}),
        ("xdg/torch/FashionMNIST/raw", {"XDG_CACHE_HOME": "xdg"}),
        (KERAS, {}),
        (TORCH, {}),
        (".cache/torch/datasets/FashionMNIST/raw", {}),
        (".cache/torchvision/FashionMNIST/raw", {}),
        ("data/FashionMNIST/raw", {}),
    ],
)
def test_files_come_from_the_caches_of_keras_and_torchvision(
    cache: str,
    environment: dict[str, str],
    drawn: Path,
    home: Path,
    raw: Path,
    mirror: Mirrors,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(drawn, home / cache)
    for name, folder in environment.items():
        monkeypatch.setenv(name, str(home / folder))
    unused = mirror(whole)
    sources.collect(source(drawn, unused.url), raw)
    assert contents(raw) == contents(drawn)
    assert unused.asked == []


def test_the_environment_comes_first_then_keras_then_torchvision_then_mirrors(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cache in (TORCH, KERAS):
        (home / cache).mkdir(parents=True)
    monkeypatch.setenv(sources.MIRROR, "mine")
    expected = ["mine", str(home / KERAS), str(home / TORCH), "second", "first"]
    assert sources.places(["second", "first"]) == expected


@SOURCES
@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (whole, 1),
        (without_a_length, 1),
        (moved, 2),
        (slow, 1),
        (in_chunks, 1),
        (packed_on_the_way, 1),
        (after_two(busy), 3),
        (after_two(truncated), 3),
        (after_two(hung_up), 3),
        (after_two(silent), 3),
    ],
)
def test_an_answer_that_is_whole_in_the_end_is_accepted(
    answer: Answer, asked: int, drawn: Path, raw: Path, mirror: Mirrors
) -> None:
    server = mirror(answer)
    sources.collect(source(drawn, server.url), raw)
    assert contents(raw) == contents(drawn)
    assert server.asked.count(TROUBLED) == asked


@SOURCES
@pytest.mark.parametrize(
    ("answer", "reason", "asked"),
    [
        pytest.param(truncated, "the answer broke off", 3, id="truncated"),
        pytest.param(truncated_in_silence, ANOTHER, 1, id="truncated in silence"),
        pytest.param(other, ANOTHER, 1, id="another file"),
        pytest.param(page, ANOTHER, 1, id="an error page with status 200"),
        pytest.param(silent, "no answer in time", 3, id="silent"),
        pytest.param(stalled, "no answer in time", 3, id="stalled"),
        pytest.param(dripping, "no answer in time", 3, id="dripping"),
        pytest.param(nearly_endless, "more than 1000000 bytes", 1, id="nearly endless"),
        pytest.param(half_of_the_chunks, "the answer broke off", 3, id="half of the chunks"),
        pytest.param(packed_badly, "the answer broke off", 3, id="packed badly"),
        pytest.param(too_short_a_length, ANOTHER, 1, id="too short a length"),
        pytest.param(too_long_a_length, "the answer broke off", 3, id="too long a length"),
        pytest.param(hung_up, "no connection, or a lost one", 3, id="hung up"),
        pytest.param(missing, "HTTP 404", 1, id="404"),
        pytest.param(busy, "HTTP 503", 3, id="503"),
        # What kind of error it is, and then what the library or Python says of it.
        pytest.param(round_and_round, "TooManyRedirects: .+", 31, id="redirects"),
        pytest.param(strange_length, "ValueError: .+", 1, id="strange length"),
    ],
)
def test_a_bad_answer_is_refused_and_a_good_mirror_saves_the_day(
    answer: Answer, reason: str, asked: int, drawn: Path, raw: Path, mirror: Mirrors
) -> None:
    bad = mirror(answer)
    sentence = refusal(source(drawn, bad.url), raw)
    assert re.fullmatch(
        rf"{TROUBLED}(?:, \S+)* could not be found: {bad.url} \({reason}\)\. "
        rf"Set {sources.MIRROR} to .*\.",
        sentence,
    )
    assert bad.asked.count(TROUBLED) == asked
    # What was right stays; nothing half-written is left beside it.
    assert NAMES[0] in contents(raw)
    assert TROUBLED not in contents(raw)
    assert contents(raw).items() <= contents(drawn).items()

    good = mirror(whole)
    sources.collect(source(drawn, bad.url, good.url), raw)
    assert contents(raw) == contents(drawn)
    assert NAMES[0] not in good.asked


@SOURCES
def test_a_refused_connection_is_told_and_a_good_mirror_saves_the_day(
    drawn: Path, raw: Path, mirror: Mirrors
) -> None:
    with create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    sentence = refusal(source(drawn, nobody), raw)
    assert f"{nobody} (no connection, or a lost one)" in sentence
    sources.collect(source(drawn, nobody, mirror(whole).url), raw)
    assert contents(raw) == contents(drawn)


@SOURCES
@pytest.mark.parametrize(
    "place",
    ["http://a..b/", "http://[::1/", "~a-person-that-is-not-there/files", "long" * 100],
)
def test_a_place_that_cannot_be_is_told_and_a_good_one_saves_the_day(
    place: str, drawn: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sources.MIRROR, place)
    assert f" could not be found: {place} (" in refusal(source(drawn), raw)
    sources.collect(source(drawn, drawn), raw)
    assert contents(raw) == contents(drawn)


@SOURCES
def test_without_a_source_one_sentence_names_each_of_them_and_why(
    drawn: Path, home: Path, raw: Path, mirror: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sources.MIRROR, "nowhere")
    (home / KERAS).mkdir(parents=True)
    shutil.copytree(drawn, home / TORCH)
    (home / TORCH / TROUBLED).write_bytes(b"damaged")
    server = mirror(missing)
    assert refusal(source(drawn, server.url), raw) == (
        f"{TROUBLED} could not be found: nowhere (no such folder); "
        f"{home / KERAS} (no {TROUBLED}); {home / TORCH} ({ANOTHER}); {server.url} (HTTP 404). "
        "Set FASHION_MNIST_MIRROR to a folder or a URL that holds the dataset's files."
    )


def test_files_may_come_from_several_places(drawn: Path, raw: Path, tmp_path: Path) -> None:
    places = [tmp_path / "some", tmp_path / "others"]
    for i, place in enumerate(places):
        place.mkdir()
        for name in NAMES[i::2]:
            shutil.copy(drawn / name, place)
    sources.collect(source(drawn, *places), raw)
    assert contents(raw) == contents(drawn)


def test_without_any_place_to_look_it_is_said_so(drawn: Path, raw: Path) -> None:
    assert "could not be found: there was nowhere to look. Set " in refusal(source(drawn), raw)


def test_files_that_are_there_and_right_are_left_alone(
    drawn: Path, raw: Path, mirror: Mirrors
) -> None:
    shutil.copytree(drawn, raw)
    before = {path: path.stat().st_mtime_ns for path in raw.iterdir()}
    server = mirror(whole)
    sources.collect(source(drawn, server.url), raw)
    assert server.asked == []
    assert {path: path.stat().st_mtime_ns for path in raw.iterdir()} == before


@SOURCES
def test_a_damaged_file_is_replaced_and_only_that_one(
    drawn: Path, raw: Path, mirror: Mirrors
) -> None:
    shutil.copytree(drawn, raw)
    (raw / NAMES[2]).write_bytes((drawn / NAMES[2]).read_bytes()[:-1])
    server = mirror(whole)
    sources.collect(source(drawn, server.url), raw)
    assert server.asked == [NAMES[2]]
    assert contents(raw) == contents(drawn)


@pytest.mark.parametrize("name", ["notes.txt", f".{TROUBLED}.part"])
def test_a_foreign_file_is_put_out(name: str, drawn: Path, raw: Path) -> None:
    shutil.copytree(drawn, raw)
    (raw / name).write_text("foreign")
    sources.collect(source(drawn), raw)
    assert contents(raw) == contents(drawn)


@pytest.fixture
def values(drawn: Path) -> Any:
    """The committed parameters, for the small dataset."""
    of_all = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    of_all["data"]["dataset"] = "small"
    of_all["data"]["datasets"]["small"] = source(drawn, drawn).model_dump()
    of_all["mlp"] |= {"small_samples": 300, "samples": 400}
    of_all["svm"] |= {"search_samples": 400, "samples": 400}
    of_all["kmeans"] |= {"samples": 400}
    return of_all


def command(folder: Path, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the stage as DVC does, in another project."""
    shutil.copytree(ROOT / "requirements", folder / "requirements", dirs_exist_ok=True)
    run = run_in(folder)
    run("git", "init", "--quiet")
    return run("python", "-m", "stages.fetch", succeeds=succeeds, PYTHONPATH=str(ROOT))


def check_failure(folder: Path, sentence: str) -> None:
    done = command(folder, succeeds=False)
    assert done.returncode == 1
    assert re.fullmatch(f"{sentence}\n", done.stderr)


def test_the_command_fills_the_folder_and_says_what_is_there(
    values: Any, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    done = command(tmp_path)
    assert done.stderr == ""
    summary = "fetch: small, 400 training and 100 test images; every parameter is in order"
    assert done.stdout.splitlines()[-1] == summary
    assert contents(tmp_path / "data/raw") == contents(drawn)


@SOURCES
@pytest.mark.parametrize(
    ("section", "change", "sentence"),
    [
        pytest.param(
            "svm",
            {"samples": 401},
            r"params\.yaml: svm\.samples is 401, but must be \d+ to 400: there are 400 "
            r"training images\.",
            id="more samples than images",
        ),
        pytest.param(
            "svm",
            {"samples": 401, "search_samples": 60},
            r"params\.yaml: svm\.search_samples is 60, but must be (\d+) to 400: the first \1 hold "
            r"10 of each class; svm\.samples is 401, but must be \d+ to 400: there are 400 "
            r"training images\.",
            id="two wrong counts",
        ),
        pytest.param(
            "kmeans",
            {"samples": 60},
            r"params\.yaml: kmeans\.samples is 60, but must be (\d+) to 400: the first \1 hold 10 "
            r"of each class\.",
            id="too few images of a class",
        ),
        pytest.param(
            "svm",
            {"grid": {"poly": {"C": [1], "gamma": [0.1, 1000], "degree": [2, 10]}}},
            r"params\.yaml: svm\.grid\.poly\.gamma is 1000, but must be at most 8\.05 for images "
            r"of 784 pixels and degree 10\.",
            id="a kernel beyond all bounds",
        ),
        pytest.param(
            "small",
            {"labels": list(garments.LABELS[:9])},
            r"The files have labels from 0 to 9, but `labels` in params\.yaml names 9 classes: "
            r"labels are numbers that begin at 0 or 1, each with a name\.",
            id="fewer labels than in the data",
        ),
        pytest.param(
            "small",
            {"mirrors": ["nowhere"]},
            rf"{', '.join(NAMES)} could not be found: nowhere \(no such folder\)\. "
            rf"Set {sources.MIRROR} to .*\.",
            id="no source",
        ),
    ],
)
def test_the_command_ends_in_one_sentence_where_parameters_and_data_disagree(
    section: str, change: dict[str, object], sentence: str, values: Any, tmp_path: Path
) -> None:
    (values["data"]["datasets"] | values)[section].update(change)
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    check_failure(tmp_path, sentence)


def test_the_committed_parameters_are_the_same_to_pyyaml() -> None:
    assert pyyaml.different_values((ROOT / "params.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("1e-05", "is 1e-05 to DVC and '1e-05' to PyYAML; write 1.0e-05."),
        ("0o10", "is 8 to DVC and '0o10' to PyYAML; write 8."),
        ("yes", "is 'yes' to DVC and True to PyYAML; write \"yes\"."),
        ("[1.5, 1:30]", "[1] is '1:30' to DVC and 90 to PyYAML; write \"1:30\"."),
    ],
)
def test_a_value_that_pyyaml_sees_otherwise_is_named_with_how_to_write_it(
    written: str, sentence: str
) -> None:
    (found,) = pyyaml.different_values(f"mlp:\n  alpha: {written}\n  tol: 0.1\n")
    assert found == f"mlp.alpha{'' if sentence.startswith('[') else ' '}{sentence}"
    mended = sentence.rpartition("write ")[2].removesuffix(".")
    assert pyyaml.different_values(f"mlp:\n  alpha: {mended}\n") == []


def test_fetch_says_in_a_line_what_pyyaml_sees_otherwise_and_goes_on(
    values: Any, drawn: Path, tmp_path: Path
) -> None:
    text = json.dumps(values)
    assert '"tol": 0.0001' in text
    (tmp_path / "params.yaml").write_text(text.replace('"tol": 0.0001', '"tol": 1e-05'))
    done = command(tmp_path)
    assert "fetch: params.yaml: mlp.tol is 1e-05 to DVC and '1e-05' to PyYAML" in done.stdout
    assert contents(tmp_path / "data/raw") == contents(drawn)


@SOURCES
def test_the_command_ends_in_one_sentence_where_the_right_file_is_damaged(
    values: Any, drawn: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(drawn, tmp_path / "damaged")
    (damaged / TROUBLED).write_bytes((drawn / TROUBLED).read_bytes()[:-1])
    values["data"]["datasets"]["small"] = source(damaged, damaged).model_dump()
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    check_failure(
        tmp_path, f"data/incoming/{TROUBLED} states 400 bytes of data, but holds 399" + r"\."
    )


@SOURCES
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(None, r"params\.yaml cannot be read: .*; run from the project\.", id="none"),
        pytest.param("seed: [1", r"params\.yaml is not valid YAML: .*\.", id="not YAML"),
    ],
)
def test_the_command_ends_in_one_sentence_without_parameters(
    text: str | None, sentence: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    check_failure(tmp_path, sentence)
    assert not (tmp_path / "data").exists()
