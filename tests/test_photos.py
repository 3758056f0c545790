"""Image files of any kind are read as the images that the models know."""

import errno
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.errors import UserError
from stages.files import garments
from stages.learn.images import Bytes
from tools.predict import photos

SHAPE = (28, 28)


@pytest.fixture(scope="module")
def drawn() -> Bytes:
    """Garments on black, a white pixel in each."""
    images, _ = garments.draw(200, 7)
    stretched = images * (255 / images.max(axis=(1, 2), keepdims=True))
    return np.round(stretched).astype(np.uint8)


def saved(folder: Path, values: Any, name: str = "photo.png", **options: Any) -> Path:
    """A picture in a file."""
    Image.fromarray(values).save(folder / name, **options)
    return folder / name


def enlarged(image: Bytes, times: int = 10) -> Bytes:
    return image.repeat(times, axis=0).repeat(times, axis=1)


AS: dict[str, Callable[[Bytes], Image.Image]] = {
    "grey": Image.fromarray,
    "colour": lambda values: Image.fromarray(values).convert("RGB"),
    "palette": lambda values: Image.fromarray(values).convert("P"),
    "alpha": lambda values: Image.fromarray(values).convert("RGBA"),
    "16 bits": lambda values: Image.fromarray(values.astype(np.uint16) * 257),
}


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("kind", AS)
def test_a_picture_of_the_models_size_is_taken_as_it_is_or_inverted(
    drawn: Bytes, kind: str, light: bool, tmp_path: Path
) -> None:
    for image in drawn:
        AS[kind](255 - image if light else image).save(tmp_path / "photo.png")
        photo = photos.read(tmp_path / "photo.png", SHAPE)
        np.testing.assert_array_equal(photo.image, image)
        background = "light background, inverted" if light else "dark background"
        assert photo.read_as == f"28×28, grey, {background}"


@pytest.mark.parametrize("size", [(28, 28), (20, 30), (1, 5)])
def test_any_size_of_a_models_images_will_do(drawn: Bytes, size: tuple[int, int]) -> None:
    scaled = Image.fromarray(drawn[0]).resize(size[::-1])
    assert photos._fitted(np.asarray(scaled, dtype=float), size).shape == size


