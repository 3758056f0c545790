"""Troubles of other machines that need root, a file system of their own, or minutes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.files import sources
from tests.conftest import ROOT, Run, forget_results, results, run_in
from tests.processes import wait_until
from tests.proofs.conftest import let_anybody_in, tool
from tests.test_world import TROUBLES, said
from tools.shared.params import set_params

COUNTS = (
    *("mlp.small_samples", "mlp.samples"),
    *("svm.search_samples", "svm.samples", "kmeans.samples"),
)
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
pytestmark = TROUBLES


def without_mounts(*command: str) -> list[str]:
    """A command with mounts of its own."""
    return [tool("unshare"), "--mount", *command]


@needs_root
def test_a_mount_without_a_name_is_nobodys_business(project: Path, run: Run) -> None:
    before = results(project)
    script = (
        'mkdir -p "$T"; mount -t tmpfs "" "$T"; mkdir -p "$T/ä b"; mount -t tmpfs "a b" "$T/ä b";'
        "dvc repro --force --single-item kmeans"
    )
    run(*without_mounts("sh", "-ec", script), T=str(project.parent / "mounted"))
    assert results(project) == before


@needs_root
def test_a_user_without_name_and_home_fetches(project: Path) -> None:
    forget_results(project)
    subprocess.run(["chown", "--recursive", "12345:12345", str(project)], check=True)
    let_anybody_in(project)
    python = Path(sys.executable)
    command = [tool("setpriv"), "--reuid=12345", "--regid=12345", "--clear-groups"]
    command += [str(python), "-m", "stages.fetch"]
    done = run_in(project)("env", "--unset=HOME", *command)
    assert "every parameter is in order" in done.stdout


@needs_root
def test_a_folder_of_somebody_else_is_told_in_gits_words_whole(
    project: Path, run: Run, tmp_path: Path
) -> None:
    subprocess.run(["chown", "--recursive", "1000:1000", str(project)], check=True)
    environment = {"GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"), "HOME": str(tmp_path)}
    shown = said(run, "python", "-m", "tools.verify", "--quick", **environment)
    assert "dubious ownership" in shown
    advised = f"git config --global --add safe.directory {project}"
    assert advised in shown
    run("sh", "-c", advised, **environment)
    run("python", "-m", "tools.verify", "--quick", **environment)


def mounted(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Show a folder's own content through FUSE, at its `shown` beside it."""
    shown = folder.with_name("shown")
    shown.mkdir()
    command = [tool("disorderfs"), "-f", "--shuffle-dirents=no", *options, str(folder), str(shown)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_until(lambda: shown.is_mount() or server.poll() is not None)
    assert server.poll() is None
    return server


def unmount(folder: Path) -> None:
    """Undo a mount, also one that nobody serves any more."""
    subprocess.run([tool("fusermount3"), "-u", "-z", str(folder.with_name("shown"))], check=True)


@needs_root
def test_a_dead_mount_in_a_home_is_passed_over(project: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "home/data").mkdir(parents=True)
    server = mounted(tmp_path / "home/data")
    server.kill()
    server.wait()
    (tmp_path / "home/data").rmdir()
    (tmp_path / "home/data").symlink_to(tmp_path / "home/shown")
    try:
        with pytest.raises(OSError, match="Transport endpoint is not connected"):
            list((tmp_path / "home/data").iterdir())
        forget_results(project)
        run("python", "-m", "stages.fetch", HOME=str(tmp_path / "home"))
    finally:
        unmount(tmp_path / "home/data")


@needs_root
def test_arrays_on_a_file_system_that_cannot_map_them_are_read(project: Path) -> None:
    before = results(project)
    server = mounted(project, "-o", "direct_io")
    try:
        shown = project.with_name("shown")
        with pytest.raises(OSError, match="No such device"):
            np.load(shown / "data/prepared/train_images.npy", mmap_mode="r")
        for stage in ("kmeans", "mlp_search", "svm_eval"):
            run_in(shown)("dvc", "repro", "--force", "--single-item", stage)
    finally:
        unmount(project)
        server.wait()
    assert results(project) == before


@needs_root
@pytest.mark.parametrize(
    ("options", "why"),
    [("size=20m", "MB free"), ("noexec", "No program may run in ")],
)
def test_a_folder_in_which_nothing_can_be_built_is_named(
    options: str, why: str, project: Path, run: Run
) -> None:
    folder = project.parent / "small"
    folder.mkdir()
    script = f"mount -t tmpfs -o {options} small '{folder}'; exec python -m tools.verify"
    shown = said(run, *without_mounts("sh", "-ec", script), TMPDIR=str(folder))
    assert why in shown
    assert f"{folder}" in shown
    assert "TMPDIR names another folder" in shown


def test_twenty_six_letters_that_are_numbered_from_one_go_through_every_stage(
    project: Path, run: Run
) -> None:
    """EMNIST Letters is such a dataset."""
    folder = project / "letters"
    folder.mkdir()
    for path in (project / "data/raw").iterdir():
        content = path.read_bytes()
        if "labels" in path.name:
            drawn = np.random.default_rng(0).integers(1, 27, len(content) - 8, dtype=np.uint8)
            content = content[:8] + drawn.tobytes()
        (folder / path.name).write_bytes(content)
    set_params(
        project / "params.yaml",
        {
            "data.datasets.letters": {
                "labels": [chr(ord("a") + i) for i in range(26)],
                "mirrors": ["letters"],
                "sha256": {path.name: sources.sha256(path) for path in folder.iterdir()},
            },
            "data.dataset": "letters",
            **dict.fromkeys(COUNTS, 600) | {"mlp.samples": 700},
            "mlp.max_iter": 2,
        },
    )
    run("dvc", "repro")
    run("python", "-m", "tools.report")
    assert '"dataset": "letters"' in (project / "metrics/data.json").read_text()


def test_the_suite_runs_under_a_persons_own_settings(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[format]\n\tsignoff = true\n[gpg]\n\tprogram = false\n"
        "[core]\n\tautocrlf = true\n\thooksPath = /nowhere\n[color]\n\tui = always\n"
        "[init]\n\tdefaultBranch = trunk\n"
    )
    odd = tmp_path / "ä b"
    odd.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(odd),
        "FORCE_COLOR": "1",
        "PYTHONWARNINGS": "error::ResourceWarning",
    }
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        environment.pop(name)
    tests = ["results", "repository", "settings", "fetch"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [f"tests/test_{name}.py" for name in tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
