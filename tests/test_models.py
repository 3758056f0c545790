"""A model that this pipeline did not write is refused in a sentence, whatever it holds."""

import copy
import io
import json
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import skops.io
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from stages.errors import UserError
from stages.files import models
from tests.conftest import Count

FIGURE = "hostile models refused"
PIXELS = np.random.RandomState(1).random_sample((60, 4))


class _Foreign(LogisticRegression):  # type: ignore[misc]
    """A type that nobody has said to trust."""


GENUINE = models.archive(KMeans(2, n_init=1, random_state=0).fit(PIXELS))
with zipfile.ZipFile(io.BytesIO(GENUINE)) as genuine:
    ENTRIES = {name: genuine.read(name) for name in genuine.namelist()}
SCHEMA = json.loads(ENTRIES["schema.json"])
CENTRES = SCHEMA["content"]["content"]["cluster_centers_"]["file"]


def zipped(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of entries."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name that is there twice
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name, models.EARLIEST), content, compression)
    return file.getvalue()


def forged(entries: dict[str, bytes]) -> bytes:
    """The genuine archive, some of its entries replaced or added."""
    return zipped(*(ENTRIES | entries).items())


def of_schema(schema: object) -> bytes:
    """The genuine archive with another schema."""
    return forged({"schema.json": json.dumps(schema, indent=1).encode()})


def with_attribute(value: object, **entries: bytes) -> bytes:
    """The genuine archive with another attribute, and perhaps more entries."""
    schema = copy.deepcopy(SCHEMA)
    schema["content"]["content"]["labels_"] = value
    return forged({"schema.json": json.dumps(schema, indent=1).encode()} | entries)


def renamed(name: str) -> bytes:
    """The genuine archive, one of its arrays under another name."""
    entries = {(name if old == CENTRES else old): entry for old, entry in ENTRIES.items()}
    old, new = (json.dumps(of).encode() for of in (CENTRES, name))
    return zipped(*(entries | {"schema.json": entries["schema.json"].replace(old, new)}).items())


def npy(array: object, version: tuple[int, int] = (1, 0)) -> bytes:
    """An array as a file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version)
    return file.getvalue()


def stating(shape: tuple[int, ...]) -> bytes:
    """An array whose header states another shape."""
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(64)


def node(loader: str, of: str, **more: object) -> dict[str, object]:
    """A part of a schema."""
    module, name = of.rsplit(".", 1)
    return {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 9999} | more


def doubled(levels: int) -> dict[str, object]:
    """A list of two lists that are one, and so on: few letters and no end."""
    inner = [doubled(levels - 1), {"__id__": 9000 + levels - 1}] if levels else []
    return node("ListNode", "builtins.list", content=inner) | {"__id__": 9000 + levels}


def nested(levels: int) -> dict[str, object]:
    """A list in a list, and so on."""
    inner = node("JsonNode", "builtins.str", content="1", is_json=True)
    for level in range(levels):
        inner = node("ListNode", "builtins.list", content=[inner]) | {"__id__": 9000 + level}
    return inner


def listed_often() -> bytes:
    """An archive that names one entry a thousand times."""
    file = io.BytesIO(GENUINE)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more", npy(np.zeros(10000)))
        archive.filelist += archive.filelist[-1:] * 1000
    return file.getvalue()


@contextmanager
def sparing(content: bytes) -> Iterator[None]:
    """See that what is done takes memory that is in line with the size of a file."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 1e6 + 30 * len(content)
    finally:
        tracemalloc.stop()


def refusal(content: bytes, folder: Path) -> str:
    """The sentence with which a file is refused."""
    path = folder / "model.skops"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused, sparing(content):
        models.read(path, KMeans, 4)
    sentence = str(refused.value)
    beginning = f"{path} is not a model of this pipeline ("
    end = f"): `dvc checkout --force {path}` brings back the one in dvc.lock."
    assert sentence.startswith(beginning)
    assert sentence.endswith(end)
    assert len(sentence.splitlines()) == 1
    reason = sentence.removeprefix(beginning).removesuffix(end)
    assert reason
    return reason


def test_the_genuine_archive_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(GENUINE)
    with sparing(GENUINE):
        models.read(tmp_path / "model.skops", KMeans, 4)


