"""What the committed table of calibration says comes out again."""

from pathlib import Path

import pandas as pd
import pytest

from stages.files import artifacts, idx, settings
from stages.learn import images
from stages.learn.images import Dataset
from tests.conftest import ROOT
from tools.review import calibration


def test_the_first_line_of_calibration_comes_out_as_in_the_table(
    fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    params = settings.load()
    source = params.data.source
    arrays = idx.read_raw(source.files(fashion_mnist), len(source.labels))
    order = images.order(len(arrays["train_labels"]), params.seed)
    for role in ("train_images", "train_labels"):
        arrays[role] = arrays[role][order]
    dataset = Dataset(params.data.dataset, source.labels, **arrays)
    first = next(calibration.networks_of("small", dataset, params))
    artifacts.write_table(tmp_path / "first.csv", pd.DataFrame([first]))
    made = (tmp_path / "first.csv").read_text().splitlines()
    assert made == calibration.TABLE.read_text().splitlines()[: len(made)]
