"""The pipeline as its users run it: real DVC, in a small project of its own."""

import csv
import io
import json
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from ruamel.yaml import YAML

from stages.files import garments, idx
from stages.files.idx import read_idx
from stages.files.sources import sha256
from tests.conftest import Run, forget_results, results
from tests.test_dvc_yaml import STAGES
from tools.shared.params import set_params


def ran(output: str) -> list[str]:
    """Name the stages that DVC ran."""
    return [name for name in STAGES if f"Running stage '{name}'" in output]


def test_a_second_repro_has_nothing_to_do(run: Run) -> None:
    done = run("dvc", "repro")
    assert ran(done.stdout) == []
    assert "up to date" in done.stdout
    assert run("git", "status", "--porcelain").stdout == ""


def test_results_from_nothing_are_the_same_whatever_the_processes_and_the_environment(
    project: Path, run: Run
) -> None:
    before = results(project)
    forget_results(project)
    done = run(
        "dvc",
        "repro",
        FIT_PROCESSES="1",
        OPENBLAS_CORETYPE="Sandybridge",
        OMP_NUM_THREADS="4",
        PYTHONHASHSEED="3",
        LC_ALL="C",
        TZ="Asia/Tokyo",
    )
    assert ran(done.stdout) == [*STAGES]
    assert results(project) == before


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("mlp.alpha", -1, "mlp.alpha is -1, but must be a number from 0 to 1e+06"),
        ("kmeans.samples", 15000, "kmeans.samples is 15000, but must be "),
        ("svm.samples", 30, "svm.samples is 30, but must be "),
        ("data.dataset", "mnist", 'data.dataset is "mnist", but must be a name under'),
        ("data.dataset", "few", "mlp.samples is 200, but must be "),
        ("svm.colour", "red", 'svm.colour (now "red") is not a parameter'),
    ],
)
@pytest.mark.parametrize("command", [["repro"], ["repro", "kmeans"]], ids=" ".join)
def test_a_bad_parameter_ends_in_a_sentence_and_loses_nothing(
    key: str, value: object, sentence: str, command: list[str], project: Path, run: Run
) -> None:
    garments.write(project / "few", 150, 20)
    few = {
        "labels": list(garments.LABELS),
        "mirrors": ["few"],
        "sha256": {path.name: sha256(path) for path in (project / "few").iterdir()},
    }
    before = results(project)
    set_params(project / "params.yaml", {"data.datasets.few": few, key: value})
    done = run("dvc", *command, succeeds=False)
    assert f"params.yaml: {sentence}" in done.stderr
    assert "Traceback" not in done.stderr
    assert results(project) == before


@pytest.mark.parametrize("change", ["mlp.alpha=-1", "kmeans.k=[2,x]", "+svm.colour=red"])
def test_a_bad_parameter_of_an_experiment_loses_nothing(
    change: str, project: Path, run: Run
) -> None:
    before = results(project)
    done = run("dvc", "exp", "run", "-S", change, succeeds=False)
    assert f"params.yaml: {change.strip('+').split('=')[0]}" in done.stderr
    assert "Traceback" not in done.stderr
    assert results(project) == before


def test_a_stage_that_is_run_past_the_gate_checks_too(project: Path, run: Run) -> None:
    set_params(project / "params.yaml", {"kmeans.n_init": 0})
    done = run("python", "-m", "stages.kmeans", succeeds=False)
    assert done.returncode == 1
    assert done.stderr == (
        "params.yaml: kmeans.n_init is 0, but must be a whole number from 1 to 1000.\n"
    )


def test_a_wrong_number_of_processes_ends_in_a_sentence(run: Run) -> None:
    done = run("python", "-m", "stages.kmeans", succeeds=False, FIT_PROCESSES="two")
    assert (done.returncode, done.stderr) == (
        1,
        "FIT_PROCESSES is 'two', but must be a whole number above 0.\n",
    )


def test_an_experiment_runs_what_its_change_touches_and_shows_what_it_did(run: Run) -> None:
    done = run("dvc", "exp", "run", "-S", "mlp.architectures=[[5],[12]]")
    assert ran(done.stdout) == ["fetch", "mlp_search", "noise", "compare"]
    params = json.loads(run("dvc", "params", "diff", "--json").stdout)
    assert list(params["params.yaml"]) == ["mlp.architectures"]
    metrics = json.loads(run("dvc", "metrics", "diff", "--json").stdout)
    assert set(metrics) == {"metrics/mlp.json", "metrics/noise.json", "metrics/compare.json"}
    changed = metrics["metrics/mlp.json"]["large.architecture"]
    assert changed == {"old": "5", "new": "12"}


