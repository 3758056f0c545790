"""What several proofs need: the smallest project, run once; another release of Debian."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stages.run import memory
from tests.conftest import SMALL, reproduce, run_in
from tests.proofs.groups import Group, Make
from tools.shared.params import set_params

HERE = Path(__file__).parent

# Ten drawn images of each class, and fits that are over in no time. Two stages have just so many
# images that joblib hands them to its processes through files.
SMALLEST = SMALL | {
    "mlp.small_samples": 132,
    "mlp.samples": 170,
    "mlp.max_iter": 10,
    "svm.search_samples": 132,
    "svm.samples": 132,
    "kmeans.samples": 170,
}

BRANCHES: dict[str, dict[str, Any]] = {
    # One unit cannot tell classes apart. For a narrow kernel most images are far apart.
    "architectures": {"mlp.architectures": [[1]]},
    "kernels": {"svm.grid": {"rbf": {"C": [10], "gamma": [0.3]}}},
    "longer": {"mlp.max_iter": 200},
    "seed": {"seed": 4},
}

RELEASE = "trixie"

# Below a release's /usr, with all else of this machine: that is its libc, its shell, its Python.
UNDER = """mount --rbind /usr/local "$0/usr/local" && mount --rbind "$0/usr" /usr && exec "$@" """

# Runs the stages that are named, for each line that it reads.
STAGES = """
import importlib, sys
from stages.files import settings

for line in sys.stdin:
    for stage in sys.argv[1:]:
        importlib.import_module(f"stages.{stage}").main(settings.load())
    print("made", flush=True)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder as a proof."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest project, run on drawn garments and committed; not to be changed."""
    folder = tmp_path_factory.mktemp("smallest") / "project"
    reproduce(folder, SMALLEST)
    return folder


def tool(name: str, also_in: str = "") -> str:
    """Path of a program; the proof that asks for it is skipped where there is none."""
    path = shutil.which(name) or shutil.which(name, path=also_in)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def let_anybody_in(folder: Path) -> None:
    """Let users without a name reach a folder of a test."""
    for place in (folder, *folder.parents):
        mode = place.stat().st_mode
        if mode & 0o055 != 0o055:
            place.chmod(mode | 0o055)


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of `npm/package-lock.json`, and what uses them."""
    folder = shutil.copytree(
        HERE / "npm",
        tmp_path_factory.mktemp("npm") / "npm",
        ignore=shutil.ignore_patterns("node_modules"),
    )
    run_in(folder)(tool("npm"), "ci")
    return folder


@pytest.fixture(scope="session")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with a branch for each change, run and committed; on main."""
    folder = tmp_path_factory.mktemp("branches") / "project"
    reproduce(folder, SMALL | {"noise.repeats": 5})
    run = run_in(folder)
    for branch, values in BRANCHES.items():
        run("git", "checkout", "--quiet", "-b", branch, "main")
        run("dvc", "checkout")
        set_params(folder / "params.yaml", values)
        run("dvc", "repro")
        run("git", "commit", "--quiet", "--all", f"--message={branch}")
    run("git", "checkout", "--quiet", "main")
    run("dvc", "checkout")
    return folder


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another release of Debian, in a folder, with Python and an emulator of processors.

    Tests that use it are of one xdist_group, so that it is made once.
    """
    folder = tmp_path_factory.mktemp(RELEASE)
    done = install(RELEASE, folder, "git", "make", "qemu-user")
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"debootstrap failed: {reason(done.stdout)}")
    assert done.returncode == 0, done.stdout
    yield folder
    shutil.rmtree(folder)


def install(name: str, folder: Path, *packages: str) -> subprocess.CompletedProcess[str]:
    """Install a release of Debian in a folder, with Python and other packages, if it can be had."""
    debootstrap = tool("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("debootstrap wants to be run by root")
    include = f"--include={','.join(['python3', 'python3-venv', *packages])}"
    return subprocess.run(
        [debootstrap, "--variant=minbase", include, name, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def reason(output: str) -> str:
    """The last error of debootstrap or pip, else its last line."""
    errors = re.findall(r"^\s*E(?:RROR)?: .*", output, re.MULTILINE)
    return (errors or output.splitlines() or ["nothing was said"])[-1].strip()


def under(release: Path) -> list[str]:
    """Make a prefix of commands that are to run under another release."""
    return [tool("unshare"), "--mount", "sh", "-c", UNDER, str(release)]


@pytest.fixture
def group() -> Iterator[Make]:
    """Make control groups with a limit in bytes, or none."""
    made: list[Group] = []
    for kind, own in memory.groups():
        with suppress(OSError):
            made.append(Group(kind, own / f"test-{os.getpid()}", 2**30))
            break
    else:
        pytest.skip("only root may make control groups, and not in every container")
    first = made[0].folder

    def make(limit: int | None) -> Group:
        made.append(Group(kind, first.with_name(f"{first.name}-{len(made)}"), limit))
        return made[-1]

    yield make
    for group in made:
        group.close()