NO_SCHEMAS: list[object] = [None, 1, "text", [], {}, [[]], {"__loader__": "ObjectNode"}]
VOID = node("NdArrayNode", "numpy.void", type="numpy", file="more")
THEIRS = ""  # the reason stands in words of Python or a library: another release has others


@pytest.mark.figure(FIGURE)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        # No archive, or not a whole one, or more than one.
        pytest.param(b"", THEIRS, id="empty"),
        pytest.param(b"<html>not found</html>", THEIRS, id="a page"),
        pytest.param(b"\x80\x05]\x94.", THEIRS, id="a pickle"),
        pytest.param(GENUINE[:-1], THEIRS, id="a byte less"),
        pytest.param(GENUINE[: len(GENUINE) // 2], THEIRS, id="half"),
        pytest.param(GENUINE[100:], THEIRS, id="without a beginning"),
        pytest.param(GENUINE + b"more", "writing it again gives other bytes", id="more at the end"),
        pytest.param(b"more" + GENUINE, "writing it again gives other bytes", id="more in front"),
        # Entries that the pipeline does not write.
        pytest.param(renamed("../0.npy"), "writing it again gives other bytes", id="climbs out"),
        pytest.param(renamed("/etc/motd"), "writing it again gives other bytes", id="absolute"),
        pytest.param(
            forged({"1000.npy": npy(0)}), "writing it again gives other bytes", id="one more"
        ),
        pytest.param(
            zipped(*ENTRIES.items(), ("schema.json", ENTRIES["schema.json"])),
            "writing it again gives other bytes",
            id="an entry twice",
        ),
        pytest.param(zipped(), THEIRS, id="no entry"),
        pytest.param(zipped(*list(ENTRIES.items())[:-1]), THEIRS, id="no schema"),
        pytest.param(zipped(*list(ENTRIES.items())[1:]), THEIRS, id="an array less"),
        # Bombs.
        pytest.param(
            zipped(("schema.json", b" " * 10**7), compression=zipfile.ZIP_DEFLATED),
            "compressed",
            id="a deflated bomb",
        ),
        pytest.param(
            zipped(("0.npy", npy(np.zeros(10**6))), compression=zipfile.ZIP_BZIP2),
            "compressed",
            id="another bomb",
        ),
        pytest.param(
            zipped(*ENTRIES.items(), compression=zipfile.ZIP_DEFLATED),
            "compressed",
            id="compressed",
        ),
        pytest.param(listed_often(), "overlap", id="one entry listed a thousand times"),
        pytest.param(
            forged({CENTRES: stating((10**12,))}), "not hold what it states", id="a terabyte"
        ),
        pytest.param(forged({CENTRES: stating((-1, -8))}), THEIRS, id="sizes below zero"),
        pytest.param(forged({CENTRES: stating((9,))}), "not hold what it states", id="too few"),
        pytest.param(forged({CENTRES: stating((7,))}), "not hold what it states", id="too many"),
        pytest.param(
            with_attribute(VOID, more=npy(10**8)), "names the type numpy.void", id="a void"
        ),
        pytest.param(with_attribute(doubled(16)), "refers to itself", id="doublings"),
        pytest.param(
            with_attribute(node("ListNode", "builtins.list", content=[{"__id__": 9999}])),
            "refers to itself",
            id="a list of itself",
        ),
        pytest.param(
            with_attribute(node("NdArrayNode", "numpy.ndarray", type="json", content=[])),
            "refers to itself",
            id="an array of objects",
        ),
        pytest.param(with_attribute(nested(300)), THEIRS, id="nesting"),
        pytest.param(forged({"schema.json": b"[" * 10**5}), THEIRS, id="endless nesting"),
        # Pickles, and formats that may hold them.
        pytest.param(forged({CENTRES: b"\x80\x05]\x94."}), THEIRS, id="an entry, pickled"),
        pytest.param(
            forged({CENTRES: npy(np.array([{}], dtype=object))}),
            "not hold what it states",
            id="an array of pickles",
        ),
        pytest.param(forged({CENTRES: npy(PIXELS, (2, 0))}), THEIRS, id="another version"),
        pytest.param(forged({CENTRES: zipped(("0.npy", npy(0)))}), THEIRS, id="arrays, zipped"),
        # Schemas of something else.
        *(
            pytest.param(of_schema(schema), THEIRS, id=f"the schema {schema}")
            for schema in NO_SCHEMAS
        ),
        pytest.param(forged({"schema.json": b"{"}), THEIRS, id="half a schema"),
        pytest.param(forged({"schema.json": b"\xff"}), THEIRS, id="a schema that is no text"),
        pytest.param(of_schema(SCHEMA | {"protocol": 0}), THEIRS, id="an old protocol"),
        pytest.param(of_schema(SCHEMA | {"protocol": 99}), THEIRS, id="a protocol to come"),
        pytest.param(
            of_schema(SCHEMA | {"_skops_version": "0.1"}),
            "writing it again gives other bytes",
            id="another version of skops",
        ),
        pytest.param(
            skops.io.dumps(make_pipeline(_Foreign())), "names the type", id="a foreign type"
        ),
        pytest.param(
            with_attribute(node("FunctionNode", "os.system")),
            "names the type os.system",
            id="a function",
        ),
        pytest.param(
            with_attribute(node("OperatorFuncNode", "operator.methodcaller", attrs={})),
            "names the type operator.methodcaller",
            id="a method to be called",
        ),
        # Archives of this pipeline, in the wrong place.
        pytest.param(
            models.archive(SVC().fit(PIXELS, PIXELS[:, 0] > 0.5)),
            "it is no KMeans",
            id="another estimator",
        ),
        pytest.param(
            models.archive(KMeans(2, n_init=1).fit(PIXELS[:, :3])),
            "it is for images of 3 pixels, not 4",
            id="other images",
        ),
        pytest.param(models.archive(KMeans(2)), THEIRS, id="not fitted"),
    ],
)
def test_what_this_pipeline_did_not_write_is_refused_in_a_sentence(
    content: bytes, words: str, tmp_path: Path
) -> None:
    assert words in refusal(content, tmp_path)