def test_a_grid_is_changed_key_by_key(project: Path, run: Run) -> None:
    done = run("dvc", "exp", "run", "-S", "svm.grid.rbf.C=[1,5]", "-S", "~svm.grid.linear")
    assert ran(done.stdout) == ["fetch", "svm_eval", "noise", "compare"]
    params = json.loads(run("dvc", "params", "diff", "--json").stdout)
    assert set(params["params.yaml"]) == {"svm.grid.rbf.C", "svm.grid.linear.C"}
    tried = pd.read_csv(project / "plots/svm_cv.csv")
    assert set(tried["kernel"]) == {"poly", "rbf"}
    assert set(tried.loc[tried["kernel"] == "rbf", "C"]) == {1, 5}


def test_a_number_that_dvc_writes_is_read_as_a_number(project: Path, run: Run) -> None:
    run("dvc", "exp", "run", "-S", "mlp.alpha=1e-5")
    assert "alpha: 1e-05" in (project / "params.yaml").read_text()
    diff = run("git", "diff", "--unified=0", "params.yaml").stdout
    assert diff.count("\n+") == diff.count("\n-") == 2  # the header, and one line


def test_a_comment_or_a_mirror_reruns_no_fit(project: Path, run: Run) -> None:
    params = project / "params.yaml"
    params.write_text(f"# A comment.\n{params.read_text()}")
    assert ran(run("dvc", "repro").stdout) == []
    set_params(params, {"data.datasets.fashion-mnist.mirrors": ["https://mirror.invalid/"]})
    before = results(project)
    assert ran(run("dvc", "repro").stdout) == ["fetch"]
    after = results(project)
    assert {name for name in before if before[name] != after[name]} == {"dvc.lock"}


def test_a_model_scores_what_the_tables_say_with_skops_and_scikit_learn_alone(
    project: Path, run: Run
) -> None:
    code = """
import json, sys
import numpy as np
from skops.io import load

def idx(name, offset):
    return np.frombuffer(open(f"data/raw/t10k-{name}-ubyte", "rb").read(), np.uint8, offset=offset)

optimizer = "sklearn.neural_network._stochastic_optimizers.SGDOptimizer"
pixels = idx("images-idx3", 16).reshape(-1, 784) / 255
labels = idx("labels-idx1", 8)
print(json.dumps({
    name: float((load(f"models/{name}.skops", trusted=trusted).predict(pixels) != labels).mean())
    for name, trusted in (("svm", []), ("mlp", [optimizer]), ("mlp_small", [optimizer]))
}))
assert not [name for name in sys.modules if name.startswith("stages")]
"""
    errors = json.loads(run("python", "-P", "-c", code).stdout)
    mlp = json.loads((project / "metrics/mlp.json").read_text())
    svm = json.loads((project / "metrics/svm.json").read_text())
    assert errors["svm"] == pytest.approx(svm["test_error"], abs=1e-6)
    assert errors["mlp"] == pytest.approx(mlp["large"]["test_error"], abs=1e-6)
    assert errors["mlp_small"] == pytest.approx(mlp["small"]["test_error"], abs=1e-6)


def test_tables_and_metrics_agree(project: Path) -> None:
    plots = project / "plots"
    metrics = {path.stem: json.loads(path.read_text()) for path in project.glob("metrics/*.json")}
    for table, error in (
        ("mlp_small", metrics["mlp"]["small"]["test_error"]),
        ("mlp", metrics["mlp"]["large"]["test_error"]),
        ("svm", metrics["svm"]["test_error"]),
    ):
        predictions = pd.read_csv(plots / f"{table}_predictions.csv")
        assert len(predictions) == 600
        wrong = (predictions["actual"] != predictions["predicted"]).mean()
        assert wrong == pytest.approx(error, abs=1e-6)
    contingency = pd.read_csv(plots / "contingency.csv")
    assert contingency["count"].sum() == metrics["kmeans"]["samples"]
    most = contingency.groupby("cluster")["count"].max().sum()
    assert most / 150 == pytest.approx(metrics["kmeans"]["purity"], abs=1e-6)
    profile = pd.read_csv(plots / "silhouette_samples.csv")
    of_ten = profile.loc[profile["k"] == metrics["kmeans"]["clusters"], "silhouette"]
    assert of_ten.mean() == pytest.approx(metrics["kmeans"]["silhouette"], abs=2e-6)
    assert metrics["data"]["dataset"] == "drawn-garments"


