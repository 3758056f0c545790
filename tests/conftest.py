"""What several tests need: the real images, and a small project that has been run."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import stages  # before NumPy is loaded by a test
from stages.files import settings, sources
from stages.run import records
from tools.shared.params import set_params

ROOT = Path(__file__).parents[1]

# Tests fit what they test. Those of the record of fits use one.
os.environ[records.VARIABLE] = "off"

# The suite runs as it is written, whatever its developer has set.
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
os.environ |= {"DVC_GLOBAL_CONFIG_DIR": "/nonexistent", "DVC_SYSTEM_CONFIG_DIR": "/nonexistent"}
for personal in ("CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR", "PYTHONWARNINGS", "PYTEST_THEME"):
    os.environ.pop(personal, None)

# The pipeline on drawn garments in some fifteen seconds.
SMALL = {
    "data.dataset": "drawn-garments",
    "mlp.small_samples": 140,
    "mlp.samples": 200,
    "mlp.architectures": [[5], [8, 4]],
    "mlp.folds": 2,
    "mlp.max_iter": 20,
    "svm.search_samples": 150,
    "svm.samples": 200,
    "svm.folds": 2,
    "svm.grid.linear.C": [1],
    "svm.grid.poly.C": [1],
    "svm.grid.poly.gamma": [0.01],
    "svm.grid.rbf.C": [1, 10],
    "svm.grid.rbf.gamma": [0.01, "scale"],
    "noise.repeats": 2,
    "kmeans.samples": 150,
    "kmeans.clusters": 4,
    "kmeans.k": [2, 3],
    "kmeans.n_init": 2,
}


def clean_environment(**others: str) -> dict[str, str]:
    """Environment of a user: none of the variables that the contract sets, no mirror, no CI."""
    unset = {*stages.CONTRACT, "NPY_ENABLE_CPU_FEATURES", "OPENBLAS_L2_SIZE", sources.MIRROR, "CI"}
    unset.add("PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    identity = {
        f"GIT_{who}_{what}": "test@test.invalid"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**kept, **identity, "PATH": path, **others}


def metrics(name: str) -> dict[str, Any]:
    """Committed metrics of the project."""
    values: dict[str, Any] = json.loads((ROOT / f"metrics/{name}.json").read_text())
    return values


Run = Callable[..., subprocess.CompletedProcess[str]]


def run_in(folder: Path) -> Run:
    """Make a function that runs a command in a folder, as a user at a terminal would."""

    def run(
        *command: str, succeeds: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == succeeds, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    return run


def copy_of_project(folder: Path) -> None:
    """Copy the project as it is now, ignored files left out, into a new Git repository."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listing.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run = run_in(folder)
    run("git", "init", "--quiet", "--initial-branch=main")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message=project")


def reproduce(folder: Path, params: dict[str, Any]) -> None:
    """Copy the project into a new folder, run it on drawn garments and commit the results."""
    folder.mkdir()
    copy_of_project(folder)
    set_params(folder / "params.yaml", params)
    run = run_in(folder)
    run("dvc", "repro")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message=drawn garments")


def digests(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of those paths that are files, by their names in a folder."""
    return {str(p.relative_to(folder)): sources.sha256(p) for p in paths if p.is_file()}


def results(project: Path) -> dict[str, str]:
    """SHA-256 of every result and of what DVC knows of it, by path."""
    paths = [project / "dvc.lock"]
    for folder in ("data", "models", "metrics", "plots"):
        paths += (project / folder).rglob("*")
    # `incoming` is what fetch keeps for another try.
    return digests(project, (path for path in paths if "incoming" not in path.parts))


def forget_results(project: Path) -> None:
    """Remove every result, and DVC's cache of them."""
    for folder in ("data/raw", "data/prepared", "models", "metrics", "plots", ".dvc/cache"):
        shutil.rmtree(project / folder)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, run on drawn garments and committed; not to be changed."""
    folder = tmp_path_factory.mktemp("reproduced") / "project"
    reproduce(folder, SMALL)
    return folder


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Path:
    """A copy of the reproduced project, to be changed."""
    folder = tmp_path / "project"
    shutil.copytree(reproduced, folder, symlinks=True)
    return folder


@pytest.fixture
def run(project: Path) -> Run:
    """Run a command in the project."""
    return run_in(project)


@pytest.fixture(scope="session")
def fashion_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real files; the test is skipped where they cannot be had."""
    folder = tmp_path_factory.mktemp("fashion-mnist")
    try:
        sources.collect(settings.load(ROOT / "params.yaml").data.datasets["fashion-mnist"], folder)
    except sources.NoSourceError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return folder


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let a test that is marked `figure` count, beside what it counts itself."""
    if call.when == "call" and (marked := item.get_closest_marker("figure")):
        name, number = (*marked.args, 1)[:2]
        item.user_properties.append(("figure", [name, number]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests that passed counted: variations held, kills survived."""
    figures: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                figures[value[0]] += value[1]
    for figure, number in figures.items():
        terminalreporter.write_line(f"{figure}: {number}")


Count = Callable[[str, int], None]


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Add to a figure that is printed at the end, if the test passes."""
    return lambda figure, number: record_property("figure", [figure, number])