def damaged(content: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The same bytes, some of them left out and others put in their place."""
    for start, length, instead in cuts:
        start %= len(content) + 1
        content = content[:start] + instead + content[start + length :]
    return content


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a schema: a mapping or list, and a key of it."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """The genuine schema, some of its values replaced by others or by another part of itself."""
    schema = copy.deepcopy(SCHEMA)
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(schema))
        holder, key = draw(st.sampled_from(everywhere))
        other, there = draw(st.sampled_from(everywhere))
        holder[key] = draw(
            st.sampled_from([None, True, -1, 10**30, 0.5, "", "x", "../x", [], {}])
            | st.sampled_from(sorted(models.TYPES)).map(lambda name: name.rpartition(".")[2])
            | st.sampled_from(["ListNode", "TupleNode", "SetNode", "ObjectNode", "SliceNode"])
            | st.sampled_from(["RandomStateNode", "MethodNode", "PartialNode", "SparseMatrixNode"])
            | st.sampled_from(["ConstructorFromReduceNode", "BytesNode", "json", "numpy"])
            | st.just(copy.deepcopy(other[there]))
        )
        hypothesis.assume(json.dumps(schema) != json.dumps(SCHEMA))
    return schema


FORGERIES = st.one_of(
    st.lists(
        st.tuples(st.integers(0, 10**5), st.integers(0, 5), st.binary(max_size=5)), min_size=1
    ).map(lambda cuts: damaged(GENUINE, cuts)),
    st.integers(0, len(GENUINE)).map(lambda end: GENUINE[:end]),
    schemas().map(of_schema),
)


@pytest.mark.figure(FIGURE, 0)
def test_a_damaged_model_is_refused_and_takes_no_memory(tmp_path: Path, count: Count) -> None:
    refused = 0

    @hypothesis.settings(deadline=None, derandomize=True, max_examples=600)
    @hypothesis.given(content=FORGERIES)
    def check(content: bytes) -> None:
        nonlocal refused
        hypothesis.assume(content != GENUINE)
        path = tmp_path / "model.skops"
        path.write_bytes(content)
        try:
            with sparing(content):
                model = models.read(path, KMeans, 4)
        except UserError:
            refused += 1
        else:
            # A forgery that is itself what `write` writes: another seed, say.
            assert models.archive(model) == content

    check()
    assert refused > 500
    count(FIGURE, refused)
