"""What `verify` finds without running the pipeline, and how it says what differs."""

import io
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from sklearn.linear_model import Ridge

from stages.files import models
from tests.conftest import Run, results
from tests.test_dvc_yaml import STAGES
from tools.shared.differences import describe
from tools.shared.params import set_params
from tools.verify import __main__ as verify

Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def check(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Verify:
    """Verify without a run, and give the exit code and what was printed."""
    monkeypatch.chdir(project)

    def run(*arguments: str) -> tuple[int, str]:
        code = verify.main(["--quick", *arguments])
        return code, capsys.readouterr().out

    return run


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def locked(project: Path, path: str, md5: str | None = None) -> str:
    """MD5 of an output in dvc.lock; another one is written there if it is given."""
    yaml = YAML()
    lock = yaml.load(project / "dvc.lock")
    (out,) = [o for s in lock["stages"].values() for o in s["outs"] if o["path"] == path]
    stated: str = out["md5"]
    if md5:
        out["md5"] = md5
        yaml.dump(lock, project / "dvc.lock")
    return stated


def cached(project: Path, md5: str) -> Path:
    return project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def test_a_commit_of_its_own_results_is_in_order_and_nothing_is_touched(
    project: Path, run: Run, check: Verify
) -> None:
    (project / "metrics/svm.json").write_text("not committed\n")
    (project / "README.md").unlink()
    before, status = results(project), run("git", "status", "--porcelain").stdout
    code, text = check()
    assert code == 0
    assert text.count("none wrong") == 3
    assert text.splitlines()[-1].startswith("OK: ")
    assert (results(project), run("git", "status", "--porcelain").stdout) == (before, status)


def polish_a_metric(project: Path) -> str:
    replace_in(project / "metrics/svm.json", '"test_error": 0.', '"test_error": 0.0')
    return "metrics/svm.json in Git is not what svm_eval wrote: its hash differs"


def replace_a_picture(project: Path) -> str:
    (project / "plots/weights.png").write_bytes((project / "plots/data.png").read_bytes())
    return "plots/weights.png in Git is not what compare wrote: its hash differs"


def remove_a_table(project: Path) -> str:
    (project / "plots/mlp_cv.csv").unlink()
    return "plots/mlp_cv.csv is not in Git, though dvc.lock has its hash"


def add_a_metric(project: Path) -> str:
    (project / "metrics/best.json").write_text("{}\n")
    return "metrics/best.json is in Git, but no stage writes it"


def edit_the_hash_of_a_metric(project: Path) -> str:
    locked(project, "metrics/svm.json", "0" * 32)
    return "metrics/svm.json in Git is not what svm_eval wrote: its hash differs"


def edit_the_hash_of_a_model(project: Path) -> str:
    locked(project, "models/mlp_small.skops", "0" * 32)
    return "compare read another version of models/mlp_small.skops than was written"


def forget_a_stage(project: Path) -> str:
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text().split("  compare:\n")[0])
    return "metrics/compare.json has no hash in dvc.lock: compare has not been run"


def change_code(project: Path) -> str:
    with (project / "stages/kmeans.py").open("a") as file:
        file.write("# changed\n")
    return "stages/kmeans.py changed after kmeans had been run"


def change_code_of_several_stages(project: Path) -> str:
    with (project / "stages/learn/kernels.py").open("a") as file:
        file.write("# changed\n")
    return f"stages/learn (kernels.py) changed after {', '.join(STAGES)} had been run"


def remove_code(project: Path) -> str:
    (project / "stages/files/charts.py").unlink()
    return f"stages/files (charts.py) changed after {', '.join(STAGES)} had been run"


def edit_the_hash_of_a_room(project: Path) -> str:
    lock = project / "dvc.lock"
    of_learn = r"path: stages/learn\n\s+hash: md5\n\s+md5: (\w+)"
    (stated,) = set(re.findall(of_learn, lock.read_text()))
    lock.write_text(lock.read_text().replace(stated, "0" * 32))
    return f"stages/learn changed after {', '.join(STAGES)} had been run"


