"""Promises of the images: from IDX files to what a model is trained on."""

import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages import prepare
from stages.errors import UserError
from stages.files import idx, prepared, settings
from stages.files.garments import LABELS, draw
from stages.files.idx import write_idx
from stages.learn import images

Bytes = npt.NDArray[np.uint8]
Raw = dict[str, Bytes]

IMAGES = b"\0\0\x08\x03" + struct.pack(">3I", 2, 2, 3) + bytes(range(12))
LABELS_OF_TWO = b"\0\0\x08\x01" + struct.pack(">I", 2) + bytes([0, 1])


FILES = pytest.mark.figure("bad sources and files refused")


def sizes(*of: int) -> bytes:
    """An IDX file of images that states these sizes and holds 12 pixels."""
    return IMAGES[:4] + struct.pack(">3I", *of) + IMAGES[16:]


def changed(content: bytes, place: int) -> bytes:
    """The same bytes, one of them different."""
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def refusal(of: Callable[[], object]) -> str:
    """The sentence with which something is refused."""
    with pytest.raises(UserError) as refused:
        of()
    sentence = str(refused.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(".")
    return sentence


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples of a property may write to, one after the other."""
    return tmp_path_factory.mktemp("shelf")


@hypothesis.settings(deadline=None)  # a busy machine breaks no promise
@hypothesis.given(
    array=hnp.arrays(
        np.uint8,
        st.sampled_from([1, 3]).flatmap(lambda n: hnp.array_shapes(min_dims=n, max_dims=n)),
    )
)
def test_plain_and_gzipped_files_read_as_the_array_that_was_written(
    array: Bytes, shelf: Path
) -> None:
    write_idx(shelf / "plain", array)
    (shelf / "gzipped").write_bytes(gzip.compress((shelf / "plain").read_bytes()))
    for name in ("plain", "gzipped"):
        read = idx.read_idx(shelf / name, array.ndim)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, array)


@FILES
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "begins with nothing, not 00 00 08 03", id="empty"),
        pytest.param(b"<htm" + IMAGES[4:], "begins with 3c 68 74 6d", id="magic"),
        pytest.param(b"\0\0\x0d\x03" + IMAGES[4:], "begins with 00 00 0d 03", id="type"),
        pytest.param(LABELS_OF_TWO + bytes(9), "begins with 00 00 08 01", id="dimensions"),
        pytest.param(IMAGES[:3], "begins with 00 00 08", id="truncated magic"),
        pytest.param(IMAGES[:15], "not an IDX file of 3-dimensional bytes", id="truncated sizes"),
        pytest.param(IMAGES[:-1], "states 12 bytes of data, but holds 11", id="too few"),
        pytest.param(IMAGES[:16], "states 12 bytes of data, but holds 0", id="none"),
        pytest.param(IMAGES + b"\0", "states 12 bytes of data, but holds more", id="trailing"),
        pytest.param(sizes(0, 2, 3), "impossible sizes: (0, 2, 3)", id="no images"),
        pytest.param(sizes(2, 0, 3), "impossible sizes: (2, 0, 3)", id="no rows"),
        pytest.param(sizes(2**32 - 1, 1, 2), "impossible sizes: (4294967295, 1, 2)", id="huge"),
        pytest.param(sizes(*[2**32 - 1] * 3), "impossible sizes: (4294967295, ", id="overflow"),
        pytest.param(sizes(2**16, 2**8, 2**8), "states 4294967296 bytes", id="largest"),
    ],
)
def test_a_file_that_is_not_what_its_header_says_is_refused(
    content: bytes, words: str, gzipped: bool, tmp_path: Path
) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if gzipped else content)
    assert words in refusal(lambda: idx.read_idx(path, 3))


COMPRESSED = gzip.compress(IMAGES)


@FILES
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(COMPRESSED[:2], id="magic only"),
        pytest.param(COMPRESSED[:15], id="truncated in the data"),
        pytest.param(COMPRESSED[:-1], id="truncated in the checksum"),
        pytest.param(changed(COMPRESSED, -6), id="checksum"),
        pytest.param(changed(COMPRESSED, -2), id="length"),
        pytest.param(changed(COMPRESSED, 2), id="method"),
        pytest.param(changed(COMPRESSED, 10), id="data"),
        pytest.param(COMPRESSED + b"rubbish", id="trailing rubbish"),
    ],
)
def test_a_damaged_gzip_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(content)
    assert "is damaged: " in refusal(lambda: idx.read_idx(tmp_path / "images.gz", 3))


@FILES
@pytest.mark.parametrize(
    "content",
    [
        # Ten bytes are stated and a gigabyte comes out.
        pytest.param(
            gzip.compress(LABELS_OF_TWO[:4] + struct.pack(">I", 10))
            + gzip.compress(bytes(2**20)) * 1024,
            id="a gigabyte from a gzip bomb",
        ),
        # Four gigabytes are stated and ten bytes are there.
        pytest.param(LABELS_OF_TWO[:4] + struct.pack(">I", 2**32 - 1) + bytes(10), id="plain"),
        pytest.param(
            gzip.compress(LABELS_OF_TWO[:4] + struct.pack(">I", 2**32 - 1) + bytes(10)),
            id="gzipped",
        ),
    ],
)
def test_a_refused_file_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert "bytes of data, but holds" in refusal(lambda: idx.read_idx(path, 1))
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def raw() -> Raw:
    """A small dataset, by role."""
    train_images, train_labels = draw(400, 1)
    test_images, test_labels = draw(100, 2)
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


def written(arrays: Raw, folder: Path) -> dict[str, Path]:
    """The files of a dataset, by role."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, array in arrays.items():
        write_idx(folder / role, array)
    return {role: folder / role for role in arrays}


def test_four_files_that_belong_together_are_read(raw: Raw, tmp_path: Path) -> None:
    read = idx.read_raw(written(raw, tmp_path), len(LABELS))
    assert list(read) == list(raw)
    for role, array in raw.items():
        np.testing.assert_array_equal(read[role], array)


MORE_THAN_NAMES = (
    ", but `labels` in params.yaml names 10 classes: labels are numbers that begin at 0 or 1, each "
    "with a name."
)


def test_labels_that_begin_at_one_are_those_that_begin_at_zero(raw: Raw, tmp_path: Path) -> None:
    changed = {role: raw[role] + np.uint8(1) for role in ("train_labels", "test_labels")}
    read = idx.read_raw(written(raw | changed, tmp_path), len(LABELS))
    for role in changed:
        assert np.array_equal(read[role], raw[role])


@FILES
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda raw: {"train_images": raw["train_images"][:-1]},
            "The train set has 399 images, but 400 labels.",
            id="a training image less",
        ),
        pytest.param(
            lambda raw: {"test_labels": raw["test_labels"][:-1]},
            "The test set has 100 images, but 99 labels.",
            id="a test label less",
        ),
        pytest.param(
            lambda _: {"train_labels": np.where(np.arange(400) == 7, np.uint8(10), 0)},
            f"The files have labels from 0 to 10{MORE_THAN_NAMES}",
            id="a label too high",
        ),
        pytest.param(
            lambda _: {"test_labels": np.full(100, 255, np.uint8)},
            f"The files have labels from 0 to 255{MORE_THAN_NAMES}",
            id="only labels too high",
        ),
        pytest.param(
            lambda raw: {"test_images": raw["test_images"][:, :, 1:]},
            "Training images are (28, 28) pixels, test images (28, 27).",
            id="other test images",
        ),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    change: Callable[[Raw], Raw], sentence: str, raw: Raw, tmp_path: Path
) -> None:
    files = written(raw | change(raw), tmp_path)
    assert refusal(lambda: idx.read_raw(files, len(LABELS))) == sentence


