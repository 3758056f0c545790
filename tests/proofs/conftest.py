"""What several proofs need: the smallest project that may be, run once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL, reproduce, run_in
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
