"""Promises of the settings: what params.yaml may hold, and what is said when it does not."""

import copy
import errno
import math
import os
import re
import shutil
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import modify_yaml, parse_yaml
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.errors import UserError
from stages.files import settings

COMMITTED = Path(__file__).parents[1] / "params.yaml"
TEXT = COMMITTED.read_text(encoding="utf-8")
VALUES = YAML(typ="safe").load(TEXT)

Key = tuple[str | int, ...]

DRAWN = "data.datasets.drawn-garments"
FILE = f"{DRAWN}.sha256.train-images-idx3-ubyte"
DIGEST = "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"

# What is allowed, as a person is told.
SEED = "a whole number from 0 to 4294967295"
DTYPES = "float64 or float32"
FOLDS = "a whole number from 2 to 20"
ALPHA = "a number from 0 to 1e+06"
DEGREE = "a whole number from 1 to 10"
PENALTY = "a number above 0, at most 1e+09"
PENALTIES = "a list of 1 to 50 values of C, none of them twice"
GAMMA = "scale, or a number above 0 and at most 1e+06"
WIDTH = "a whole number from 1 to 5000"
WIDTHS = "a list of 1 to 10 layer widths"
ARCHITECTURES = "a list of 1 to 50 architectures, none of them twice"
LABELS = "a list of 2 to 256 label names, none of them twice"
TEXTS = "a text of 1 to 200 printable characters"
HEX = "64 lower-case hexadecimal digits, in quotes if all of them are 0 to 9"
MAPPING = "a mapping of parameters"


def at(values: Any, key: Key) -> Any:
    """What stands at a key."""
    return reduce(lambda section, step: section[step], key, values)


def replaced(key: Key, value: object) -> Any:
    """The committed values, one of them replaced or added."""
    values = copy.deepcopy(VALUES)
    at(values, key[:-1])[key[-1]] = value
    return values


def refusal(values: object) -> str:
    """The sentence with which values are refused."""
    with pytest.raises(UserError) as refused:
        settings.check(values)
    return str(refused.value)


def refusal_of_text(text: str | bytes, folder: Path) -> str:
    """The sentence with which a file is refused, without the path of its folder."""
    path = folder / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as refused:
        settings.load(path)
    sentence = str(refused.value).removeprefix(f"{folder}/")
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(".")
    return sentence


def test_the_committed_file_loads_and_is_what_dvc_reads() -> None:
    params = settings.load(COMMITTED)
    assert params.model_dump() == parse_yaml(TEXT, "params.yaml")
    assert params.seed == 2016515
    assert params.data.source.files(Path("raw"))["test_images"] == Path(
        "raw/t10k-images-idx3-ubyte.gz"
    )


def test_settings_cannot_be_changed() -> None:
    params = settings.load(COMMITTED)
    with pytest.raises(ValidationError):
        params.seed = 1
    assert params.seed == 2016515


