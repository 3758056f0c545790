"""Models and arrays go through a remote, as docs/sharing.md has it: nothing is computed again."""

import getpass
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from stages.files import sources
from tests.conftest import ROOT, Run, results, run_in
from tests.processes import wait_until
from tests.proofs.conftest import tool
from tests.test_fetch import served
from tests.test_readme import commands
from tests.test_verify import locked

PAGE = "docs/sharing.md"
(TO_A_FOLDER,) = commands(PAGE, "Share models and arrays")
((PULL, REPRO),) = commands(PAGE, "Take them from there")
(FROM_A_SERVER,) = commands(PAGE, "From a web server")
(THROUGH_SSH,) = commands(PAGE, "Through SSH")
INSTALL = "python -m pip install --require-hashes -r requirements/ssh.txt"


class Server(NamedTuple):
    """A machine that is reached by SSH.

    Attributes
    ----------
    url : str
    storage : Path
        What the URL leads to.
    home : Path
        Home of a user with a key that opens it.
    """

    url: str
    storage: Path
    home: Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An SSH server on this machine."""
    pytest.importorskip("dvc_ssh")
    folder, keys = tmp_path / "server", tmp_path / "home/.ssh"
    folder.mkdir()
    keys.mkdir(parents=True)
    for key in (folder / "host", keys / "id_ed25519"):
        subprocess.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [
        f"AuthorizedKeysFile={keys / 'id_ed25519.pub'}",
        f"HostKey={folder / 'host'}",
        f"ListenAddress=127.0.0.1:{port}",
        "AuthenticationMethods=publickey",
        "PidFile=none",
        "StrictModes=no",
        "Subsystem=sftp internal-sftp",
        "UsePAM=no",
    ]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # without which sshd of root does not start
    sshd = tool("sshd", "/usr/sbin")  # wants to be called by its full path
    ends_with_this = [tool("setpriv"), "--pdeathsig", "KILL"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*ends_with_this, sshd, "-D", "-e", "-f", "/dev/null", *(f"-o{o}" for o in options)],
            stdout=log,
            stderr=log,
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    wait_until(answers)
    storage = folder / "storage"
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{storage}"
    yield Server(url, storage, keys.parent)
    process.kill()
    process.wait()


def pull(project: Path, clone: Path, *first: str, **environment: str) -> str:
    """Clone a project and pull, as the page has it, and give what DVC says of files refused."""
    run_in(project)("git", "clone", "--quiet", str(project), str(clone))
    script = "\n".join([*first, f"{PULL} || true"])
    return run_in(clone)("sh", "-ec", script, **environment).stderr


def assert_nothing_is_left_to_do(project: Path, clone: Path) -> None:
    """Check that a clone that has pulled has every result, and nothing to compute."""
    run = run_in(clone)
    assert "Data and pipelines are up to date." in run("sh", "-c", REPRO).stdout
    assert run("git", "status", "--porcelain").stdout == ""
    assert results(clone) == results(project)


def damage(project: Path, storage: Path) -> None:
    """Replace a model where it is stored."""
    md5 = locked(project, "models/svm.skops")
    stored = storage / "files/md5" / md5[:2] / md5[2:]
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")


def test_a_fresh_clone_pulls_from_a_folder_and_computes_nothing_again(
    project: Path, run: Run, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    run("sh", "-ec", "\n".join(TO_A_FOLDER).replace("/path/to/storage", str(storage)))
    pull(project, tmp_path / "clone")
    assert_nothing_is_left_to_do(project, tmp_path / "clone")
    damage(project, storage)
    assert "models/svm.skops" in pull(project, tmp_path / "another")
    assert not (tmp_path / "another/models/svm.skops").exists()


def test_a_fresh_clone_pulls_through_ssh_and_computes_nothing_again(
    project: Path, run: Run, server: Server, tmp_path: Path
) -> None:
    install, *lines = THROUGH_SSH
    assert install == INSTALL  # as `make proofs` has done
    script = "\n".join(lines).replace("ssh://me@example.org/path/to/storage", server.url)
    run("sh", "-ec", script, HOME=str(server.home))
    assert "keyfile" not in (project / ".dvc/config").read_text()
    (key,) = [line for line in lines if "keyfile" in line]
    pull(project, tmp_path / "clone", key, HOME=str(server.home))
    assert_nothing_is_left_to_do(project, tmp_path / "clone")
    damage(project, server.storage)
    assert "models/svm.skops" in pull(project, tmp_path / "another", key, HOME=str(server.home))
    assert not (tmp_path / "another/models/svm.skops").exists()


def test_a_strangers_clone_pulls_the_models_from_the_pages_that_the_workflow_publishes(
    project: Path, run: Run, tmp_path: Path
) -> None:
    job = YAML(typ="safe").load(ROOT / ".github/workflows/pages.yml")["jobs"]["build"]
    (script,) = [step["run"] for step in job["steps"] if "site" in step.get("run", "")]
    run("python", "-m", "tools.report")
    run("bash", "-ec", script.replace(".venv/bin/", ""))
    assert (project / "site/index.html").read_text() == (project / "report.html").read_text()
    assert len(list((project / "site").glob("card-*.md"))) == 3
    for clone in ("clone", "another"):
        run("git", "clone", "--quiet", ".", str(tmp_path / clone))
    handler = partial(SimpleHTTPRequestHandler, directory=str(project / "site"))
    with served(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        lines = "\n".join(FROM_A_SERVER).replace("https://OWNER.github.io/REPOSITORY", url)
        run_in(tmp_path / "clone")("bash", "-ec", lines)
        damage(project, project / "site/dvc")
        refused = run_in(tmp_path / "another")("bash", "-ec", lines, succeeds=False)
    assert "models/svm.skops" in refused.stdout + refused.stderr
    assert not (tmp_path / "another/models/svm.skops").exists()
    of_clone, own = results(tmp_path / "clone"), results(project)
    models = {path for path in own if path.startswith("models/")}
    assert len(models) == 4
    assert {path: of_clone.get(path) for path in models} == {path: own[path] for path in models}


def test_a_registered_version_of_a_model_is_had_from_anywhere_without_the_project(
    project: Path, run: Run, tmp_path: Path
) -> None:
    register, elsewhere = commands(PAGE, "Versions of models")
    run("git", "clone", "--quiet", "--bare", ".", "../hosted")
    run("git", "remote", "add", "origin", str(tmp_path / "hosted"))
    run("sh", "-ec", "\n".join(TO_A_FOLDER).replace("/path/to/storage", str(tmp_path / "storage")))
    first = sources.sha256(project / "models/mlp.skops")
    shown = run("sh", "-ec", "\n".join(register)).stdout
    assert re.search(r"mlp +\W v0\.0\.1 +\W v0\.0\.1", shown)

    run("dvc", "exp", "run", "--set-param", "mlp.alpha=0.5")
    second = sources.sha256(project / "models/mlp.skops")
    assert second != first
    run("git", "commit", "--quiet", "--all", "--message=other networks")
    run("dvc", "push")
    run("sh", "-ec", "\n".join(register))
    (tmp_path / "elsewhere/models").mkdir(parents=True)
    script = "\n".join(elsewhere).replace("<this repository>", str(tmp_path / "hosted"))
    run_in(tmp_path / "elsewhere")("sh", "-ec", script)
    made = {path.name: sources.sha256(path) for path in (tmp_path / "elsewhere").rglob("*.skops")}
    assert made == {"mlp.skops": second, "first.skops": first}
    gone = run_in(tmp_path / "elsewhere")(
        *elsewhere[1].replace("v0.0.1", "v0.0.3").replace("<this repository>", "../hosted").split(),
        succeeds=False,
    )
    assert "v0.0.3" in gone.stderr
    assert "Traceback" not in gone.stderr
