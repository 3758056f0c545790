"""The study on all images is the pipeline's, only larger."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import SVC

from stages.files import prepared
from stages.learn import images, kernel_search
from tests.conftest import ROOT, Run
from tools.bench import full


def test_it_says_how_long_and_fits_all_images(project: Path, run: Run) -> None:
    shown = run("python", "-m", "tools.full").stdout
    assert shown.startswith("full: about ")
    found = json.loads((project / full.RESULTS).read_text())
    dataset = prepared.load(project / prepared.FOLDER)
    assert found["samples"] == {"all": len(dataset.train_labels)} | {
        "searched": len(dataset.train_labels)
    }
    best = found["svm"]["best"]
    point = {key: value for key, value in best.items() if key in kernel_search.COLUMNS}
    plain = SVC(**point).fit(images.scaled(dataset.train_images), dataset.train_labels)
    predicted = plain.predict(images.scaled(dataset.test_images))
    error = np.mean(predicted != dataset.test_labels)
    assert best["test_error"] == pytest.approx(error, abs=1e-6)
    assert best["support_vectors"] == len(plain.support_)
    assert f"{1 - error:.4f}" in shown


def test_without_results_of_the_pipeline_it_says_what_to_do(project: Path, run: Run) -> None:
    (project / "metrics/mlp.json").unlink()
    refused = run("python", "-m", "tools.full", succeeds=False)
    assert refused.returncode == 1
    assert refused.stderr == "metrics/mlp.json is missing: run `dvc repro` first.\n"


def test_the_page_of_speed_shows_what_was_found_beside_the_fields_table() -> None:
    found = json.loads((ROOT / full.RESULTS).read_text())
    page = (ROOT / "docs/speed.md").read_text()
    for row in full.table(found):
        assert "| " + " | ".join(map(str, row)) + " |" in page