def change_packages(project: Path) -> str:
    replace_in(project / "requirements/pipeline.txt", "numpy==", "numpy==0")
    return f"requirements/pipeline.txt changed after {', '.join(STAGES)} had been run"


def change_a_parameter(project: Path) -> str:
    set_params(project / "params.yaml", {"kmeans.n_init": 3})
    return "params.yaml, kmeans.n_init: 2 → 3 (+1) changed after fetch, kmeans had been run"


def change_a_command(project: Path) -> str:
    replace_in(project / "dvc.yaml", "python -m stages.kmeans", "python -m stages.kmeans --x")
    return "its command in dvc.yaml changed after kmeans had been run"


CHANGES = [
    polish_a_metric,
    replace_a_picture,
    remove_a_table,
    add_a_metric,
    edit_the_hash_of_a_metric,
    edit_the_hash_of_a_model,
    forget_a_stage,
    change_code,
    change_code_of_several_stages,
    remove_code,
    edit_the_hash_of_a_room,
    change_packages,
    change_a_parameter,
    change_a_command,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_commit_that_is_not_of_its_own_results_is_found_out_and_says_where(
    change: Callable[[Path], str], project: Path, run: Run, check: Verify
) -> None:
    sentence = change(project)
    run("git", "add", "--all")
    # A hook asks before there is a commit.
    code, text = check("--staged")
    assert code == 1
    assert f"   {sentence}." in text.splitlines()
    assert check()[0] == 0
    run("git", "commit", "--quiet", "--message=changed")
    code, text = check()
    assert code == 1
    assert f"   {sentence}." in text.splitlines()
    assert text.splitlines()[-1].startswith("Different")
    assert check("HEAD~1")[0] == 0


@pytest.mark.parametrize("out", ["models/svm.skops", "data/prepared"])
def test_what_was_replaced_in_dvcs_cache_is_found_out_though_dvc_trusts_it(
    out: str, project: Path, run: Run, check: Verify
) -> None:
    path = cached(project, locked(project, out))
    name = out
    if path.suffix == ".dir":
        entry = json.loads(path.read_text())[0]
        name, path = f"{out}/{entry['relpath']}", cached(project, entry["md5"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    path.chmod(0o444)
    (project / name).unlink()
    run("dvc", "checkout")
    assert "up to date" in run("dvc", "repro").stdout
    code, text = check()
    assert code == 1
    assert f"   {name} was replaced or damaged in DVC's cache: delete .dvc/cache/" in text


def test_the_findings_can_be_had_as_json(project: Path, check: Verify) -> None:
    polish_a_metric(project)
    subprocess.run(["git", "add", "metrics"], cwd=project, check=True)
    code, _ = check("--staged", "--json", "report.json")
    report = json.loads((project / "report.json").read_text())
    assert (code, report["verdict"]) == (1, "different")
    wrong = [sentence for findings in report["checks"].values() for sentence in findings["wrong"]]
    assert wrong == ["metrics/svm.json in Git is not what svm_eval wrote: its hash differs"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["v9"], "v9 is no revision here. git rev-parse: .+"),  # as Git says
        (["--output=x"], "verify: .*--output=x.*"),
        (["HEAD", "--staged"], r"verify: give either REV or --staged, not both\."),
        (["--raw", "nowhere"], r"verify: --raw: nowhere is no folder\."),
    ],
)
def test_a_wrong_command_ends_in_a_sentence(arguments: list[str], sentence: str, run: Run) -> None:
    done = run("python", "-m", "tools.verify", "--quick", *arguments, succeeds=False)
    assert done.returncode == 1
    assert re.fullmatch(f"{sentence}\n", done.stderr)


def test_a_revision_without_a_pipeline_is_refused_in_a_sentence(run: Run) -> None:
    run("git", "rm", "--quiet", "-r", ".dvc", "dvc.yaml")
    run("git", "commit", "--quiet", "--message=no pipeline")
    done = run("python", "-m", "tools.verify", succeeds=False)
    assert done.returncode == 1
    assert "is no revision of a DVC pipeline" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def as_npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def as_png(*bright: tuple[int, int], compress: int = 6) -> bytes:
    pixels = np.zeros((20, 30, 3), np.uint8)
    for place in bright:
        pixels[place] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=compress)
    return file.getvalue()


