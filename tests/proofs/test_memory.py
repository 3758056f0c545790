"""What does not fit into memory is refused at once, with the largest count that surely does."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from stages.common import artifacts, images, memory, settings
from tests.conftest import ROOT, clean_environment
from tests.processes import wait_until
from tools import demo

ALL = 60000
LEAST = 0.75

# Fits that are over in no time: what is at stake is how much they take.
QUICK = {
    "mlp.small_samples": 200,
    "mlp.samples": 300,
    "mlp.architectures": [[100], [10]],
    "mlp.folds": 5,
    "mlp.max_iter": 1,
    "svm.search_samples": 200,
    "svm.samples": 200,
    "svm.folds": 2,
    "svm.grid.linear": None,
    "svm.grid.poly": None,
    "svm.grid.rbf.C": [10],
    "svm.grid.rbf.gamma": [0.01],
    "kmeans.samples": 200,
    "kmeans.clusters": 10,
    "kmeans.k": [2, 3],
    "kmeans.n_init": 1,
}
# A parameter, and limits of memory in bytes under which it is tried.
LIMITS = [
    ("mlp_search", "mlp.samples", 700_000_000),
    ("mlp_search", "mlp.samples", 1_000_000_000),
    ("svm_eval", "svm.search_samples", 500_000_000),
    ("svm_eval", "svm.search_samples", 700_000_000),
    ("svm_eval", "svm.samples", 500_000_000),
    ("svm_eval", "svm.samples", 700_000_000),
    ("kmeans", "kmeans.samples", 300_000_000),
    ("kmeans", "kmeans.samples", 600_000_000),
]
# Of a control group: what limits it (swap too), its peak, and what of that were files.
FILES = {
    "cgroup2": (["memory.max", "memory.swap.max"], "memory.peak", ""),
    "cgroup": (["memory.limit_in_bytes"], "memory.max_usage_in_bytes", "total_"),
}


class Group:
    """A control group of a test's own, and what it has taken at most.

    Attributes
    ----------
    kind : {"cgroup2", "cgroup"}
    folder : Path
    """

    def __init__(self, kind: str, folder: Path, limit: int | None) -> None:
        self.kind, self.folder = kind, folder
        folder.mkdir()
        if limit:
            (most, *swap), _, _ = FILES[kind]
            (folder / most).write_text(str(limit))
            for name in swap:
                with suppress(FileNotFoundError):
                    (folder / name).write_text("0")

    def run(self, project: Path, stage: str) -> subprocess.CompletedProcess[str]:
        """Run a stage in this group."""
        join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return subprocess.run(
            ["sh", "-c", join, str(self.folder), sys.executable, "-m", f"stages.{stage}"],
            cwd=project,
            env=clean_environment(FIT_PROCESSES="2", PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )

    def close(self) -> None:
        """Wait for the end of its processes, and remove it."""
        wait_until(lambda: not (self.folder / "cgroup.procs").read_text())
        self.folder.rmdir()

    def peak(self) -> int:
        """Bytes that it has taken at most, without those of files that it has read or written."""
        _, most, prefix = FILES[self.kind]
        lines = (self.folder / "memory.stat").read_text().splitlines()
        now = {name: int(value) for name, value in map(str.split, lines)}
        files = now[f"{prefix}inactive_file"] + now[f"{prefix}active_file"]
        return int((self.folder / most).read_text()) - files


@pytest.fixture
def group() -> Iterator[Callable[[int | None], Group]]:
    """Make control groups with a limit in bytes, or none."""
    made: list[Group] = []
    for kind, own in memory.groups():
        with suppress(OSError):
            made.append(Group(kind, own / f"test-{os.getpid()}", 2**30))
            break
    else:
        pytest.skip("only root may make control groups, and not in every container")
    kind, first = made[0].kind, made[0].folder

    def make(limit: int | None) -> Group:
        made.append(Group(kind, first.with_name(f"{first.name}-{len(made)}"), limit))
        return made[-1]

    yield make
    for group in made:
        group.close()


@pytest.fixture(scope="module")
def folder(fashion_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared images and with parameters, to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copy(ROOT / "params.yaml", folder)
    source = settings.load(ROOT / "params.yaml").data.datasets["fashion-mnist"]
    prepared = folder / images.PREPARED
    prepared.mkdir(parents=True)
    for role, array in images.read_raw(source.files(fashion_mnist), len(source.labels)).items():
        np.save(prepared / f"{role}.npy", array)
    about = {"dataset": "fashion-mnist", "labels": source.labels}
    artifacts.write_json(prepared / "dataset.json", about)
    return folder


def asked_for(samples: int, key: str, folder: Path) -> None:
    demo.set_params(folder / "params.yaml", QUICK | {key: samples})
    for images_of in (folder / images.PREPARED).iterdir():
        images_of.read_bytes()  # files in memory count for the group that reads them first


@pytest.mark.parametrize(("stage", "key", "limit"), LIMITS)
def test_what_does_not_fit_is_refused_at_once_and_the_largest_that_does_takes_what_there_is(
    stage: str, key: str, limit: int, folder: Path, group: Callable[[int | None], Group]
) -> None:
    asked_for(ALL, key, folder)
    refused = group(limit).run(folder, stage)
    assert refused.returncode == 1, refused.stderr
    sentence = rf"params\.yaml: {key} is {ALL}, which takes \d+\.\d GB, and \d+\.\d GB are free "
    found = re.fullmatch(rf"{sentence}here; the largest that fits is (\d+)\.\n", refused.stderr)
    assert found, refused.stderr
    asked_for(int(found[1]), key, folder)
    limited = group(limit).run(folder, stage)
    assert limited.returncode == 0, limited.stderr
    unlimited = group(None)
    assert unlimited.run(folder, stage).returncode == 0
    # Reckoned is the worst moment, at which all that runs at once is largest; not every run has it.
    assert LEAST * limit < unlimited.peak() <= 1.02 * limit