@pytest.mark.parametrize(
    ("key", "value", "wrong", "allowed"),
    [
        # Another type; text that looks like a number; what Python counts as a number.
        ("seed", "7", 'seed is "7"', SEED),
        ("seed", True, "seed is true", SEED),
        ("seed", 7.0, "seed is 7.0", SEED),
        ("seed", None, "seed is null", SEED),
        ("seed", [7], "seed is [7]", SEED),
        ("seed", {"a": 7}, 'seed is {"a": 7}', SEED),
        ("data.dataset", ["a"], 'data.dataset is ["a"]', TEXTS),
        ("data.dtype", ["float64"], 'data.dtype is ["float64"]', DTYPES),
        ("mlp.alpha", False, "mlp.alpha is false", ALPHA),
        ("mlp.alpha", "1e-5", 'mlp.alpha is "1e-5"', ALPHA),
        ("mlp.alpha", [1], "mlp.alpha is [1]", ALPHA),
        ("mlp.max_iter", True, "mlp.max_iter is true", "a whole number from 1 to 100000"),
        ("svm.folds", 5.0, "svm.folds is 5.0", FOLDS),
        ("svm.grid.rbf.C", 1, "svm.grid.rbf.C is 1", PENALTIES),
        ("svm.grid.rbf.C", ["1"], 'svm.grid.rbf.C[0] is "1"', PENALTY),
        ("svm.grid.rbf.C", [1, True], "svm.grid.rbf.C[1] is true", PENALTY),
        ("svm.grid.rbf.C", [[1]], "svm.grid.rbf.C[0] is [1]", PENALTY),
        # Below, above, and beyond all numbers.
        ("seed", -1, "seed is -1", SEED),
        ("seed", 2**32, "seed is 4294967296", SEED),
        pytest.param("seed", 10**5000, "seed is a huge number", SEED, id="huge"),
        ("mlp.samples", 9, "mlp.samples is 9", "a whole number from 10 to 1000000"),
        ("mlp.samples", 10**7, "mlp.samples is 10000000", "a whole number from 10 to 1000000"),
        ("mlp.folds", 1, "mlp.folds is 1", FOLDS),
        ("mlp.folds", 21, "mlp.folds is 21", FOLDS),
        ("mlp.alpha", -0.1, "mlp.alpha is -0.1", ALPHA),
        ("mlp.alpha", 1e7, "mlp.alpha is 10000000.0", ALPHA),
        ("mlp.alpha", math.nan, "mlp.alpha is NaN", ALPHA),
        ("mlp.tol", 0, "mlp.tol is 0", "a number above 0, at most 1"),
        ("mlp.tol", math.inf, "mlp.tol is Infinity", "a number above 0, at most 1"),
        (
            "mlp.learning_rate_init",
            101,
            "mlp.learning_rate_init is 101",
            "a number above 0, at most 100",
        ),
        ("svm.samples", 100_001, "svm.samples is 100001", "a whole number from 10 to 100000"),
        ("svm.grid.poly.C", [0], "svm.grid.poly.C[0] is 0", PENALTY),
        ("svm.grid.poly.C", [math.nan], "svm.grid.poly.C[0] is NaN", PENALTY),
        ("svm.grid.poly.C", [1, math.inf], "svm.grid.poly.C[1] is Infinity", PENALTY),
        ("svm.grid.poly.degree", [11], "svm.grid.poly.degree[0] is 11", DEGREE),
        ("svm.grid.poly.degree", [2.0], "svm.grid.poly.degree[0] is 2.0", DEGREE),
        ("kmeans.k", [2, 1], "kmeans.k[1] is 1", "a whole number from 2 to 1000"),
        ("kmeans.n_init", 0, "kmeans.n_init is 0", "a whole number from 1 to 1000"),
        # Lists: empty, too long, with something twice; lists of lists.
        ("svm.grid.linear.C", [], "svm.grid.linear.C is []", PENALTIES),
        ("svm.grid.linear.C", [1, 1.0], "svm.grid.linear.C is [1, 1.0]", PENALTIES),
        ("mlp.architectures", [[9], []], "mlp.architectures[1] is []", WIDTHS),
        ("mlp.architectures", [[9] * 11], f"mlp.architectures[0] is {[9] * 11}", WIDTHS),
        ("mlp.architectures", [9], "mlp.architectures[0] is 9", WIDTHS),
        ("mlp.architectures", [[9, 0]], "mlp.architectures[0][1] is 0", WIDTH),
        ("mlp.architectures", [[9, [9]]], "mlp.architectures[0][1] is [9]", WIDTH),
        ("mlp.architectures", [[9], [9]], "mlp.architectures is [[9], [9]]", ARCHITECTURES),
        (f"{DRAWN}.labels", ["Bag"], f'{DRAWN}.labels is ["Bag"]', LABELS),
        (f"{DRAWN}.labels", "Bag", f'{DRAWN}.labels is "Bag"', LABELS),
        # Words that are none of the known ones.
        ("data.dtype", "float16", 'data.dtype is "float16"', DTYPES),
        ("mlp.solver", "lbfgs", 'mlp.solver is "lbfgs"', "sgd or adam"),
        ("svm.grid.rbf.gamma", ["auto"], 'svm.grid.rbf.gamma[0] is "auto"', GAMMA),
        ("svm.grid.rbf.gamma", [["scale"]], 'svm.grid.rbf.gamma[0] is ["scale"]', GAMMA),
        (f"{DRAWN}.labels", ["Bag", ""], f'{DRAWN}.labels[1] is ""', TEXTS),
        (f"{DRAWN}.mirrors", [7], f"{DRAWN}.mirrors[0] is 7", TEXTS),
        (
            "data.dataset",
            "mnist",
            'data.dataset is "mnist"',
            "a name under data.datasets: fashion-mnist, drawn-garments",
        ),
        # SHA-256: too short, in capitals, in digits of another script, a number without quotes.
        (FILE, DIGEST[1:], f'{FILE} is "{DIGEST[1:]}"', HEX),
        (FILE, DIGEST.upper(), f'{FILE} is "{DIGEST.upper()}"', HEX),
        (FILE, "٣" * 64, f'{FILE} is "{"٣" * 64}"', HEX),
        (FILE, 123, f"{FILE} is 123", HEX),
        # A name that is no text.
        ("data.datasets", {2024: {}}, "data.datasets[2024].[key] is 2024", TEXTS),
        # No section where one must be.
        ("mlp", None, "mlp is null", MAPPING),
        ("svm.grid", [1], "svm.grid is [1]", MAPPING),
        ("svm.grid.rbf", 3, "svm.grid.rbf is 3", MAPPING),
        ("data.datasets", "x", 'data.datasets is "x"', MAPPING),
        (DRAWN, None, f"{DRAWN} is null", MAPPING),
        # What is wrong beside something else.
        ("mlp.samples", 500, "mlp.small_samples is 500", "fewer than mlp.samples, which is 500"),
        ("kmeans.samples", 10, "kmeans.clusters is 10", "fewer than kmeans.samples, which is 10"),
        ("kmeans.samples", 15, "kmeans.k is 15", "fewer than kmeans.samples, which is 15"),
        ("svm.grid", {}, "svm.grid is {}", "a mapping with at least one of linear, poly, rbf"),
        (
            f"{DRAWN}.sha256",
            {"train-images": DIGEST},
            f'{DRAWN}.sha256 is ["train-images"]',
            "four file names, one of them with train-images in it",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_itself_and_what_is_allowed(
    key: str, value: object, wrong: str, allowed: str
) -> None:
    values = replaced(tuple(key.split(".")), value)
    assert refusal(values) == f"params.yaml: {wrong}, but must be {allowed}."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 0),
        ("seed", 2**32 - 1),
        ("mlp.alpha", 0),
        ("mlp.tol", 1),
        ("mlp.folds", 20),
        ("kmeans.samples", 16),
        ("svm.grid.rbf.gamma", ["scale", 1e6]),
        ("svm.grid.rbf", None),
        (f"{DRAWN}.mirrors", []),
    ],
)
def test_a_value_at_its_limit_is_allowed(key: str, value: object) -> None:
    settings.check(replaced(tuple(key.split(".")), value))