def as_skops(folder: Path, coefficients: list[float], alpha: float = 1.0) -> bytes:
    model = Ridge(alpha=alpha)
    model.coef_ = np.array(coefficients)
    models.write(folder / "model.skops", model)
    return (folder / "model.skops").read_bytes()


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("m.json", {"a": {"b": 0.5}}, {"a": {"b": 0.75}}, "a.b: 0.5 → 0.75 (+0.25)"),
        ("m.json", {"a": 1, "b": 1}, {"a": 2, "b": 3}, "a: 1 → 2 (+1); 1 more differ"),
        ("m.json", {"a": 1}, {"a": 1, "b": "x"}, "b: nothing → x"),
        ("m.json", {"a": [1, 2]}, {"a": [1]}, "a[1]: 2 → nothing"),
        ("m.json", {"a": True}, {"a": 1}, "a: True → 1"),
        ("m.json", {"a": None}, {"a": {}}, "a: None → {}"),
        ("m.json", {"a": float("nan"), "b": 1}, {"b": 2, "a": float("nan")}, "b: 1 → 2 (+1)"),
    ],
)
def test_a_difference_of_metrics_names_the_key_and_how_far(
    name: str, old: object, new: object, words: str
) -> None:
    assert describe(name, as_json(old), as_json(new)) == words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a,b\n1,x\n2,y\n", "a,b\n1,x\n2.5,y\n", "row 2, a: 2 → 2.5 (+0.5)"),
        ("a,b\n1,x\n", "a,b\n1,y\n", "row 1, b: x → y"),
        ("a\n1\n", "a\n1\n2\n", "row 2, a: nothing → 2"),
        ("a\n1\n", "c\n1\n", "row 1, a: 1 → nothing; 1 more differ"),
        ("a\n1\n", 'a\n"1"\n', "the same values, written in other bytes"),
    ],
)
def test_a_difference_of_tables_names_the_row_and_the_column(
    old: str, new: str, words: str
) -> None:
    assert describe("t.csv", old.encode(), new.encode()) == words


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("p.png", as_png(), as_png((1, 2), (3, 4)), "pixels: 2 of 600 differ"),
        ("p.png", as_png(), as_png(compress=0), "the same values, written in other bytes"),
        (
            "a.npy",
            as_npy([1.0, 2.0, np.nan]),
            as_npy([1.0, 2.5, np.nan]),
            "array: 1 of 3 differ, by at most 0.5",
        ),
        (
            "a.npy",
            as_npy(np.array([0, 255], np.uint8)),
            as_npy(np.array([255, 0], np.uint8)),
            "array: 2 of 2 differ, by at most 255",
        ),
        ("a.npy", as_npy([1.0]), as_npy([[1]]), "array: 1 of float64 → 1×1 of int64"),
        ("a.npy", b"no array", b"no alloy", "bytes: 3 of 8 differ, by at most 14"),
        ("p.png", as_png(), b"no picture", "bytes: "),
        ("m.json", b"{", b"{}", "bytes: 1 → 2"),
        ("notes", b"ab", b"ac", "bytes: 1 of 2 differ, by at most 1"),
    ],
)
def test_a_difference_of_arrays_and_pictures_says_how_many_and_how_far(
    name: str, old: bytes, new: bytes, words: str
) -> None:
    assert describe(name, old, new).startswith(words)


def test_a_difference_of_models_names_the_attribute(tmp_path: Path) -> None:
    first, second = as_skops(tmp_path, [1.0, 2.0]), as_skops(tmp_path, [1.0, 2.25])
    assert describe("m.skops", first, second) == "coef_: 1 of 2 differ, by at most 0.25"
    other = as_skops(tmp_path, [1.0, 2.0], alpha=2.0)
    assert describe("m.skops", first, other) == "alpha: 1.0 → 2.0 (+1)"
    deflated = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(first)) as archive,
        zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for entry in archive.namelist():
            again.writestr(entry, archive.read(entry))
    assert describe("m.skops", first, deflated.getvalue()).startswith("the same values")
