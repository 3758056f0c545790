"""What does not fit into memory is refused at once, with the largest count that does: to 10 %."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.files import artifacts, idx, prepared, settings
from tests.conftest import ROOT
from tests.proofs.groups import Group, Make
from tools.shared.params import set_params

ALL = 60000

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
