"""Image files are classified as the model classifies images."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from sklearn.cluster import KMeans
from sklearn.svm import SVC

from stages.files import idx, models, prepared, settings
from stages.learn import images
from tests.conftest import ROOT, Run, run_in
from tools.predict import model, photos

MODELS = list(model.KINDS)
COMMAND = ["python", "-m", "tools.predict"]


@pytest.fixture(scope="module")
def trained(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with some test images as files, light and dark; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(reproduced, folder, symlinks=True)
    for i, image in enumerate(prepared.load(folder / prepared.FOLDER).test_images[:3]):
        Image.fromarray(image if i % 2 else 255 - image).save(folder / f"garment {i}.png")
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_labels_and_scores_are_the_models_own(
    name: str, reproduced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reproduced)
    dataset = prepared.load()
    names, shape, estimator = model.load(name)
    assert (names, shape) == (dataset.labels, dataset.test_images[0].shape)
    labels, scores = model.classify(estimator, dataset.test_images)
    pixels = images.scaled(dataset.test_images)
    np.testing.assert_array_equal(labels, estimator.predict(pixels))
    is_svm = isinstance(estimator, SVC)
    expected = (estimator.decision_function if is_svm else estimator.predict_proba)(pixels)
    np.testing.assert_allclose(scores, expected[np.arange(len(labels)), labels], atol=1e-9)


def photo(image: images.Bytes, path: Path) -> Path:
    """A JPEG of it, in a colour, on white, as a catalogue shows it."""
    thing = np.pad(np.asarray(Image.fromarray(image).resize((280, 280))), ((40, 90), (130, 60)))
    Image.fromarray((245 - thing[..., None] * [0.8, 0.6, 0.7]).astype(np.uint8)).save(path)
    return path


def test_catalogue_pictures_are_recognised_as_often_as_images_of_fashion_mnist(
    fashion_mnist: Path, tmp_path: Path
) -> None:
    data = settings.load(ROOT / "params.yaml").data
    raw = idx.read_raw(data.datasets["fashion-mnist"].files(fashion_mnist), 10)
    estimator = SVC(C=10, gamma=0.01)
    estimator.fit(images.scaled(raw["train_images"][:3000]), raw["train_labels"][:3000])
    chosen, labels = raw["test_images"][:400], raw["test_labels"][:400]
    seen = [photos.read(photo(image, tmp_path / "photo.jpg"), (28, 28)).image for image in chosen]
    of_images = np.mean(model.classify(estimator, chosen)[0] == labels)
    of_photos = np.mean(model.classify(estimator, np.stack(seen))[0] == labels)
    assert of_photos > of_images - 0.03, (of_images, of_photos)


def test_photos_of_drawn_garments_are_recognised_too(
    reproduced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those do not fill their images: cut out they are larger than what the model knows."""
    monkeypatch.chdir(reproduced)
    dataset = prepared.load()
    _, shape, estimator = model.load("svm")
    chosen, labels = dataset.test_images[:200], dataset.test_labels[:200]
    cut_out = [photos.read(photo(image, tmp_path / "photo.jpg"), shape).image for image in chosen]
    as_is = []
    for image in chosen:
        large = Image.fromarray(255 - image).resize((280, 280))
        large.save(tmp_path / "photo.jpg")
        as_is.append(photos.read(tmp_path / "photo.jpg", shape, as_is=True).image)
    own, of_as_is, of_cut_out = (
        np.mean(model.classify(estimator, np.asarray(seen))[0] == labels)
        for seen in (chosen, as_is, cut_out)
    )
    assert of_as_is > own - 0.02, (own, of_as_is)
    assert of_cut_out > own - 0.1, (own, of_cut_out)


@pytest.mark.parametrize("name", MODELS)
def test_many_files_are_listed_with_label_score_and_how_they_were_read(
    name: str, trained: Path
) -> None:
    run = run_in(trained)
    files = [f"garment {i}.png" for i in range(3)]
    listed = run(*COMMAND, *files, "--model", name, "--json")
    found = json.loads(listed.stdout)
    assert listed.stderr == ""
    assert [row["file"] for row in found] == files
    dataset = prepared.load(trained / prepared.FOLDER)
    path = trained / f"models/{name.replace('-', '_')}.skops"
    estimator = models.read(path, model.KINDS[name], 28 * 28)
    expected = estimator.predict(images.scaled(dataset.test_images[:3]))
    assert [row["label"] for row in found] == [dataset.labels[label] for label in expected]
    table = run(*COMMAND, *files, "--model", name, COLUMNS="200").stdout
    for row in found:
        (line,) = [line for line in table.splitlines() if row["file"] in line]
        assert row["label"] in line
        assert f"{row['score']:.3f}" in line
        assert row["read_as"] in line


def test_the_preview_shows_what_the_model_sees(trained: Path) -> None:
    shown = run_in(trained)(*COMMAND, "garment 0.png", "--preview").stdout
    image = prepared.load(trained / prepared.FOLDER).test_images[0]
    assert f"garment 0.png, as the model sees it:\n{photos.letters(image)}\n" in shown
    assert "\nread as: 28×28, grey, light background, inverted\n" in shown


