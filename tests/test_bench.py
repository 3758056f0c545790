"""The benchmark compares like with like, and docs/speed.md shows what it measured."""

import gzip
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stages
from stages.errors import UserError
from stages.files import garments, settings
from stages.files.idx import read_raw
from stages.learn import images
from stages.learn.images import Dataset
from stages.run import records
from tests.conftest import ROOT, clean_environment, copy_of_project, results, run_in
from tools.bench import changes, charts, compare, goals, measure, notebook, parts, report
from tools.bench.notebook import Arrays
from tools.bench.plan import Work
from tools.bench.session import NOTEBOOK, Session
from tools.shared import generated

PARAMS = settings.load(ROOT / "params.yaml")
DOCS = ROOT / report.COMMITTED
RESULTS = next(iter(report.found(report.NOTEBOOK, DOCS).values()))


def as_idx(array: images.Bytes) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes(), 1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn garments, under the names of the real files."""
    folder = tmp_path_factory.mktemp("raw")
    for which, count, seed in (("train", 400, 1), ("t10k", 100, 2)):
        drawn, labels = garments.draw(count, seed)
        (folder / f"{which}-images-idx3-ubyte.gz").write_bytes(as_idx(drawn))
        (folder / f"{which}-labels-idx1-ubyte.gz").write_bytes(as_idx(labels.astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def dataset(raw: Path) -> Dataset:
    """The same, as the pipeline prepares them."""
    found = read_raw(PARAMS.data.source.files(raw), 10)
    order = images.order(400, PARAMS.seed)
    train = (found["train_images"][order], found["train_labels"][order])
    names = PARAMS.data.source.labels
    return Dataset("drawn", names, *train, found["test_images"], found["test_labels"])


EQUAL_MACHINES = "the same support vectors, coefficients equal to the last bit; none of {} differ"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("part", "samples", "expected"),
    [
        (
            "networks",
            150,
            {
                compare.weights: "weights equal to the last bit",
                compare.means: "6 of 6 mean accuracies equal",
            },
        ),
        ("kernel_search", 200, {compare.means: "21 of 21 mean accuracies equal"}),
        ("points", 200, {compare.means: "9 of 9 mean accuracies equal"}),
        ("svm", 300, {compare.machines: EQUAL_MACHINES.format("400 predictions")}),
        ("large_svm", 300, {compare.machines: EQUAL_MACHINES.format("100 predictions")}),
        (
            "clusters",
            150,
            {
                compare.clusters: "the same clusters for 14 of 14 k; "
                "silhouettes equal to the last bit"
            },
        ),
    ],
)
def test_under_the_contract_the_notebooks_parts_give_what_the_pipelines_give(
    part: str,
    samples: int,
    expected: dict[Callable[[Arrays, Arrays], str], str],
    raw: Path,
    dataset: Dataset,
) -> None:
    clocks = [notebook.Clock(), notebook.Clock()]
    theirs = notebook.PARTS[part](notebook.Data(raw, samples), clocks[0])
    ours = parts.PARTS[part](dataset, samples, PARAMS, clocks[1])
    assert {how: how(theirs, ours) for how in expected} == expected
    assert all(clock.seconds and min(clock.seconds.values()) > 0 for clock in clocks)


def test_results_that_differ_are_said_to() -> None:
    one = {"means": np.array([0.5, 0.6]), "weights_0_0": np.zeros(3)}
    other = {"means": np.array([0.5, 0.61]), "weights_0_0": np.array([0, 0, 1e-7])}
    assert (
        compare.means(one, other) == "1 of 2 mean accuracies equal, the others up to 0.0100 apart"
    )
    assert compare.weights(one, other) == "weights at most 1e-07 apart"
    assert compare.weights(one, {"weights_0_0": np.zeros(4)}) == "another architecture won"
    fit = {"support": np.array([0, 2]), "coefficients": np.ones((1, 2)), "intercepts": np.ones(1)}
    fit |= {"predicted": np.array([0, 1]), "retold": np.array([1])}
    found = compare.machines(fit, {**fit, "predicted": np.array([0, 0])})
    assert found.endswith("equal to the last bit; 1 of 3 predictions differ")
    found = compare.machines(fit, {**fit, "support": np.array([0, 1])})
    assert found == "other support vectors; none of 3 predictions differ"
    two = {"labels_2": np.array([0, 0, 1]), "silhouettes": np.array([0.5])}
    renamed, moved = ({**two, "labels_2": np.array(a)} for a in ([1, 1, 0], [0, 1, 1]))
    assert compare.clusters(two, renamed).startswith("the same clusters for 1 of 1 k")
    assert compare.clusters(two, moved).startswith("the same clusters for 0 of 1 k")


def test_the_notebook_has_a_users_environment_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "OPENBLAS_CORETYPE",
        "OPENBLAS_L2_SIZE",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NPY_DISABLE_CPU_FEATURES",
        "NPY_ENABLE_CPU_FEATURES",
        "FIT_PROCESSES",
        "FASHION_MNIST_MIRROR",
        "PYTHONPATH",
        "DASK_SCHEDULER_ADDRESS",
    ):
        monkeypatch.setenv(name, "1")
    environment = measure.user_environment(tmp_path)
    assert not {n for n in environment if n in measure.OURS or measure.PRESET.match(n)}
    assert "PYTHONPATH" not in environment
    assert environment["HOME"] == os.environ["HOME"]
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]);"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-P", "-c", code, str(NOTEBOOK)]
    loaded = measure.run(command, tmp_path, environment).output.split()
    assert "sklearn" in loaded
    assert not {"stages", "tools", "sklearnex"} & set(loaded)


def test_seconds_and_memory_are_of_all_processes_together(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(100_000_000); time.sleep(1)"
    code = f"import subprocess, sys; a = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}"
    found = measure.run([sys.executable, "-c", f"{code}; a.wait()"], tmp_path, dict(os.environ))
    assert 200e6 < found.memory < 300e6
    assert 1 < found.seconds < 10


def test_what_fails_is_not_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('for want of a nail')"]
    with pytest.raises(UserError, match="failed: the error message is above"):
        measure.run(command, tmp_path, dict(os.environ))
    assert "for want of a nail" in capsys.readouterr().err


def test_estimates_of_the_time_left_are_held_against_the_truth() -> None:
    stderr = [
        (10.0, "fits: 1 of 4 (wide), about 30 s left"),
        (11.0, "something else"),
        (20.0, "fits: 2 of 4 (narrow), about 20 s left"),
        (29.0, "fits: 3 of 4, about 1 s left"),
        (30.0, "fits: 4 of 4 (narrow)"),
        (31.0, "others: 1 of 2, about 9 s left"),
    ]
    times_left = measure.times_left(stderr)
    assert times_left == [(30, 20), (20, 10), (1, 1)]
    assert measure.worst_factor(times_left) == 2
    assert measure.worst_factor([(9, 1)]) is None


def test_a_part_is_measured_in_a_clone_and_compared(
    fashion_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    copy_of_project(project)
    monkeypatch.chdir(project)
    monkeypatch.setenv("FASHION_MNIST_MIRROR", str(fashion_mnist))
    session = Session(tmp_path / "bench", quick=True, changes={"kmeans.n_init": 10})
    session.repro(session.clone("float64"), "prepare")
    session.measure_work(Work("clusters", "contract", 200), 1)
    session.measure_work(Work("clusters", "float64", 200), 1)
    assert session.results["equal"] == {
        "clusters, contract": "the same clusters for 14 of 14 k; silhouettes equal to the last bit"
    }
    measured = session.results["measured"]
    assert measured.keys() == {"clusters, contract", "clusters, float64"}
    assert measured["clusters, contract"]["seconds"].keys() == {"ten", "silhouettes"}
    assert min(record["memory_gb"][0] for record in measured.values()) > 0.05
    assert run_in(project)("git", "status", "--porcelain").stdout == ""


def test_the_page_of_speed_shows_what_the_results_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert generated.part(report.COMMAND, report.PAGE) == report.sections(report.COMMITTED)


def test_the_charts_are_drawn_from_the_results(tmp_path: Path) -> None:
    for path in DOCS.glob("*.json"):
        shutil.copy(path, tmp_path)
    report.write(tmp_path)
    drawn = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert drawn == sorted(path.name for path in DOCS.glob("*.svg"))
    for name in drawn:
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes()


def test_results_of_processors_with_and_without_avx512_stand_side_by_side(tmp_path: Path) -> None:
    with_it = {**RESULTS, "machine": {**RESULTS["machine"], "instructions": ["avx2", "avx512f"]}}
    without = {**RESULTS, "machine": {**RESULTS["machine"], "instructions": ["avx2"]}}
    for of_machine in (with_it, without):
        report.keep(report.NOTEBOOK, of_machine, tmp_path)
    assert {path.name for path in tmp_path.glob("*.json")} == {
        "bench-avx512.json",
        "bench-no-avx512.json",
    }
    headings = [
        line for line in (tmp_path / "bench.md").read_text().splitlines() if line.startswith("## ")
    ]
    assert headings == [
        "## The notebook beside the pipeline, with AVX-512",
        "## The notebook beside the pipeline, without AVX-512",
    ]


def test_speedups_are_ratios_of_medians_and_a_missed_goal_is_said() -> None:
    measured = {
        "clusters, notebook": {"seconds": {"ten": [1, 1, 5], "silhouettes": [9, 2, 9]}},
        "clusters, float64": {"seconds": {"all": [4, 5, 90]}},
    }
    results = {**RESULTS, "quick": False, "measured": measured}
    (row,) = [row for row in goals.rows(results) if row.speedup]
    assert (row.notebook, row.pipeline, row.speedup) == (10, 5, 2)
    (line,) = [line for line in report.beside_the_notebook(results) if "**" in line]
    assert line.endswith("| 10.0 s | 5.00 s | **2.00** | ≥ 3.5, missed |")


@pytest.mark.skipif(not stages.SAME_BYTES, reason="there is no record on this machine")
@pytest.mark.parametrize("name", ["kmeans.k", goals.OF_CLUSTERS])
def test_a_change_is_taken_back_when_it_was_measured(name: str, project: Path) -> None:
    with_record = clean_environment() | changes.WITH_RECORD
    run_in(project)("dvc", "repro", "--force", "kmeans", **changes.WITH_RECORD)

    def everything() -> dict[str, str]:
        record = (project / records.FOLDER).rglob("*.json")
        return results(project) | {str(path): path.read_text() for path in record}

    before = everything()
    assert any(str(records.FOLDER) in path for path in before)
    (change,) = [change for change in changes.CHANGES if change.name == name]
    assert changes.cost(change, project, with_record) > 0
    assert everything() == before
    assert run_in(project)("git", "status", "--porcelain").stdout == ""
    assert not (project / ".dvc/tmp/record-before").exists()


def test_the_exponent_is_that_of_the_growth() -> None:
    assert charts.exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
