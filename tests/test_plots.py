"""The plots as DVC draws them: real repository, real templates, small tables."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
import vl_convert
from ruamel.yaml import YAML

from tests.conftest import ROOT, clean_environment
from tools.plots import VEGA_LITE

PLOTS = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]

# None of these orders is the alphabetical one, and gamma's is not the numerical one.
ARCHITECTURES = ["50", "10", "100-100", "10-10"]
LABELS = ["T-shirt/top", "Ankle boot", "Dress", "Bag"]
GAMMAS = ["scale", "10", "2"]
# A panel of the first revision is missing in the second, and the other way round.
KS = [("10", "2"), ("10", "3")]

Plot = list[dict[str, Any]]
Drawn = tuple[list[str], dict[str, Plot]]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(PYTHONPATH=str(ROOT))
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def dvc(*arguments: str, cwd: Path) -> str:
    result = run(sys.executable, "-m", "dvc", *arguments, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


def commit(repository: Path) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["add", "-A"], [*identity, "commit", "-qm", "tables"]):
        assert run("git", *command, cwd=repository).returncode == 0


def silhouette(k: str, revision: int) -> float:
    """A value that tells the panels of all k and revisions apart."""
    return round(0.01 * int(k) + 0.3 * revision, 3)


def write_tables(repository: Path, revision: int) -> None:
    tables: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
        "mlp_cv": (
            "samples,architecture,fold,accuracy",
            [
                (samples, architecture, fold, f"{0.7 + 0.01 * fold + 0.02 * revision:.6f}")
                for samples in (500, 10000)
                for architecture in ARCHITECTURES
                for fold in (1, 2)
            ],
        ),
        "mlp_loss": (
            "samples,epoch,loss",
            [(m, e, f"{1 / (e + revision):.6f}") for m in (500, 10000) for e in range(1, 13)],
        ),
        "svm_cv": (
            "kernel,C,gamma,degree,fold,accuracy",
            [("linear", C, "", "", fold, 0.80 + 0.01 * fold) for C in (5, 100) for fold in (1, 2)]
            + [
                (kernel, C, gamma, degree, fold, 0.81 + 0.01 * fold + 0.02 * revision)
                for kernel, degree in (("poly", 2), ("rbf", ""))
                for C in (5, 100)
                for gamma in GAMMAS
                for fold in (1, 2)
            ],
        ),
        "silhouette": ("k,silhouette", [(k, silhouette(str(k), revision)) for k in range(2, 16)]),
        "silhouette_samples": (
            "k,cluster,rank,image,label,silhouette",
            [
                (k, cluster, rank, 7, "Bag", silhouette(k, revision))
                for k in KS[revision]
                for cluster in range(int(k))
                for rank in (0, 1)
            ],
        ),
        "contingency": (
            "label,cluster,count",
            [
                (label, c, 30 + c if row == c else 0)
                for row, label in enumerate(LABELS)
                for c in range(4)
            ],
        ),
    }
    for name in ("mlp_small_predictions", "mlp_predictions", "svm_predictions"):
        predictions = [(label, label) for label in LABELS * 3] + [("Dress", "Bag")]
        tables[name] = ("actual,predicted", predictions)
    for name, (header, rows) in tables.items():
        with (repository / "plots" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two commits with other numbers; the second is what is checked out."""
    path = tmp_path_factory.mktemp("repository")
    assert run("git", "init", "-q", cwd=path).returncode == 0
    dvc("init", "-q", cwd=path)
    dvc("config", "core.analytics", "false", cwd=path)
    shutil.copytree(ROOT / ".dvc" / "plots", path / ".dvc" / "plots")
    YAML().dump({"plots": PLOTS}, path / "dvc.yaml")
    (path / "params.yaml").write_text("data: {dataset: tiny}\n")
    (path / "plots").mkdir()
    for plot in PLOTS:
        if isinstance(plot, str):
            (path / plot).write_bytes(b"a picture, which DVC copies unread")
    for revision in (0, 1):
        write_tables(path, revision)
        commit(path)
    return path


def draw(repository: Path, *arguments: str) -> dict[str, Plot]:
    """What DVC would put on its page, by the id of the plot."""
    drawn = json.loads(dvc("plots", *arguments, "--json", cwd=repository))
    assert "errors" not in drawn
    return dict(drawn["data"])


