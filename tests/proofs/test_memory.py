"""What does not fit into memory is refused at once, with the largest count that does: to 10 %."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from stages.files import artifacts, idx, prepared, settings
from stages.run import memory
from tests.conftest import ROOT, clean_environment
from tests.processes import wait_until
from tools.shared.params import set_params

ALL = 60000
LOOK_AGAIN = 0.01  # seconds

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
# A parameter, and a limit of memory in bytes under which it is tried, with one fit at a time.
LIMITS = [
    ("mlp_search", "mlp.samples", 400_000_000),
    ("svm_eval", "svm.search_samples", 600_000_000),
    ("svm_eval", "svm.samples", 400_000_000),
    ("kmeans", "kmeans.samples", 500_000_000),
]
# Of a control group: what limits it (swap too), and what counts in its use that is no file.
FILES = {
    "cgroup2": (["memory.max", "memory.swap.max"], ["anon", "shmem"]),
    "cgroup": (["memory.limit_in_bytes"], ["total_rss", "total_shmem"]),
}

JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class Group:
    """A control group of a test's own, and what was taken in it at most.

    Attributes
    ----------
    folder : Path
    peak : int
        Bytes, without those of files that were read or written.
    """

    def __init__(self, kind: str, folder: Path, limit: int | None) -> None:
        self.folder, self.peak = folder, 0
        folder.mkdir()
        (most, *swap), self._counted = FILES[kind]
        if limit:
            (folder / most).write_text(str(limit))
            for name in swap:
                with suppress(FileNotFoundError):
                    (folder / name).write_text("0")

    def run(self, project: Path, stage: str, processes: int) -> subprocess.CompletedProcess[str]:
        """Run a stage in this group, with so many fits at a time."""
        over = Event()
        watcher = Thread(target=self._watch, args=(over,))
        watcher.start()
        done = subprocess.run(
            ["sh", "-c", JOIN, str(self.folder), sys.executable, "-m", f"stages.{stage}"],
            cwd=project,
            env=clean_environment(FIT_PROCESSES=str(processes), PYTHONPATH=str(ROOT)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        over.set()
        watcher.join()
        return done

    def _watch(self, over: Event) -> None:
        while not over.wait(LOOK_AGAIN):
            lines = (self.folder / "memory.stat").read_text().splitlines()
            now = dict(map(str.split, lines))
            self.peak = max(self.peak, sum(int(now[name]) for name in self._counted))

    def close(self) -> None:
        """Wait for the end of its processes, and remove it."""
        wait_until(lambda: not (self.folder / "cgroup.procs").read_text())
        self.folder.rmdir()


Make = Callable[[int | None], Group]


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


@pytest.fixture(scope="module")
def folder(fashion_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared images and with parameters, to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copy(ROOT / "params.yaml", folder)
    source = settings.load(ROOT / "params.yaml").data.datasets["fashion-mnist"]
    arrays = folder / prepared.FOLDER
    arrays.mkdir(parents=True)
    for role, array in idx.read_raw(source.files(fashion_mnist), len(source.labels)).items():
        np.save(arrays / f"{role}.npy", array)
    about = {"dataset": "fashion-mnist", "labels": source.labels}
    artifacts.write_json(arrays / "dataset.json", about)
    return folder


def ask(samples: int, key: str, folder: Path) -> None:
    """Set a sample count."""
    set_params(folder / "params.yaml", QUICK | {key: samples})
    for path in (folder / prepared.FOLDER).iterdir():
        path.read_bytes()  # files in memory count for the group that reads them first


def largest(stage: str, key: str, folder: Path, group: Group, processes: int) -> int:
    """The largest sample count that fits, as a person is told who asks for all images."""
    ask(ALL, key, folder)
    refused = group.run(folder, stage, processes)
    assert refused.returncode == 1, refused.stderr
    beginning = rf"params\.yaml: {key} is {ALL}, which takes \d+\.\d GB, and \d+\.\d GB are "
    ending = r"free here; the largest that fits is (\d+)\.\n"
    found = re.fullmatch(beginning + ending, refused.stderr)
    assert found, refused.stderr
    return int(found[1])


@pytest.mark.parametrize(("stage", "key", "limit"), LIMITS)
def test_what_does_not_fit_is_refused_at_once_and_the_largest_that_does_takes_what_there_is(
    stage: str, key: str, limit: int, folder: Path, group: Make
) -> None:
    ask(largest(stage, key, folder, group(limit), 1), key, folder)
    for taken in (group(limit), group(None)):
        done = taken.run(folder, stage, 1)
        assert done.returncode == 0, done.stderr
        assert taken.peak == pytest.approx(limit, rel=0.1)


@pytest.mark.parametrize(
    ("stage", "key"),
    [
        ("mlp_search", "mlp.samples"),
        ("svm_eval", "svm.search_samples"),
        ("svm_eval", "svm.samples"),
        ("kmeans", "kmeans.samples"),
    ],
)
def test_the_largest_count_that_fits_does_so_with_two_fits_at_a_time(
    stage: str, key: str, folder: Path, group: Make
) -> None:
    limit = 700_000_000
    ask(largest(stage, key, folder, group(limit), 2), key, folder)
    done = group(limit).run(folder, stage, 2)
    assert done.returncode == 0, done.stderr
