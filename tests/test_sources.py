"""Data as people have it: packed anew, unpacked, labelled from 1, behind proxies."""

import gzip
import hashlib
import re
import shutil
import ssl
import subprocess
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from stages.files import garments, idx, settings, sources
from tests.conftest import Run
from tests.test_fetch import Mirror, contents, refusal, served, source, whole
from tests.test_world import TROUBLES
from tools.shared.params import set_params

pytestmark = TROUBLES


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small dataset, not packed."""
    folder = tmp_path_factory.mktemp("drawn")
    garments.write(folder, 100, 20)
    return folder


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache, proxy or authority of a person counts."""
    for name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(sources.MIRROR, raising=False)
    monkeypatch.setattr(sources, "PAUSE", 0)


class Refusing(BaseHTTPRequestHandler):
    """A proxy that wants a password."""

    def do_GET(self) -> None:
        self.send_error(407)

    def do_CONNECT(self) -> None:
        self.send_error(407)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


class Quiet(SimpleHTTPRequestHandler):
    """A web server of a folder."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_named(
    scheme: str, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Refusing)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        sentence = refusal(source(drawn, f"{scheme}://files.invalid/"), tmp_path / "raw")
    assert "the proxy that HTTPS_PROXY or HTTP_PROXY names refuses" in sentence
    assert "407" in sentence


def test_an_authority_of_ones_own_counts_and_without_it_the_variable_is_named(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Mirror(drawn, whole)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    of = source(drawn, server.url.replace("http", "https"))
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere.pem")
    with served(server):
        sentence = refusal(of, tmp_path / "raw")
        assert "its certificate is not trusted here: SSL_CERT_FILE must name a file" in sentence
        assert server.asked == []
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.setenv(name, str(certificate))
            sources.collect(of, tmp_path / name)
            assert contents(tmp_path / name) == contents(drawn)
            monkeypatch.delenv(name)


def test_a_scheme_counts_in_any_letters_and_files_have_one_too(drawn: Path, tmp_path: Path) -> None:
    with served(Mirror(drawn, whole)) as server:
        assert isinstance(server, Mirror)
        sources.collect(source(drawn, server.url.replace("http", "HTTP")), tmp_path / "http")
    spaced = tmp_path / "ä b"
    shutil.copytree(drawn, spaced)
    for number, place in enumerate(
        [spaced.as_uri(), f"FILE://localhost{drawn}", f"file://{spaced}/"]
    ):
        sources.collect(source(drawn, place), tmp_path / str(number))
        assert contents(tmp_path / str(number)) == contents(drawn)
    sentence = refusal(source(drawn, "s3://bucket/folder"), tmp_path / "raw")
    assert "s3:// is not read here: http, https, file are" in sentence


@pytest.fixture(scope="module")
def packed(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files, packed."""
    folder = tmp_path_factory.mktemp("packed")
    for path in drawn.iterdir():
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    return folder


def test_the_hash_of_the_content_takes_any_packed_copy(
    drawn: Path, packed: Path, tmp_path: Path
) -> None:
    sources.collect(source(drawn, packed), tmp_path / "folder")
    assert contents(tmp_path / "folder") == contents(drawn)
    handler = partial(Quiet, directory=str(packed))
    with served(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        sources.collect(source(drawn, url), tmp_path / "web")
    assert contents(tmp_path / "web") == contents(drawn)


def stated_packed(packed: Path, *mirrors: object) -> settings.Source:
    """The dataset with the hashes of its packed files."""
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in packed.iterdir()}
    return settings.Source(
        labels=list(garments.LABELS), mirrors=[str(place) for place in mirrors], sha256=digests
    )


def test_files_that_were_unpacked_or_packed_anew_are_told_apart_and_the_way_is_named(
    drawn: Path, packed: Path, tmp_path: Path
) -> None:
    way = "to take any copy, name the file without .gz in params.yaml, with the SHA-256 of the"
    sentence = refusal(stated_packed(packed, drawn), tmp_path / "raw")
    assert re.search(r"no (\S+)\.gz, but \1: ", sentence)
    assert way in sentence
    anew = tmp_path / "anew"
    shutil.copytree(packed, anew)
    for path in anew.iterdir():
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    sentence = refusal(stated_packed(packed, anew), tmp_path / "raw")
    assert "has another SHA-256 there" in sentence
    assert way in sentence


def test_a_file_that_is_only_named_as_packed_is_taken_as_it_is(drawn: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    for path in drawn.iterdir():
        shutil.copy2(path, named / f"{path.name}.gz")
    sources.collect(source(drawn, named), tmp_path / "raw")
    assert contents(tmp_path / "raw") == contents(drawn)


def test_a_packed_file_that_is_damaged_or_too_large_inside_is_refused(
    drawn: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(packed, broken)
    for path in broken.iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    assert "damaged" in refusal(source(drawn, broken), tmp_path / "raw")
    monkeypatch.setattr(idx, "LARGEST", 1000)
    assert "more than 1000 bytes" in refusal(source(drawn, packed), tmp_path / "raw")


def test_labels_that_begin_at_one_give_the_same_pipeline(project: Path, run: Run) -> None:
    before = (project / "metrics/data.json").read_text()
    shutil.copytree(project / "data/raw", project / "letters")
    for path in (project / "letters").glob("*labels*"):
        content = np.frombuffer(path.read_bytes(), np.uint8)
        path.write_bytes(content[:8].tobytes() + (content[8:] + 1).tobytes())
    digests = {path.name: sources.sha256(path) for path in (project / "letters").iterdir()}
    dataset = "data.datasets.drawn-garments"
    set_params(
        project / "params.yaml",
        {f"{dataset}.sha256": digests, f"{dataset}.mirrors": ["letters"]},
    )
    run("dvc", "repro", "prepare")
    assert (project / "metrics/data.json").read_text() == before
