"""The record of fits gives what a fit gave, and only for the same code, machine and arguments."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages import SAME_BYTES
from stages.errors import UserError
from stages.learn import clusters, draws, kernel_search, networks, scores
from stages.run import fits, records
from stages.run.records import Record
from tests.conftest import ROOT, Run, clean_environment, results, run_in
from tools.shared.params import set_params

pytestmark = pytest.mark.skipif(not SAME_BYTES, reason="the same bytes cannot be promised here")

NUMBERS = np.arange(12.0).reshape(3, 4)
CALLS: list[Any] = [
    NUMBERS,
    NUMBERS.astype(np.float32),
    NUMBERS.astype(np.int64),
    NUMBERS.reshape(4, 3),
    np.asfortranarray(NUMBERS),
    NUMBERS + 1e-12,
    NUMBERS > 100,
    NUMBERS[:, ::2],
    NUMBERS[:, ::2].copy(),
    None,
    True,
    1,
    1.0,
    "1",
    [1],
    (1,),
    [[1], []],
    [[], [1]],
    {"a": 1},
    {"a": 1.0},
    {"b": 1},
    float("nan"),
    -0.0,
    0.0,
    SVC(),
    SVC(C=2.0),
    SVC(C=2),
    MLPClassifier((3,)),
    MLPClassifier((3, 3)),
]


def compute(result: Any) -> Callable[[list[int]], Iterator[tuple[int, Any]]]:
    """Give every call the same result."""
    return lambda unknown: ((i, result) for i in unknown)


def never(unknown: list[int]) -> Iterator[tuple[int, Any]]:
    """Have a call fail that is not known."""
    raise AssertionError(unknown)


def entries(folder: Path) -> list[Path]:
    """Files of a record."""
    return sorted(folder.rglob("*.*"))


def test_what_differs_in_anything_is_another_call(tmp_path: Path) -> None:
    record = Record("", tmp_path)
    calls = [(value,) for value in CALLS]
    assert record.complete("", scores.error, calls, lambda some: ((i, i) for i in some)) == [
        *range(len(CALLS))
    ]
    assert len(entries(tmp_path)) == len(CALLS)
    assert Record("", tmp_path).complete("", scores.error, calls, never) == [*range(len(CALLS))]
    assert record.known(scores.mcnemar, dict(enumerate(calls))) == {}


def test_what_is_the_same_is_the_same_call(tmp_path: Path) -> None:
    record, other = Record("", tmp_path), Record("", tmp_path)
    model = SVC(kernel="poly", C=3)
    record.complete("", scores.error, [(NUMBERS, model, {"b": 1, "a": 2})], compute(0.1))
    mapped = np.lib.format.open_memmap(
        tmp_path / "numbers.npy", mode="w+", dtype=NUMBERS.dtype, shape=NUMBERS.shape
    )
    mapped[:] = NUMBERS
    same = (mapped, SVC(C=3, kernel="poly"), {"a": 2, "b": 1})
    assert other.complete("", scores.error, [same], never) == [0.1]


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, np.float64(1), np.int64(1), {1: 2}, np.array([None]), Path(), b"a", min],
    ids=lambda value: type(value).__name__,
)
def test_an_argument_of_any_other_type_is_an_error(value: object, tmp_path: Path) -> None:
    record = Record("", tmp_path)
    for argument in (value, [value], {"a": value}):
        with pytest.raises(TypeError, match=f"cannot tell values of {type(value)} apart|dict"):
            record.known(scores.error, {0: (argument,)})


@pytest.mark.parametrize(
    "result",
    [0.1, 3, True, (0.1 + 0.2, 7), [1, 2], np.array([3, 5]), np.linspace(0, 1, 7), [np.float64(2)]],
    ids=str,
)
def test_numbers_come_back_to_the_last_bit(result: Any, tmp_path: Path) -> None:
    Record("", tmp_path).complete("", scores.error, [(1,)], compute(result))
    (known,) = Record("", tmp_path).complete("", scores.error, [(1,)], never)
    assert np.array_equal(known, result)
    assert np.asarray(known).dtype == np.asarray(result).dtype


def test_a_model_or_a_text_is_never_kept(tmp_path: Path) -> None:
    for result in (SVC(), "text", [0.1, None], {"a": 1}):
        with pytest.raises(TypeError, match="keeps numbers"):
            Record("", tmp_path).complete("", scores.error, [(1,)], compute(result))
    assert entries(tmp_path) == []


@pytest.mark.parametrize("name", sorted(n for n in records.SOURCES if "__init__" not in n))
def test_the_modules_of_a_function_are_those_that_it_loads(name: str) -> None:
    code = f"import sys, {name}; print(*(m for m in sys.modules if m.startswith('stages.learn.')))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert records.modules(name) == {*loaded.stdout.split()}


def test_each_fit_depends_on_the_modules_that_compute_it_and_on_no_other() -> None:
    def of(function: Callable[..., Any]) -> set[str]:
        return {name.rpartition(".")[2] for name in records.modules(function.__module__)}

    assert "clusters" in of(clusters.fit) - of(networks.validate)
    assert {"kernels", "class_pairs"} <= of(kernel_search.cross_validate) - of(networks.validate)
    assert "clusters" not in of(draws.network_mistakes) | of(kernel_search.cross_validate)
    assert "networks" not in of(kernel_search.cross_validate) | of(clusters.fit)


DAMAGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "cut": lambda content, _: content[:-7],
    "empty": lambda *_: b"",
    "no JSON": lambda *_: b"\x00\xff" * 50,
    "no entry": lambda *_: b"[0.5]",
    "another number": lambda content, _: content.replace(b"0.25", b"0.75"),
    "another's": lambda _, another: another,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_entry_is_dropped_with_a_line_and_computed_anew(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record("noise", tmp_path)
    record.complete("", scores.error, [(1,)], compute(0.25))
    (entry,) = entries(tmp_path)
    sound = entry.read_bytes()
    record.complete("", scores.error, [(2,)], compute(0.5))
    (another,) = (path for path in entries(tmp_path) if path != entry)
    entry.write_bytes(DAMAGES[damage](sound, another.read_bytes()))
    capsys.readouterr()
    assert record.complete("", scores.error, [(1,)], compute(0.25)) == [0.25]
    assert capsys.readouterr().out == (
        f"noise: {entry} is damaged: it is deleted, and its fit is done again\n"
    )
    assert entry.read_bytes() == sound


def test_a_folder_that_cannot_be_written_costs_a_line_and_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    record = Record("noise", tmp_path / "file" / "fits")
    calls = [(i,) for i in range(3)]
    assert record.complete("", scores.error, calls, compute(0.5)) == [0.5] * 3
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("noise: ")
    assert line.endswith("cannot be written (Not a directory): fits are not kept")


def test_an_interrupted_run_keeps_the_fits_that_it_has_done(tmp_path: Path) -> None:
    def interrupted(_: list[int]) -> Iterator[tuple[int, Any]]:
        yield 0, 0.5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Record("", tmp_path).complete("", scores.error, [(0,), (1,)], interrupted)
    assert Record("", tmp_path).known(scores.error, {0: (0,), 1: (1,)}) == {0: 0.5}


class InClone:
    """A folder that looks like the root of a clone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fits = folder / records.FOLDER
        self.fits.parents[1].mkdir()
        monkeypatch.setenv("DVC_ROOT", str(folder))
        monkeypatch.delenv(records.VARIABLE)
        monkeypatch.chdir(ROOT)

    def keeps(self) -> bool:
        records.of_this_clone("noise").complete("", scores.error, [(1,)], compute(0.5))
        kept = bool(entries(self.fits))
        shutil.rmtree(self.fits, ignore_errors=True)
        return kept


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InClone:
    return InClone(tmp_path, monkeypatch)