def test_another_dataset_with_other_sizes_and_classes_runs_by_parameters_alone(
    project: Path, run: Run
) -> None:
    raw = project / "data/blobs"
    raw.mkdir()
    random = np.random.RandomState(0)
    digests = {}
    for which, count in (("train", 120), ("test", 30)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        images = random.randint(0, 120, (count, 9, 16)).astype(np.uint8)
        images[np.arange(count), labels * 3] += 120
        for kind, array in (("images", images), ("labels", labels)):
            path = raw / f"{which}-{kind}.idx"
            idx.write_idx(path, array)
            digests[path.name] = sha256(path)
    set_params(
        project / "params.yaml",
        {
            "data.datasets.blobs": {
                "labels": ["[/low]", "$m$, or so", "07"],
                "mirrors": ["data/blobs"],
                "sha256": digests,
            },
            "data.dataset": "blobs",
            "data.dtype": "float32",
            "mlp.small_samples": 60,
            "mlp.samples": 120,
            "svm.search_samples": 120,
            "svm.samples": 120,
            "kmeans.samples": 60,
        },
    )
    done = run("dvc", "repro")
    assert ran(done.stdout) == [*STAGES]
    about = json.loads((project / "metrics/data.json").read_text())
    assert (about["dataset"], about["image_shape"]) == ("blobs", "9x16")
    assert about["train"] == {"[/low]": 40, "$m$, or so": 40, "07": 40}
    assert json.loads((project / "metrics/svm.json").read_text())["test_error"] < 0.5
    table = pd.read_csv(project / "plots/contingency.csv", dtype=str)
    assert set(table["label"]) == set(about["train"])


def test_a_label_in_letters_that_the_terminal_lacks_stops_nothing(project: Path, run: Run) -> None:
    labels = [*garments.LABELS[:-1], "靴"]
    set_params(project / "params.yaml", {"data.datasets.drawn-garments.labels": labels})
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert "| ? " in run("python", "-m", "stages.prepare", **ascii_only).stdout
    assert "靴" in json.loads((project / "metrics/data.json").read_text(encoding="utf-8"))["train"]


def test_files_of_an_old_dataset_do_not_stay_beside_the_new(project: Path, run: Run) -> None:
    garments.write(project / "more", 2500, 60)
    digests = {path.name: sha256(path) for path in (project / "more").iterdir()}
    (project / "data/raw/left-over").write_text("from before")
    set_params(
        project / "params.yaml",
        {
            "data.datasets.drawn-garments.sha256": digests,
            "data.datasets.drawn-garments.mirrors": ["more"],
            "mlp.small_samples": 190,
            "svm.search_samples": 190,
            "kmeans.samples": 190,
        },
    )
    run("dvc", "repro", "fetch")
    found = {path.name: sha256(path) for path in (project / "data/raw").iterdir()}
    assert found == digests


def kind_of(path: Path) -> str:
    """What a file is: found out by opening it, with nothing that could run what it holds."""
    content = path.read_bytes()
    match content[:4]:
        case b"\x93NUM":
            np.load(path, allow_pickle=False)
            return "NPY"
        case b"\x89PNG":
            imread(path)
            return "PNG"
        case b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                *arrays, schema = archive.namelist()
                for name in arrays:
                    np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                json.loads(archive.read(schema))
            return "skops"
        case b"\0\0\x08\x01" | b"\0\0\x08\x03":
            read_idx(path, content[3])
            return "IDX"
    text = content.decode()
    if text.startswith(("{", "[")):
        json.loads(text)
        return "JSON"
    if text.startswith(("schema: ", "cmd: ")):
        YAML(typ="safe").load(text)
        return "YAML"
    _, *rows = csv.reader(io.StringIO(text))
    assert len({len(row) for row in rows}) == 1
    return "CSV"


def is_pickle(content: bytes) -> bool:
    """Whether a file can be taken for a pickle, which is not run."""
    try:
        list(pickletools.genops(content))
    except ValueError:
        return False
    return True


def test_every_file_that_the_pipeline_writes_opens_as_what_it_is_and_none_is_a_pickle(
    reproduced: Path,
) -> None:
    cached = [path for path in (reproduced / ".dvc/cache").rglob("*") if path.is_file()]
    written = [reproduced / name for name in results(reproduced)]
    kinds = {"json": "JSON", "csv": "CSV", "png": "PNG", "npy": "NPY", "skops": "skops"}
    kinds |= {"lock": "YAML", "": "IDX"}
    assert len(written) > 25
    for path in written:
        assert kind_of(path) == kinds[path.suffix.strip(".")], path
    assert {kind_of(path) for path in cached} <= set(kinds.values())
    assert [path for path in written + cached if is_pickle(path.read_bytes())] == []