def texts_and_places(
    plot: Plot, vega_lite: str = VEGA_LITE
) -> list[tuple[str, tuple[float, float]]]:
    """The texts of the drawn plot in the order of the drawing, each with its place (x, y)."""
    found = []

    def walk(element: Element, x: float, y: float) -> None:
        moved = re.match(r"translate\(([-.\d]+),([-.\d]+)\)", element.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        if element.text and element.tag.endswith("text"):
            found.append((element.text, (x, y)))
        for child in element:
            walk(child, x, y)

    svg = vl_convert.vegalite_to_svg(plot[0]["content"], vl_version=vega_lite)
    walk(ElementTree.fromstring(svg), 0, 0)
    return found


def texts(plot: Plot, vega_lite: str = VEGA_LITE) -> list[str]:
    return [text for text, _ in texts_and_places(plot, vega_lite)]


def only(wanted: list[str], found: list[str]) -> list[str]:
    return [text for text in found if text in wanted]


def plot_of(table: str) -> str:
    """The id, with the dataset filled in, of the plot that reads a table."""
    for plot in PLOTS:
        if not isinstance(plot, str):
            ((title, properties),) = plot.items()
            if f"plots/{table}.csv" in properties["y"]:
                return str(title).replace("${data.dataset}", "tiny")
    raise AssertionError(f"no plot reads {table}")


@pytest.fixture(scope="module", params=["show", "diff"])
def drawn(request: pytest.FixtureRequest, repository: Path) -> Drawn:
    """The revisions and their plots, as `show` and as `diff` draw them."""
    if request.param == "show":
        return ["workspace"], draw(repository, "show")
    return ["HEAD~1", "HEAD"], draw(repository, "diff", "HEAD~1", "HEAD")


# 5.8 is the nearest that vl_convert has to 5.2, which the page of plain `dvc plots show` loads.
@pytest.mark.parametrize("vega_lite", ["5.8", VEGA_LITE])
def test_every_declared_plot_is_drawn_once_with_its_title_and_revisions(
    drawn: Drawn, vega_lite: str
) -> None:
    revisions, plots = drawn
    tables = [
        plot if isinstance(plot, str) else str(next(iter(plot.values()))["y"]) for plot in PLOTS
    ]
    assert len(set(tables)) == len(PLOTS)
    ids = [plot if isinstance(plot, str) else next(iter(plot)) for plot in PLOTS]
    assert list(plots) == [str(id_).replace("${data.dataset}", "tiny") for id_ in ids]
    for name, plot in plots.items():
        if name.endswith(".png"):
            assert [part["revisions"] for part in plot] == [[revision] for revision in revisions]
            continue
        found = texts(plot, vega_lite)
        assert name in found
        assert list(dict.fromkeys(only(revisions, found))) == revisions
        assert not only(["undefined", "null", "NaN"], found)


def test_architectures_and_labels_keep_the_order_of_the_file(drawn: Drawn) -> None:
    revisions, plots = drawn
    panels = ["500 training images", "10,000 training images"]
    accuracy = texts(plots[plot_of("mlp_cv")])
    assert only(panels, accuracy) == panels
    assert only(ARCHITECTURES, accuracy) == ARCHITECTURES * 2
    contingency = texts(plots[plot_of("contingency")])
    assert only(LABELS, contingency) == LABELS
    assert only(["30", "31", "32", "33"], contingency) == ["30", "31", "32", "33"] * len(revisions)


def test_numbers_sort_as_numbers_and_words_come_last(drawn: Drawn) -> None:
    revisions, plots = drawn
    search = texts(plots[plot_of("svm_cv")])
    panels = ["linear", "poly, degree 2", "rbf"]
    assert only(panels, search) == panels
    gammas = ["none", "2", "10", "scale", "2", "10", "scale"]
    assert only(gammas, search) == gammas * len(revisions)
    assert only(["5", "100"], search) == ["100", "5"] * len(revisions)
    # Each cell prints the mean of its folds: 2 kernels, 2 C, 3 gamma.
    means = ["0.825", "0.845"] if len(revisions) == 2 else ["0.845"]
    assert only(["0.825", "0.845"], search) == [mean for mean in means for _ in range(12)]


def test_every_silhouette_profile_stands_in_its_own_panel(drawn: Drawn) -> None:
    revisions, plots = drawn
    places = dict(texts_and_places(plots[plot_of("silhouette_samples")]))
    shown = {"workspace": 1} if revisions == ["workspace"] else {"HEAD~1": 0, "HEAD": 1}
    headers = [text for text in places if text.startswith("k = ")]
    for revision, number in shown.items():
        for k in KS[number]:
            # The mean is printed above the panel: right of its column's header, in its row.
            x, y = places[f"{silhouette(k, number):.3f}"]
            assert f"k = {k}" == max(
                (header for header in headers if places[header][0] < x),
                key=lambda header: places[header][0],
            )
            assert revision == min(
                (name for name in shown if places[name][1] > y), key=lambda name: places[name][1]
            )


def test_a_confusion_matrix_counts_the_rows(drawn: Drawn) -> None:
    revisions, plots = drawn
    confusion = texts(plots[plot_of("svm_predictions")])
    assert confusion.count("3") == len(LABELS) * len(revisions)
    assert confusion.count("1") == len(revisions)


def test_revisions_on_other_datasets_are_drawn_apart(repository: Path) -> None:
    params = repository / "params.yaml"
    before = params.read_text()
    params.write_text("data: {dataset: other}\n")
    try:
        plots = draw(repository, "diff", "HEAD", "workspace")
    finally:
        params.write_text(before)
    for name, plot in plots.items():
        if not name.endswith(".png"):
            assert plot[0]["revisions"] == (["HEAD"] if name.endswith("tiny") else ["workspace"])


def test_the_page_needs_no_network(repository: Path) -> None:
    result = run(
        sys.executable, "-m", "tools.plots", "HEAD~1", "HEAD", "-o", "out/page", cwd=repository
    )
    assert (result.returncode, result.stdout) == (0, "out/page/index.html\n"), result.stderr
    page = (repository / "out" / "page" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"([^\"]*)\"", page)[0] == "vega.js"
    assert not re.search(r"(?:src|href) *= *[\"']?(?:https?:)?//", page)
    assert "window.vegaEmbed" in (repository / "out" / "page" / "vega.js").read_text("utf-8")
    assert page.count("vegaEmbed('#") == sum(not isinstance(plot, str) for plot in PLOTS)


def test_titles_of_another_dataset_than_the_results_are_refused(repository: Path) -> None:
    data = repository / "metrics/data.json"
    data.parent.mkdir()
    data.write_text('{"dataset": "another"}')
    result = run(sys.executable, "-m", "tools.plots", cwd=repository)
    data.unlink()
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "The results in the workspace come from another, but params.yaml names tiny. "
    )


def test_an_unknown_revision_is_refused_in_the_words_of_dvc(repository: Path) -> None:
    result = run(sys.executable, "-m", "tools.plots", "nosuch", cwd=repository)
    assert (result.returncode, result.stdout) == (1, "")
    (sentence,) = result.stderr.splitlines()
    assert "nosuch" in sentence