def test_files_that_are_no_images_are_named_and_the_others_classified(trained: Path) -> None:
    run = run_in(trained)
    files = ["README.md", "garment 0.png", "missing.png", "garment 1.png"]
    done = run(*COMMAND, *files, succeeds=False)
    assert done.returncode == 1
    sentences = done.stderr.splitlines()
    assert [sentence.split(" ")[0] for sentence in sentences] == ["README.md", "missing.png"]
    assert "garment 0.png" in done.stdout
    assert "garment 1.png" in done.stdout
    found = json.loads(run(*COMMAND, *files, "--json", succeeds=False).stdout)
    assert [row["file"] for row in found if "label" in row] == ["garment 0.png", "garment 1.png"]
    assert [row["error"] for row in found if "error" in row] == sentences
    done = run(*COMMAND, "README.md", succeeds=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_caution_is_printed_and_is_in_the_json(trained: Path) -> None:
    run = run_in(trained)
    small = np.full((300, 300), 250, np.uint8)
    small[100:150, 100:150] = np.arange(50) * 4
    Image.fromarray(small).save(trained / "small.png")
    caution = "what stands out fills 2.8% of the picture"
    plain, found = json.loads(run(*COMMAND, "garment 0.png", "small.png", "--json").stdout)
    assert "caution" not in plain
    assert found["caution"] == caution
    for files in (["small.png"], ["garment 0.png", "small.png"]):
        shown = run(*COMMAND, *files).stdout
        assert f"small.png: do not trust the answer, as {caution}" in shown
    assert "do not trust" not in run(*COMMAND, "garment 0.png").stdout


def test_any_name_of_a_file_will_do(trained: Path, tmp_path: Path) -> None:
    files = [
        os.fsdecode(name) for name in (b"caf\xe9.png", b"[red]\n\x1b.png", "Größe.png".encode())
    ]
    for name in files:
        shutil.copy(trained / "garment 0.png", tmp_path / name)
    paths = [str(tmp_path / name) for name in files]
    run = run_in(trained)
    for encoding in ("utf-8", "ascii"):
        found = json.loads(run(*COMMAND, *paths, "--json", PYTHONIOENCODING=encoding).stdout)
        assert [row["file"] for row in found] == paths
        table = run(*COMMAND, *paths, PYTHONIOENCODING=encoding, COLUMNS="300").stdout
        assert "caf?.png" in table
        assert "[red]??.png" in table


def test_a_model_is_used_only_if_dvc_lock_names_it(project: Path, run: Run) -> None:
    shutil.copy(project / "plots/data.png", project / "photo.png")
    command = [*COMMAND, "photo.png"]
    run(*command)
    (project / "models/svm.skops").write_bytes((project / "models/mlp.skops").read_bytes())
    refused = run(*command, succeeds=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("models/svm.skops does not have the hash in dvc.lock: `")
    run("dvc", "checkout", "--force", "models/svm.skops")
    run(*command)
    (project / "models/svm.skops").unlink()
    refused = run(*command, succeeds=False)
    assert refused.stderr.startswith("models/svm.skops is missing: `dvc repro`")
    (project / "metrics/data.json").write_text('{"image_shape": "1x784"}')
    refused = run(*command, "--model", "mlp", succeeds=False)
    assert refused.stderr.startswith("metrics/data.json does not have the hash in dvc.lock: `git ")
    run("git", "restore", "metrics/data.json")
    run(*command, "--model", "mlp")


def changed(project: Path, stage: str, of: str, path: str, md5: str) -> None:
    """State another hash in dvc.lock."""
    yaml = YAML()
    lock = yaml.load(project / "dvc.lock")
    (entry,) = [entry for entry in lock["stages"][stage][of] if entry["path"] == path]
    entry["md5"] = md5
    yaml.dump(lock, project / "dvc.lock")


def test_a_hostile_model_is_refused_even_if_dvc_lock_names_it(project: Path, run: Run) -> None:
    shutil.copy(project / "plots/data.png", project / "photo.png")
    content = models.archive(KMeans(2, n_init=1).fit(np.eye(4)))
    (project / "models/svm.skops").write_bytes(content.replace(b"KMeans", b"KMeanz"))
    md5 = run("md5sum", "models/svm.skops").stdout.split()[0]
    changed(project, "svm_eval", "outs", "models/svm.skops", md5)
    refused = run(*COMMAND, "photo.png", succeeds=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("models/svm.skops is not a model of this pipeline (")
    assert len(refused.stderr.splitlines()) == 1


def test_a_model_of_other_images_than_the_labels_is_not_used(project: Path, run: Run) -> None:
    shutil.copy(project / "plots/data.png", project / "photo.png")
    changed(project, "mlp_search", "deps", "data/prepared", "0" * 32 + ".dir")
    refused = run(*COMMAND, "photo.png", "--model", "mlp", succeeds=False)
    assert refused.stderr.startswith("models/mlp.skops was fitted to a different dataset than ")
    run(*COMMAND, "photo.png")


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (None, "dvc.lock is missing here: "),
        ("<<<<<<< HEAD", "dvc.lock: a merge conflict. "),
        ("schema: '2.0'\nstages: {}", "dvc.lock has no results of `prepare` or of the model. "),
    ],
)
def test_without_a_whole_dvc_lock_nothing_is_classified(
    lock: str | None, words: str, project: Path, run: Run
) -> None:
    (project / "dvc.lock").unlink()
    if lock is not None:
        (project / "dvc.lock").write_text(lock)
    refused = run(*COMMAND, "plots/data.png", succeeds=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(words)
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("wrong", [["a.png", "--model", "kmeans"], [], ["a.png", "--loud"]])
def test_a_wrong_command_line_ends_in_a_sentence(wrong: list[str], trained: Path) -> None:
    refused = run_in(trained)(*COMMAND, *wrong, succeeds=False)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