@hypothesis.settings(deadline=None)  # a busy machine breaks no promise
@hypothesis.given(count=st.integers(1, 500), seed=st.integers(0, 2**32 - 1))
def test_the_order_is_the_permutation_of_the_original_study(count: int, seed: int) -> None:
    expected = np.random.RandomState(seed).permutation(count)
    np.testing.assert_array_equal(images.order(count, seed), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scaled_pixels_are_the_exact_quotients_by_255_flattened(dtype: str) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    scaled = images.scaled(pixels.reshape(8, 4, 8), dtype)
    assert scaled.shape == (8, 32)
    assert scaled.dtype == np.dtype(dtype)
    # In Python's own floats; a quotient of numbers this small, rounded to 53 bits and then to
    # 24, is the one rounded to 24 at once.
    exact = np.array([pixel / 255.0 for pixel in range(256)]).astype(dtype)
    np.testing.assert_array_equal(scaled.ravel(), exact)


TEN_OF_EACH = np.tile(np.arange(10, dtype=np.uint8), 12)


@pytest.mark.parametrize(
    ("samples", "folds"),
    [
        pytest.param(100, 5, id="ten of each class"),
        pytest.param(120, 12, id="all, and as many of each as folds"),
    ],
)
def test_samples_at_the_limits_are_enough(samples: int, folds: int) -> None:
    assert images.misfit(TEN_OF_EACH, list(LABELS), samples, folds) is None


@pytest.mark.parametrize(
    ("samples", "folds", "words"),
    [
        pytest.param(
            121,
            5,
            "but must be 100 to 120: there are 120 training images",
            id="more than there are",
        ),
        pytest.param(
            99,
            5,
            "but must be 100 to 120: the first 100 hold 10 of each class",
            id="nine of a class",
        ),
        pytest.param(
            115,
            12,
            "but must be 120 to 120: the first 120 hold 12 of each class",
            id="fewer of a class than folds",
        ),
        pytest.param(
            120,
            13,
            "but needs 13 images of each class, and only 12 of all training images are T-shirt/top",
            id="fewer of a class in all than folds",
        ),
    ],
)
def test_too_many_or_too_few_samples_do_not_fit_and_it_is_said_which_do(
    samples: int, folds: int, words: str
) -> None:
    assert images.misfit(TEN_OF_EACH, list(LABELS), samples, folds) == words


@hypothesis.settings(deadline=None)  # a busy machine breaks no promise
@hypothesis.given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 70))
def test_every_number_of_samples_that_is_said_to_fit_does(labels: list[int], samples: int) -> None:
    array = np.array(labels, np.uint8)
    words = images.misfit(array, ["a", "b", "c"], samples, 2)
    if words and (fit := re.search(r"must be (\d+) to (\d+)", words)):
        fewest, most = map(int, fit.groups())
        for number in range(1, 70):
            fits = images.misfit(array, ["a", "b", "c"], number, 2) is None
            assert fits == (fewest <= number <= most)
            enough = (np.bincount(array[:number], minlength=3) >= images.FEWEST_OF_CLASS).all()
            assert fits == (enough and number <= len(labels))