@pytest.mark.parametrize("values", [None, 3, [], "seed"])
def test_something_else_than_a_mapping_is_refused(values: object) -> None:
    sentence = refusal(values)
    assert sentence.startswith("params.yaml: the whole file is ")
    assert sentence.endswith(f", but must be {MAPPING}.")


def sections(values: Any, key: Key = ()) -> Iterator[Key]:
    """The keys of all mappings in which each key is known."""
    if isinstance(values, dict):
        if key[-1:] not in (("datasets",), ("sha256",)):
            yield key
        for name, value in values.items():
            yield from sections(value, (*key, name))


@pytest.mark.parametrize("section", list(sections(VALUES)))
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("surprise", ".surprise"),
        ("two\nlines", ".two lines"),
        ("{words}", ".{words}"),
        (7, "[7]"),
    ],
)
def test_an_unknown_key_is_refused_by_its_name(section: Key, name: str | int, shown: str) -> None:
    key = (".".join(map(str, section)) + shown).removeprefix(".")
    sentence = refusal(replaced((*section, name), 1))
    assert sentence.startswith(f"params.yaml: {key} (now ")
    assert sentence.endswith(") is not a parameter; remove it, or correct its name.")


@pytest.mark.parametrize(
    "key",
    [
        (*section, name)
        for section in sections(VALUES)
        for name in at(VALUES, section)
        if section != ("svm", "grid")  # a kernel may be left out
    ],
)
def test_a_missing_key_is_asked_for(key: Key) -> None:
    values = copy.deepcopy(VALUES)
    del at(values, key[:-1])[key[-1]]
    assert refusal(values) == f"params.yaml: {'.'.join(map(str, key))} is missing; add it."