@pytest.mark.parametrize("times", [10, 40])
@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_taken_as_it_is_an_enlarged_image_is_the_image_again(
    drawn: Bytes, light: bool, times: int, tmp_path: Path
) -> None:
    large = enlarged(255 - drawn[0] if light else drawn[0], times)
    photo = photos.read(saved(tmp_path, large), SHAPE, as_is=True)
    np.testing.assert_array_equal(photo.image, drawn[0])
    assert "cut" not in photo.read_as


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("photo.png", {}),
        ("photo.jpg", {"quality": 90}),
        ("photo.webp", {}),
        ("photo.bmp", {}),
        ("photo.tiff", {}),
        ("photo.gif", {}),
    ],
)
@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("background", [0, 60])
def test_size_place_format_and_contrast_of_a_photo_do_not_matter(
    drawn: Bytes,
    name: str,
    options: dict[str, int],
    light: bool,
    background: int,
    tmp_path: Path,
) -> None:
    expected = photos.read(saved(tmp_path, enlarged(drawn[3])), SHAPE).image
    large = np.full((600, 450), float(background))
    large[200:480, 100:380] = background + enlarged(drawn[3]) * 0.6
    values = np.round(255 - large if light else large).astype(np.uint8)
    tinted = np.stack([values, values, values // 8 * 8], axis=2)
    photo = photos.read(saved(tmp_path, tinted, name, **options), SHAPE)
    assert photo.read_as.startswith(f"450×600, colour, {'light' if light else 'dark'} background")
    assert "contrast ×1." in photo.read_as
    assert np.abs(photo.image.astype(int) - expected).mean() < 8
    assert photo.image.max() > 230


def test_noise_of_a_jpeg_is_not_taken_for_a_thing(drawn: Bytes, tmp_path: Path) -> None:
    expected = photos.read(saved(tmp_path, enlarged(drawn[3])), SHAPE).image
    large = 240 - 200 * (np.pad(enlarged(drawn[3]), 60) / 255)
    noisy = large + np.random.RandomState(1).normal(0, 2, large.shape)
    path = saved(tmp_path, noisy.clip(0, 255).astype(np.uint8), "photo.jpg", quality=70)
    photo = photos.read(path, SHAPE)
    assert np.abs(photo.image.astype(int) - expected).mean() < 12
    assert photo.caution == ""


@pytest.mark.parametrize(
    ("sides", "caution"),
    [
        ([], ""),
        (["top", "bottom"], ""),
        (["top", "bottom", "left"], "what stands out touches 3 sides of the picture"),
        (["top", "bottom", "left", "right"], "what stands out touches 4 sides of the picture"),
    ],
    ids=["none", "two", "three", "four"],
)
def test_a_thing_that_is_cut_off_on_three_sides_brings_a_caution(
    sides: list[str], caution: str, tmp_path: Path
) -> None:
    """It lies as a cross, so that the corners show the background."""
    picture = np.full((200, 200), 250, np.uint8)
    rows = slice(0 if "top" in sides else 40, 200 if "bottom" in sides else 160)
    columns = slice(0 if "left" in sides else 40, 200 if "right" in sides else 160)
    picture[rows, 80:120] = 60
    picture[80:120, columns] = 60
    assert photos.read(saved(tmp_path, picture), SHAPE).caution == caution
    assert photos.read(saved(tmp_path, picture), SHAPE, as_is=True).caution == ""


@pytest.mark.parametrize(
    ("side", "caution"), [(45, ""), (44, "what stands out fills 4.8% of the picture")]
)
def test_a_thing_that_fills_less_than_a_twentieth_brings_a_caution(
    side: int, caution: str, tmp_path: Path
) -> None:
    picture = np.full((200, 200), 250, np.uint8)
    picture[60 : 60 + side, 70 : 70 + side] = 60
    picture[70:80, 80:90] = 120
    assert photos.read(saved(tmp_path, picture), SHAPE).caution == caution


@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_what_is_transparent_is_background_and_a_white_thing_is_seen_too(
    drawn: Bytes, brightness: int, tmp_path: Path
) -> None:
    picture = Image.new("RGBA", SHAPE, (brightness,) * 3)
    picture.putalpha(Image.fromarray(drawn[0]))
    picture.save(tmp_path / "photo.png")
    photo = photos.read(tmp_path / "photo.png", SHAPE)
    assert f"transparent, on {'black' if brightness == 255 else 'white'}" in photo.read_as
    expected = drawn[0] * (0.5 if brightness == 128 else 1)
    np.testing.assert_allclose(photo.image.astype(int), expected, atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_taken_with_the_camera_turned_is_turned_back(
    drawn: Bytes, orientation: int, tmp_path: Path
) -> None:
    image = drawn[0]
    stored = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.T,
        6: np.rot90(image),
        7: image[::-1, ::-1].T,
        8: np.rot90(image, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, np.ascontiguousarray(stored[orientation]), exif=exif)
    photo = photos.read(path, SHAPE)
    np.testing.assert_array_equal(photo.image, image)
    assert ("turned" in photo.read_as) == (orientation > 1)


def test_height_and_width_are_those_of_the_turned_photo(drawn: Bytes, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, np.pad(enlarged(drawn[0]), ((0, 0), (0, 100))), exif=exif)
    assert photos.read(path, SHAPE).read_as.startswith("280×380, turned")


def test_of_several_pictures_in_a_file_the_first_counts(drawn: Bytes, tmp_path: Path) -> None:
    first, *others = (Image.fromarray(image) for image in drawn[:3])
    first.save(tmp_path / "photo.gif", save_all=True, append_images=others)
    photo = photos.read(tmp_path / "photo.gif", SHAPE)
    np.testing.assert_array_equal(photo.image, drawn[0])
    assert "first of 3 pictures" in photo.read_as


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_every_kind_of_pixel_is_read(drawn: Bytes, mode: str, tmp_path: Path) -> None:
    """A black and white thing, as all of them can show it."""
    image = np.where(drawn[0] > 60, 255, 0).astype(np.uint8)
    if mode in ("I", "F"):
        picture = Image.fromarray(image * np.int32(70000)).convert(mode)
    else:
        picture = Image.fromarray(image).convert(mode)
    picture.save(tmp_path / "photo.tiff")
    photo = photos.read(tmp_path / "photo.tiff", SHAPE)
    np.testing.assert_allclose(photo.image.astype(int), image, atol=2)


def test_sides_stay_in_proportion(tmp_path: Path) -> None:
    picture = np.zeros((100, 300), dtype=np.uint8)
    picture[40:60, 50:250] = 200
    rows, columns = np.nonzero(photos.read(saved(tmp_path, picture), SHAPE).image)
    assert [int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1] == [28, 3]
    assert abs(rows.mean() - 13.5) <= 0.5


def refused(folder: Path) -> dict[str, Path]:
    """Files that show nothing, or are no images."""
    files = {
        name: folder / f"{name}.png"
        for name in ("text", "empty", "cut", "blank", "noise", "huge", "script", "pipe", "number")
    }
    files["text"].write_text("not an image")
    files["empty"].write_bytes(b"")
    Image.effect_noise(SHAPE, 50).save(files["cut"])
    files["cut"].write_bytes(files["cut"].read_bytes()[:-200])
    Image.new("L", SHAPE, 200).save(files["blank"])
    noise = np.random.RandomState(1).normal(200, 2, (300, 300))
    Image.fromarray(noise.astype(np.uint8)).save(files["noise"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.new("1", (10_000, 10_000)).save(files["huge"])
    Image.new("RGB", SHAPE).save(files["script"], format="EPS")  # which Ghostscript would run
    os.mkfifo(files["pipe"])
    Image.fromarray(np.full(SHAPE, np.nan, dtype=np.float32)).save(files["number"], format="TIFF")
    long = folder / ("x" * 300)
    return {**files, "folder": folder, "missing": folder / "missing.png", "long": long}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("text", "is not an image of a known kind (PNG, "),
        ("script", "is not an image of a known kind (PNG, "),
        ("empty", "is not an image of a known kind (PNG, "),
        ("cut", "cannot be read as an image: "),
        ("number", "cannot be read as an image: some of its pixels are no numbers"),
        ("blank", "shows nothing: "),
        ("noise", "shows nothing: "),
        ("huge", "has more than 89 million pixels: "),
        ("folder", "cannot be read as an image: there is no file of this name"),
        ("missing", "cannot be read as an image: there is no file of this name"),
        ("pipe", "cannot be read as an image: there is no file of this name"),
        ("long", "cannot be read as an image: "),
    ],
)
def test_what_shows_nothing_or_is_no_image_is_refused_in_a_sentence(
    what: str, words: str, tmp_path: Path
) -> None:
    path = refused(tmp_path)[what]
    with pytest.raises(UserError) as raised:
        photos.read(path, SHAPE)
    assert str(raised.value).startswith(f"{path} {words}")
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read_is_refused_in_a_sentence(drawn: Bytes, tmp_path: Path) -> None:
    path = saved(tmp_path, drawn[0])
    path.chmod(0)
    why = os.strerror(errno.EACCES)
    with pytest.raises(UserError, match=f"cannot be read as an image: {why}"):
        photos.read(path, SHAPE)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.gif", "photo.tiff", "photo.bmp"])
def test_whatever_bytes_of_a_file_are_wrong_it_is_read_or_refused(
    drawn: Bytes, name: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, enlarged(drawn[0], 2), name)
    good = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    random = np.random.RandomState(1)
    for _ in range(100):
        bad = good.copy()
        places = random.randint(0, min(len(bad), 400), 3)
        bad[places] = random.randint(0, 256, 3)
        path.write_bytes(bad.tobytes()[: random.randint(1, 2 * len(bad))])
        with suppress(UserError):
            assert photos.read(path, SHAPE).image.shape == SHAPE


def test_a_name_is_shown_in_letters_that_a_terminal_has() -> None:
    assert photos.printable(Path(os.fsdecode(b"caf\xe9\n\x1b.png"))) == "caf???.png"
    assert photos.printable(Path("café.png")) == "café.png"


def test_letters_show_bright_on_dark() -> None:
    image = np.array([[0, 255, 0], [128, 0, 0]], dtype=np.uint8)
    assert photos.letters(image) == "  @@\n++"


def test_letters_of_a_large_image_fit_into_the_terminal() -> None:
    lines = photos.letters(np.full((60, 90), 255, dtype=np.uint8), columns=80).splitlines()
    assert {len(line) for line in lines} == {60}