@pytest.fixture
def dataset(raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> images.Dataset:
    """What the stage `prepare` makes of the small dataset."""
    monkeypatch.chdir(tmp_path)
    params = settings.load(Path(__file__).parents[1] / "params.yaml")
    drawn = params.data.model_copy(update={"dataset": "drawn-garments"})
    files = written(raw, tmp_path / "data/raw")
    for role, path in files.items():
        path.rename(drawn.source.files(path.parent)[role])
    prepare.main(params.model_copy(update={"data": drawn}))
    return prepared.load()


def test_prepared_images_are_the_raw_ones_permuted_by_the_seed(
    raw: Raw, dataset: images.Dataset
) -> None:
    order = np.random.RandomState(2016515).permutation(400)
    assert (dataset.name, dataset.labels) == ("drawn-garments", list(LABELS))
    np.testing.assert_array_equal(dataset.train_images, raw["train_images"][order])
    np.testing.assert_array_equal(dataset.train_labels, raw["train_labels"][order])
    np.testing.assert_array_equal(dataset.test_images, raw["test_images"])
    np.testing.assert_array_equal(dataset.test_labels, raw["test_labels"])


def test_prepared_images_stay_on_disk_until_they_are_read(dataset: images.Dataset) -> None:
    assert all(isinstance(array, np.memmap) for array in dataset[2:])


def test_a_training_set_is_the_first_images(dataset: images.Dataset) -> None:
    chosen, labels = images.training_set(dataset, 250, "svm.samples", 5)
    np.testing.assert_array_equal(chosen, dataset.train_images[:250])
    np.testing.assert_array_equal(labels, dataset.train_labels[:250])
    assert labels.dtype == np.int64


def test_a_training_set_of_too_many_images_is_refused(dataset: images.Dataset) -> None:
    refused = refusal(lambda: images.training_set(dataset, 401, "svm.samples", 5))
    assert refused.startswith("params.yaml: svm.samples is 401, ")


@FILES
@pytest.mark.parametrize("missing", ["dataset.json", "test_labels.npy"])
@pytest.mark.usefixtures("dataset")
def test_images_that_are_not_prepared_are_asked_for(missing: str) -> None:
    (prepared.FOLDER / missing).unlink()
    refused = refusal(prepared.load)
    assert re.fullmatch(rf".*{missing} is missing: run `dvc repro prepare` first\.", refused)


@FILES
@pytest.mark.usefixtures("dataset")
def test_prepared_images_that_are_damaged_are_refused() -> None:
    path = prepared.FOLDER / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    refused = refusal(prepared.load)
    assert re.fullmatch(
        r"data.prepared is damaged \(.*\): run `dvc repro --force prepare`\.", refused
    )