def leaves(values: Any, key: Key = ()) -> Iterator[Key]:
    """The keys of all values that hold no others."""
    if isinstance(values, dict | list):
        for step in values if isinstance(values, dict) else range(len(values)):
            yield from leaves(values[step], (*key, step))
    else:
        yield key


def dotted(key: Key) -> str:
    """A key as it is shown."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)
    return "".join(steps).removeprefix(".")


@pytest.mark.parametrize(
    "wrong",
    [math.nan, math.inf, -math.inf, True, -1, -0.5, 10**10, 1e10, "", "\n", [math.nan], {"a": -1}],
    ids=str,
)
def test_what_is_wrong_anywhere_is_refused_at_every_key(wrong: object) -> None:
    for key in [*leaves(VALUES), *(key for key in sections(VALUES) if key)]:
        assert refusal(replaced(key, wrong)).startswith(f"params.yaml: {dotted(key)}")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(4000, 6000).map(lambda digits: 10**digits)
    | st.floats()
    | st.text()
    | st.sampled_from(["{words}", "{}", "%s", "a\nb", "a\u2028b", "a\x85b", "\ud800", "scale"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@hypothesis.settings(deadline=None)  # a busy machine breaks no promise
@hypothesis.given(key=st.sampled_from(list(leaves(VALUES))), value=ANYTHING)
def test_anything_in_place_of_a_value_loads_or_is_refused_in_one_line(
    key: Key, value: object
) -> None:
    try:
        settings.check(replaced(key, value))
    except UserError as refused:
        sentence = str(refused)
    else:
        return
    assert sentence.startswith("params.yaml: ")
    assert len(sentence.splitlines()) == 1


EXPONENTS = ["1e-05", "1e-5", "1E-5", "1.e-5", "+1e2", "1e"]
INTEGERS = ["0", "-0.0", "017", "0o17", "0x1F", "0b1", "1_000", "1:30"]
WORDS = ["yes", "on", "NO", "true", "~", ".inf", ".nan", '"1e-5"']


@pytest.mark.parametrize("scalar", [*EXPONENTS, *INTEGERS, *WORDS])
def test_a_scalar_means_what_it_means_to_dvc(scalar: str, tmp_path: Path) -> None:
    text = TEXT.replace("alpha: 0.0001", f"alpha: {scalar}")
    alpha = parse_yaml(text, "params.yaml")["mlp"]["alpha"]
    if isinstance(alpha, int | float) and not isinstance(alpha, bool) and 0 <= alpha <= 1e6:
        (tmp_path / "params.yaml").write_text(text)
        loaded = settings.load(tmp_path / "params.yaml").mlp.alpha
        assert (loaded, type(loaded)) == (alpha, type(alpha))
    else:
        assert refusal_of_text(text, tmp_path) == refusal(replaced(("mlp", "alpha"), alpha))


@pytest.mark.parametrize("number", ["1e-05", "1e-5", "1E-5"])
def test_a_number_with_an_exponent_is_a_number(number: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("alpha: 0.0001", f"alpha: {number}"))
    assert settings.load(path).mlp.alpha == 1e-5


LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 40)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT + "seed: 1\n", id="a key twice"),
        pytest.param(TEXT + "\tmore: 1\n", id="a tab"),
        pytest.param("seed: [1", id="an open bracket"),
        pytest.param("seed: *nobody", id="an unknown alias"),
        pytest.param(TEXT + "---\nseed: 1\n", id="two documents"),
        pytest.param("seed: \0", id="a control character"),
        pytest.param("seed: 2020-13-45", id="an impossible date"),
        pytest.param("seed: !!bool maybe", id="no boolean"),
        pytest.param("seed: !!int", id="no number"),
        pytest.param("!!seq [[1]]: 3", id="a list as a key of another kind"),
        pytest.param('seed: "\\Uffffffff"', id="a letter that there is not"),
        pytest.param("seed: " + "9" * 5000, id="an endless number"),
        pytest.param("seed: " + "[" * 2000, id="endless nesting"),
        pytest.param("seed: café".encode("latin-1"), id="not UTF-8"),
    ],
)
def test_a_file_that_is_not_yaml_is_refused_in_one_line(text: str | bytes, tmp_path: Path) -> None:
    sentence = refusal_of_text(text, tmp_path)
    # Why, the parser says, or Python: in words that another release of them may change.
    assert re.fullmatch(r"params\.yaml is not valid YAML: .+\.", sentence)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "the whole file is null, but must be", id="empty"),
        pytest.param("# nothing\n", "the whole file is null, but must be", id="comments only"),
        pytest.param(LAUGHS + f"{TEXT}", "is not a parameter", id="a billion laughs"),
        pytest.param(
            LAUGHS + TEXT.replace("2016515", "*a39"), "is not a parameter", id="a seed of laughs"
        ),
        pytest.param(
            TEXT.replace("alpha:", "alhpa:"), "mlp.alhpa (now 0.0001) is not", id="a misspelt name"
        ),
        pytest.param(TEXT.replace("2016515", "&a [*a]"), "seed is [[[[", id="a list of itself"),
        pytest.param(TEXT.replace("2016515", "2020-01-02"), '"2020-01-02"', id="a date"),
        pytest.param(TEXT.replace("2016515", "{[1, 2]: 3}"), "seed is {}", id="a list as a key"),
    ],
)
def test_yaml_that_holds_no_parameters_is_refused_in_one_line(
    text: str, words: str, tmp_path: Path
) -> None:
    sentence = refusal_of_text(text, tmp_path)
    assert sentence.startswith("params.yaml: ")
    assert words in sentence


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(UserError) as refused:
        settings.load(path)
    why = os.strerror(errno.ENOENT)
    assert str(refused.value) == f"{path} cannot be read: {why}; run from the project."


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """A copy of the committed file, to be changed."""
    return Path(shutil.copy(COMMITTED, tmp_path))


def test_a_change_by_dvc_changes_one_line(params: Path) -> None:
    with modify_yaml(params) as values:
        values["seed"] = 7
    assert params.read_text(encoding="utf-8") == TEXT.replace("seed: 2016515", "seed: 7")


def test_an_override_by_dvc_changes_one_line(params: Path) -> None:
    apply_overrides(params, ["seed=7"])
    assert params.read_text(encoding="utf-8") == TEXT.replace("seed: 2016515", "seed: 7")


def test_kernels_can_be_removed_and_lists_set_by_overrides(params: Path) -> None:
    apply_overrides(params, ["~svm.grid.linear", "svm.grid.rbf.C=[1,5]", "mlp.alpha=1e-5"])
    loaded = settings.load(params)
    assert loaded.svm.grid.linear is None
    assert loaded.svm.grid.rbf is not None
    assert loaded.svm.grid.rbf.C == [1, 5]
    assert loaded.mlp.alpha == 1e-5
