"""Files have the same bytes for the same values, and are written whole or not at all."""

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.files import artifacts, models
from tests.conftest import ROOT, clean_environment

WRITE = """
from pathlib import Path
import sys
import stages
import numpy as np
from sklearn.neural_network import MLPClassifier
from stages.files import charts, models

random = np.random.RandomState(0)
pixels, labels = random.random_sample((60, 9)), np.arange(60) % 3
model = MLPClassifier((4, 4), solver="sgd", max_iter=200, random_state=0).fit(pixels, labels)
folder = Path(sys.argv[1])
models.write(folder / "model.skops", model)
block = charts.Block(random.randint(0, 256, (6, 7, 5)).astype(np.uint8), ["a", "β"] * 3, 3, "head")
(folder / "picture.png").write_bytes(charts.picture("A title · dataset", [block]))
"""


def test_models_and_pictures_have_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    written = []
    for i, settings in enumerate(({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})):
        folder = tmp_path / str(i)
        folder.mkdir()
        # A user's own settings of matplotlib change nothing.
        (folder / "matplotlibrc").write_text("font.size: 20\nsavefig.dpi: 33\nfont.family: serif\n")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", WRITE, str(folder)],
            cwd=ROOT,
            env=clean_environment(MATPLOTLIBRC=str(folder) if i else "", **settings),
            check=False,
        )
        assert done.returncode == 0
        written.append([(folder / name).read_bytes() for name in ("model.skops", "picture.png")])
    assert written[0] == written[1]


@pytest.mark.parametrize(
    "model",
    [
        SVC(C=10, gamma=0.5),
        MLPClassifier((5,), solver="sgd", max_iter=2000, random_state=0, learning_rate_init=0.1),
        MLPClassifier((5, 3), solver="adam", max_iter=3000, random_state=0, learning_rate_init=0.1),
        KMeans(3, n_init=1, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_loads_with_skops_alone_and_predicts_the_same(
    model: SVC | MLPClassifier | KMeans, tmp_path: Path
) -> None:
    pixels = np.random.RandomState(1).random_sample((90, 4))
    model.fit(pixels, np.digitize(pixels[:, 0], [0.3, 0.7]))
    path = tmp_path / "models/model.skops"
    models.write(path, model)
    untrusted = set(skops.io.get_untrusted_types(file=path))
    assert untrusted <= set(models.TRUSTED)
    loaded = skops.io.load(path, trusted=list(untrusted))
    assert type(loaded) is type(model)
    assert type(models.read(path, type(model), 4)) is type(model)
    np.testing.assert_array_equal(loaded.predict(pixels), model.predict(pixels))
    again = tmp_path / "again.skops"
    models.write(again, loaded)
    assert again.read_bytes() == path.read_bytes()


def test_archives_are_stored_not_deflated_and_bear_no_date(tmp_path: Path) -> None:
    pixels = np.random.RandomState(1).random_sample((60, 4))
    models.write(tmp_path / "m.skops", KMeans(2, n_init=1, random_state=0).fit(pixels))
    entries = zipfile.ZipFile(tmp_path / "m.skops").infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {models.EARLIEST}


@pytest.mark.parametrize(
    "path", [*ROOT.glob("stages/**/*.py"), *ROOT.glob("tools/**/*.py")], ids=str
)
def test_no_code_writes_or_reads_what_could_hold_other_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module="pickle", names=[ast.alias(name="PicklingError")]):
                pass  # what joblib raises where it has no room
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = getattr(node, "module", None) or ""
                imported = {module, *(name.name for name in names)}
                assert not imported & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
                assert module != "yaml"  # PyYAML's functions are called by its name: see below
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr=called)):
                assert called == "safe_load" or "import yaml\n" not in text
            case ast.Call(func=ast.Attribute(value=ast.Name(id="joblib"), attr=called)):
                assert called not in {"dump", "load"}
            case ast.Call(func=ast.Attribute(attr="to_pickle" | "read_pickle")):
                pytest.fail("pandas would pickle")
            case ast.keyword(arg="allow_pickle", value=value):
                assert ast.unparse(value) == "False"
            case ast.Call(func=ast.Name(id="YAML"), keywords=keywords):
                types = [ast.unparse(k.value) for k in keywords if k.arg == "typ"]
                assert types in ([], ["'safe'"])
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile")):
                pytest.fail("text would be run")


def test_json_is_sorted_and_rounded(tmp_path: Path) -> None:
    values = {"b": 1 / 3, "a": {"z": 2, "y": "Größe"}, "c": True}
    artifacts.write_json(tmp_path / "m.json", values)
    text = (tmp_path / "m.json").read_bytes().decode()
    assert text == (
        '{\n  "a": {\n    "y": "Größe",\n    "z": 2\n  },\n  "b": 0.333333,\n  "c": true\n}\n'
    )
    assert artifacts.read_json(tmp_path / "m.json") == json.loads(text)


def test_tables_have_six_digits_and_lf(tmp_path: Path) -> None:
    table = pd.DataFrame({"k": [2, 3], "name": ["a,b", ""], "value": [1 / 3, 1.0]})
    artifacts.write_table(tmp_path / "t.csv", table)
    assert (tmp_path / "t.csv").read_bytes() == b'k,name,value\n2,"a,b",0.333333\n3,,1.000000\n'


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    artifacts.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        artifacts.write_json(path, {"a": object()})
    (tmp_path / ".metrics.json.part").mkdir()
    with pytest.raises(OSError, match=r"metrics\.json\.part"):
        artifacts.write(path, b"half")
    assert json.loads(path.read_text()) == {"a": 1}