def test_the_record_lies_in_the_clone_and_one_variable_switches_it_off(
    clone: InClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clone.keeps()
    monkeypatch.setenv(records.VARIABLE, "off")
    assert not clone.keeps()
    monkeypatch.setenv(records.VARIABLE, "no")
    with pytest.raises(UserError, match=r"^FIT_RECORD is 'no', but must be off, or not set\.$"):
        clone.keeps()


def test_where_the_same_bytes_cannot_be_promised_nothing_is_kept(
    clone: InClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SAME_BYTES", False)
    assert not clone.keeps()


def test_outside_of_a_dvc_project_nothing_is_kept(
    clone: InClone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    assert not clone.keeps()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("clone")
def test_a_record_that_grew_too_large_is_emptied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [(i,) for i in range(5)]
    records.of_this_clone("noise").complete("", scores.error, calls, compute(0.5))
    assert len(records.of_this_clone("noise").known(scores.error, dict(enumerate(calls)))) == 5
    monkeypatch.setattr(records, "LARGEST", 4 * records.BLOCK)
    assert records.of_this_clone("noise").known(scores.error, dict(enumerate(calls))) == {}
    assert "is larger than 0 MB, and is emptied" in capsys.readouterr().out


def test_another_c_library_or_blas_is_another_arithmetic() -> None:
    code = "import stages; from stages.run import arithmetic; print(arithmetic.sample())"

    def sample(**environment: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert sample() == sample(OPENBLAS_CORETYPE="Prescott", NPY_DISABLE_CPU_FEATURES="X86_V3")
    assert sample() != sample(GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_only_fits_that_are_not_known_are_done_and_the_person_sees_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.RandomState(0).random_sample((60, 9))
    labels = np.arange(60) % 3

    def search(architectures: Sequence[Sequence[int]], record: Record) -> Any:
        candidates = [networks.network(a, 0, max_iter=3, solver="sgd") for a in architectures]
        run = fits.in_processes("mlp_search", record)
        found = networks.cross_validate(candidates, pixels, labels, 2, run)
        return [*map(np.ndarray.tolist, found)], capsys.readouterr()

    nothing = records.NO_RECORD
    alone, _ = search([[3], [2], [4]], nothing)
    record = Record("mlp_search", tmp_path)
    search([[3], [4]], record)
    found, shown = search([[3], [2], [4]], record)
    assert found == alone
    assert shown.out == "mlp_search: 60 images: 4 of 6 fits known, 2 to do\n"
    assert "2 of 2 (2, fold" in shown.err
    found, shown = search([[3], [2], [4]], record)
    assert found == alone
    assert shown.out == (
        "mlp_search: 60 images: all 6 fits known, none to do (FIT_RECORD=off does them again)\n"
    )
    assert shown.err == ""


@pytest.fixture(scope="module")
def once_recorded(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project, run again with a record; not to be changed."""
    folder = tmp_path_factory.mktemp("recorded") / "project"
    shutil.copytree(reproduced, folder, symlinks=True)
    run_in(folder)("dvc", "repro", "--force", FIT_RECORD="")
    return folder


@pytest.fixture
def project(once_recorded: Path, tmp_path: Path) -> Path:
    """A copy of that project, to be changed."""
    return shutil.copytree(once_recorded, tmp_path / "project", symlinks=True)


def test_a_change_of_one_value_costs_the_fits_of_that_value(project: Path, run: Run) -> None:
    before = results(project)
    changes = {
        "mlp.architectures": [[5], [3], [8, 4]],
        "svm.grid.rbf.C": [0.1, 1, 10],
        "noise.repeats": 3,
        "kmeans.k": [2, 3, 5],
    }
    set_params(project / "params.yaml", changes)
    shown = run("dvc", "repro", FIT_RECORD="").stdout
    for line in (
        "mlp_search: 140 images: 4 of 6 fits known, 2 to do",
        "mlp_search: 200 images: 4 of 6 fits known, 2 to do",
        "svm_eval: kernels: 6 of 8 fits known, 2 to do",
        "kmeans: silhouettes: 2 of 3 fits known, 1 to do",
        "noise: SVM: 2 of 3 fits known, 1 to do",
    ):
        assert line in shown.splitlines(), shown
    with_record = results(project)
    assert with_record != before
    run("dvc", "repro", "--force", "--no-run-cache", FIT_RECORD="off")
    assert results(project) == with_record


def test_force_uses_the_record_and_says_so(project: Path, run: Run) -> None:
    before = results(project)
    shown = run("dvc", "repro", "--force", "--no-run-cache", FIT_RECORD="").stdout
    assert shown.count("none to do (FIT_RECORD=off does them again)") == 6
    assert results(project) == before


def test_a_comment_in_learn_forgets_what_that_module_computes_and_nothing_else(
    project: Path, run: Run
) -> None:
    def known() -> list[str]:
        code = (
            "from stages import mlp_search, kmeans, svm_eval, noise\n"
            "from stages.files import settings\n"
            "for stage in (mlp_search, svm_eval, kmeans, noise):\n"
            "    stage.main(settings.load())"
        )
        shown = run("python", "-c", code, FIT_RECORD="").stdout
        return [line for line in shown.splitlines() if "known" in line]

    everything = known()
    assert len(everything) == 6
    with (project / "stages/run/terminal.py").open("a") as file:
        file.write("# comment\n")
    assert known() == everything
    with (project / "stages/learn/clusters.py").open("a") as file:
        file.write("# comment\n")
    assert known() == [line for line in everything if not line.startswith("kmeans")]
    with (project / "stages/learn/images.py").open("a") as file:
        file.write("# comment\n")
    assert known() == []


def test_a_copy_of_an_experiment_uses_the_record_of_the_clone(project: Path, run: Run) -> None:
    before = len(entries(project / records.FOLDER))
    shown = run("dvc", "exp", "run", "--temp", "-S", "noise.repeats=3", FIT_RECORD="").stdout
    assert "noise: SVM: 2 of 3 fits known, 1 to do" in shown
    assert len(entries(project / records.FOLDER)) == before + 3
    (entry, *_) = entries(project / records.FOLDER)
    assert json.loads(entry.read_text()).keys() == {"function", "key", "result", "sha256"}
    assert run("git", "status", "--porcelain", "--", str(records.FOLDER)).stdout == ""
