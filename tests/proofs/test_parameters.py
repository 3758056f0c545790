"""A wrong parameter loses nothing and is named in a sentence; an accepted one runs."""

import copy
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages import fetch
from stages.errors import UserError
from stages.files import settings, sources
from stages.files.idx import write_idx
from stages.run import concurrency
from tests.conftest import Count, Run, results, run_in
from tests.test_dvc_yaml import STAGES
from tests.test_settings import Key, at, dotted, leaves, sections
from tools.shared.params import set_params

REFUSED = "wrong parameters refused"
ACCEPTED = "accepted parameters that ran"

# Each example takes its time: none is looked for twice, and none is made smaller.
proven = hypothesis.settings(
    deadline=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def shown(value: object) -> str:
    """A value as it is shown."""
    return " ".join(json.dumps(value, ensure_ascii=False, default=str).split())


# What is wrong in any place: numbers out of every range or none at all, what is neither text nor
# a number, text that cannot be seen.
SCALARS = st.one_of(
    st.sampled_from([float("nan"), float("inf"), float("-inf"), True, False, -0.5, ""]),
    st.integers(-(10**30), -1),
    st.integers(10**10, 10**60),
    st.floats(1e10, 1e300) | st.floats(-1e300, -1e-300),
    st.dates(),
    st.text(st.characters(categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=5),
)
WRONG = SCALARS | SCALARS.map(lambda scalar: [scalar]) | SCALARS.map(lambda x: {"surprise": x})


def refusal(params: str | bytes, project: Path, run: Run) -> str:
    """The sentence in which the stage that checks parameters ends, having changed nothing."""
    before = results(project)
    content = params.encode() if isinstance(params, str) else params
    (project / "params.yaml").write_bytes(content)
    done = run("python", "-m", "stages.fetch", succeeds=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("params.yaml")
    assert done.stderr.endswith(".\n")
    assert results(project) == before
    return done.stderr


def written(values: Any, folder: Path) -> bytes:
    """Parameters as YAML."""
    yaml = YAML(typ="safe")
    yaml.dump(values, folder / "values.yaml")
    return (folder / "values.yaml").read_bytes()


SEED = "seed: 2016515"


def with_seed(line: str) -> Callable[[str], str]:
    """A change of the file: another line in place of the seed's."""
    return lambda text: text.replace(SEED, line)


NOT_YAML = "is not valid YAML: "

# Odd YAML: a change of the file, and our words in the refusal.
ODD: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "nothing": (lambda _: "", "the whole file is null, but must be"),
    "a list": (lambda _: f"- {SEED}", "the whole file is [{"),
    "two documents": (lambda text: f"{text}---\n{text}", NOT_YAML),
    "half a file": (lambda text: text[: len(text) // 2].rpartition("\n")[0], "data.datasets."),
    "a tab": (lambda text: text.replace("  dtype", "\tdtype"), NOT_YAML),
    "a key twice": (lambda text: f"{text}{SEED}\n", NOT_YAML),
    "UTF-16": (lambda text: text.encode("utf-16"), NOT_YAML),
    "Latin-1": (lambda text: f"# é\n{text}".encode("latin-1"), NOT_YAML),
    "a control character": (with_seed("seed: \0"), NOT_YAML),
    "no value": (with_seed("seed:"), "seed is null"),
    "a tilde": (with_seed("seed: ~"), "seed is null"),
    "yes": (with_seed("seed: yes"), 'seed is "yes"'),
    "off": (with_seed("seed: off"), 'seed is "off"'),
    "true": (with_seed("seed: true"), "seed is true"),
    "a date": (with_seed("seed: 2020-01-02"), 'seed is "2020-01-02"'),
    "an hour": (with_seed("seed: 12:30"), 'seed is "12:30"'),
    "not a number": (with_seed("seed: .nan"), "seed is NaN"),
    "infinity": (with_seed("seed: 1e999"), "seed is Infinity"),
    "half a number": (with_seed("seed: 0x"), 'seed is "0x"'),
    "a huge number": (with_seed(f"seed: 0x{'f' * 5000}"), "seed is a huge number"),
    "a number in quotes": (with_seed("seed: '7'"), 'seed is "7"'),
    "a folded number": (with_seed("seed: >\n  7"), 'seed is "7\\n"'),
    "bytes": (with_seed("seed: !!binary aGk="), """seed is "b'hi'" """.strip()),
    "a set": (with_seed("seed: !!set {a}"), """seed is "{'a'}" """.strip()),
    "a Python object": (
        with_seed("seed: !!python/object/apply:os.system ['touch data/mine']"),
        NOT_YAML,
    ),
    "a Python name": (with_seed("seed: !!python/name:os.system"), NOT_YAML),
    "a tag of nobody": (with_seed("seed: !mine 3"), NOT_YAML),
    "a tag that does not fit": (with_seed("seed: !!int"), NOT_YAML),
    "a letter that there is not": (with_seed('seed: "\\Uffffffff"'), NOT_YAML),
    "half of a letter": (with_seed('seed: "\\ud800"'), "seed is "),
    "an alias of nothing": (with_seed("seed: *nobody"), NOT_YAML),
    "an alias of itself": (with_seed("seed: &a [*a]"), "seed is [[[["),
    "a merge with nothing": (with_seed(f"<<: 3\n{SEED}"), NOT_YAML),
    "a merge with more": (with_seed(f"<<: {{other: 7}}\n{SEED}"), "other (now 7) is not"),
    "a list as a key": (with_seed(f"? [a]\n: 3\n{SEED}"), "is not a parameter"),
    "a mapping as a key": (with_seed(f"? {{a: 1}}\n: 3\n{SEED}"), NOT_YAML),
    "endless nesting": (with_seed(f"seed: {'{a: ' * 3000}"), NOT_YAML),
    "a version to come": (lambda text: f"%YAML 3.7\n---\n{text}", NOT_YAML),
}

# The same values in other words.
SAME: dict[str, Callable[[str], str]] = {
    "a BOM": lambda text: f"\ufeff{text}",
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "no end of the last line": lambda text: text.rstrip(),
    "marks of a document": lambda text: f"---\n{text}...\n",
    "quotes": with_seed("'seed': 2016515"),
    "hexadecimal": with_seed("seed: 0x1EC503"),
    "octal": with_seed("seed: 0o7542403"),
    "underscores": with_seed("seed: 2_016_515"),
    "a tag": with_seed("seed: !!int '2016515'"),
    "an anchor": with_seed("seed: &a 2016515"),
    "a merge": with_seed(f"<<: {{seed: 7}}\n{SEED}"),
    "JSON": lambda text: json.dumps(YAML(typ="safe").load(text)),
}


@pytest.mark.figure(REFUSED)
@pytest.mark.parametrize("name", ODD)
def test_odd_yaml_is_refused_in_a_sentence_and_changes_nothing(
    name: str, project: Path, run: Run
) -> None:
    change, words = ODD[name]
    text = (project / "params.yaml").read_text(encoding="utf-8")
    assert words in refusal(change(text), project, run)


@pytest.mark.parametrize("name", SAME)
def test_the_same_values_in_other_words_are_accepted(name: str, project: Path, run: Run) -> None:
    before, path = results(project), project / "params.yaml"
    params = settings.load(path)
    path.write_bytes(SAME[name](path.read_text(encoding="utf-8")).encode())
    assert settings.load(path) == params
    run("python", "-m", "stages.fetch")
    assert results(project) == before


WRONG_ONES = {
    "seed": -1,
    "data.dtype": "float16",
    "mlp.folds": 1,
    "svm.grid.rbf.C": [float("nan")],
    "kmeans.k": [],
    "surprise": {"a": 1},
}


def brought_back(project: Path, run: Run, *more: str) -> dict[str, str]:
    """Results that Git and DVC bring back: those of the last commit."""
    run("git", "restore", "metrics", "plots", *more)
    run("dvc", "checkout")
    return results(project)


@pytest.mark.figure(REFUSED)
@pytest.mark.parametrize("key", WRONG_ONES)
def test_the_pipeline_stops_at_a_wrong_value_before_anything_is_lost(
    key: str, project: Path, run: Run
) -> None:
    before = results(project)
    set_params(project / "params.yaml", {key: WRONG_ONES[key]})
    done = run("dvc", "repro", succeeds=False)
    assert re.search(rf"^params\.yaml: {re.escape(key)}\b.*\.$", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert results(project) == before
    assert brought_back(project, run, "params.yaml") == before


@pytest.mark.figure(REFUSED)
@pytest.mark.parametrize("name", ["a tab", "Latin-1", "a Python object", "half of a letter"])
def test_the_pipeline_stops_at_odd_yaml_before_anything_is_lost(
    name: str, project: Path, run: Run
) -> None:
    before, path = results(project), project / "params.yaml"
    odd = ODD[name][0](path.read_text(encoding="utf-8"))
    path.write_bytes(odd if isinstance(odd, bytes) else odd.encode())
    done = run("dvc", "repro", succeeds=False)
    assert "Traceback" not in done.stderr
    assert results(project) == before
    assert brought_back(project, run, "params.yaml") == before


@pytest.mark.figure(REFUSED)
def test_after_a_later_stage_has_failed_the_last_good_state_comes_back(
    project: Path, run: Run
) -> None:
    before = results(project)
    set_params(
        project / "params.yaml",
        {"mlp.learning_rate_init": 100, "mlp.alpha": 10**6, "mlp.max_iter": 200},
    )
    done = run("dvc", "repro", "mlp_search", succeeds=False)
    weights = r"^params\.yaml: the weights of a network grew .*: "
    said = rf"{weights}lower mlp\.learning_rate_init, now 100\.$"
    assert re.search(said, done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert results(project) != before
    # All but what DVC noted of the stages that had nothing against the change.
    assert brought_back(project, run) | {"dvc.lock": ""} == before | {"dvc.lock": ""}
    assert brought_back(project, run, "params.yaml", "dvc.lock") == before
    assert "up to date" in run("dvc", "status").stdout


@pytest.mark.figure(REFUSED)
def test_more_clusters_than_images_differ_lose_nothing_that_does_not_come_back(
    project: Path, run: Run
) -> None:
    folder = project / "data/twins"
    folder.mkdir()
    digests = {}
    for which in ("train", "test"):
        labels = (np.arange(60) % 4).astype(np.uint8)
        pixels = np.repeat(labels, 12).reshape(60, 3, 4) * np.uint8(60)
        for kind, array in (("images", pixels), ("labels", labels)):
            path = folder / f"{which}-{kind}.idx"
            write_idx(path, array)
            digests[path.name] = sources.sha256(path)
    labels_of_four = ["a", "b", "c", "d"]
    source = {"labels": labels_of_four, "mirrors": ["data/twins"], "sha256": digests}
    params = {
        "data.datasets.twins": source,
        "data.dataset": "twins",
        "mlp.small_samples": 58,
        "mlp.samples": 60,
        "svm.search_samples": 60,
        "svm.samples": 60,
        "kmeans.samples": 60,
    }
    set_params(project / "params.yaml", params)
    run("dvc", "repro", "kmeans")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message=twins")
    before = results(project)
    set_params(project / "params.yaml", {"kmeans.clusters": 5})
    done = run("dvc", "repro", "kmeans", succeeds=False)
    assert (
        "params.yaml: the 60 images of kmeans.samples cannot form 5 clusters, as only 4"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (project / "models/kmeans.skops").exists()
    assert brought_back(project, run) | {"dvc.lock": ""} == before | {"dvc.lock": ""}


def test_a_wrong_value_is_refused_in_a_sentence_and_changes_nothing(
    project: Path, run: Run, tmp_path: Path, count: Count
) -> None:
    values = YAML(typ="safe").load((project / "params.yaml").read_text())
    asked = 0

    @hypothesis.settings(proven, max_examples=120)
    @hypothesis.given(
        key=st.sampled_from([*leaves(values), *(key for key in sections(values) if key)]),
        wrong=WRONG,
    )
    def check(key: Key, wrong: Any) -> None:
        nonlocal asked
        changed = copy.deepcopy(values)
        at(changed, key[:-1])[key[-1]] = wrong
        sentence = refusal(written(changed, tmp_path), project, run)
        assert sentence.startswith(f"params.yaml: {dotted(key)}")
        inner = wrong["surprise"] if isinstance(wrong, dict) else wrong
        inner = inner[0] if isinstance(inner, list) else inner
        assert shown(wrong) in sentence or shown(inner) in sentence
        asked += 1

    check()
    count(REFUSED, asked)


def test_an_unknown_key_is_refused_by_its_name_and_changes_nothing(
    project: Path, run: Run, tmp_path: Path, count: Count
) -> None:
    values = YAML(typ="safe").load((project / "params.yaml").read_text())
    asked = 0

    @hypothesis.settings(proven, max_examples=30)
    @hypothesis.given(
        section=st.sampled_from(list(sections(values))),
        name=st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20),
        value=st.none() | st.integers(0, 100) | st.text("abc", max_size=5),
    )
    def check(section: Key, name: str, value: object) -> None:
        nonlocal asked
        changed = copy.deepcopy(values)
        hypothesis.assume(name not in at(changed, section))
        at(changed, section)[name] = value
        sentence = refusal(written(changed, tmp_path), project, run)
        assert f"{dotted((*section, name))} (now {shown(value)}) is not a parameter" in sentence
        asked += 1

    check()
    count(REFUSED, asked)


# The largest gamma with which a product of two images of 15 pixels may be raised to any degree.
MOST = 0.999 * fetch.LARGEST_KERNEL ** (1 / 10) / 15


@st.composite
def accepted(draw: st.DrawFn) -> dict[str, Any]:
    """Parameters of a small size, up to their limits, for 60 images of three classes."""

    def different(items: st.SearchStrategy[Any], most: int) -> list[Any]:
        lists = st.lists(items, min_size=1, max_size=most)
        return draw(lists.filter(lambda found: all(found.count(item) == 1 for item in found)))

    # Of twenty images each class keeps ten, whichever ten are left out.
    samples = st.integers(50, 60)
    folds = st.integers(2, 4) | st.just(10)
    penalties = st.sampled_from([1e-9, 0.1, 1, 10, 1e9]) | st.floats(1e-3, 1e3)
    gammas = st.sampled_from(["scale", 1e-12, 0.01, 1, 1e6]) | st.floats(1e-3, 10)
    grid = {
        "linear": {"C": different(penalties, 2)},
        "poly": {
            "C": different(penalties, 2),
            "gamma": different(gammas.filter(lambda gamma: gamma != 1e6) | st.just(MOST), 2),
            "degree": different(st.integers(1, 10), 2),
        },
        "rbf": {"C": different(penalties, 2), "gamma": different(gammas, 2)},
    }
    seen = st.characters(categories=["L", "N", "P", "S"])
    text = st.text(seen, min_size=1, max_size=12) | st.text(seen, min_size=150, max_size=200)
    many, clusters = draw(samples), st.integers(2, 12) | st.just(49)
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "data": {
            "dataset": draw(text),
            "dtype": draw(st.sampled_from(["float64", "float32"])),
            "labels": draw(st.lists(text, min_size=3, max_size=3, unique=True)),
        },
        "mlp": {
            "small_samples": draw(st.integers(50, 59)),
            "samples": 60,
            "architectures": different(st.lists(st.integers(1, 20), min_size=1, max_size=3), 2),
            "folds": draw(folds),
            "max_iter": draw(st.integers(1, 5)),
            "alpha": draw(st.sampled_from([0, 1e-4, 1, 1e6])),
            "solver": draw(st.sampled_from(["sgd", "adam"])),
            "tol": draw(st.sampled_from([1e-300, 1e-4, 1])),
            "learning_rate_init": draw(st.sampled_from([1e-300, 1e-3, 0.1, 1, 100])),
        },
        "svm": {
            "search_samples": many,
            "samples": draw(samples),
            "folds": draw(folds),
            "grid": {name: grid[name] for name in different(st.sampled_from(list(grid)), 3)},
        },
        "noise": {
            "repeats": draw(st.integers(2, 3)),
            "matters": draw(st.sampled_from([1e-6, 0.01, 1])),
        },
        "kmeans": {
            "samples": draw(samples),
            "clusters": draw(clusters),
            "k": different(clusters, 3),
            "n_init": draw(st.integers(1, 2)),
        },
    }


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three classes: noise, and a bright row for each class."""
    folder = tmp_path_factory.mktemp("dots")
    random = np.random.RandomState(0)
    for which, count in (("train", 60), ("test", 21)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        pixels = random.randint(0, 200, (count, 3, 5)).astype(np.uint8)
        pixels[np.arange(count), labels] += 55
        write_idx(folder / f"{which}-images.idx", pixels)
        write_idx(folder / f"{which}-labels.idx", labels)
    return folder


def test_accepted_parameters_run(
    dots: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    count: Count,
) -> None:
    monkeypatch.setenv(concurrency.PROCESSES, "1")
    ran = 0

    @hypothesis.settings(proven, max_examples=30)
    @hypothesis.given(values=accepted())
    def check(values: dict[str, Any]) -> None:
        nonlocal ran
        labels = values["data"].pop("labels")
        digests = {path.name: sources.sha256(path) for path in sorted(dots.iterdir())}
        source = {"labels": labels, "mirrors": [str(dots)], "sha256": digests}
        values["data"]["datasets"] = {values["data"]["dataset"]: source}
        params = settings.check(values)
        folder = tmp_path_factory.mktemp("accepted")
        monkeypatch.chdir(folder)
        run_in(folder)("git", "init", "--quiet")
        (folder / "params.yaml").write_bytes(written(values, folder))
        try:
            for name in STAGES:
                importlib.import_module(f"stages.{name}").main(params)
        except UserError as refused:
            # Of a learning rate this is known when the weights have grown, and no sooner.
            assert "mlp.learning_rate_init, " in str(refused)  # noqa: PT017
        else:
            ran += 1

    check()
    assert ran >= 20
    count(ACCEPTED, ran)
