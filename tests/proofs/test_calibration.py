"""What the committed table of pairs says comes out again."""

from pathlib import Path

import pytest

from stages.files import artifacts, settings
from tests.conftest import ROOT
from tools.review import calibration


def test_the_first_pair_of_each_kind_comes_out_as_in_the_table(
    fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("stages.files.idx.RAW", fashion_mnist)
    params = settings.load(ROOT / "params.yaml")
    artifacts.write_table(
        tmp_path / "seeds.csv", calibration.pairs(calibration.load(params), params, [0])
    )
    made = (tmp_path / "seeds.csv").read_text().splitlines()
    assert made == (ROOT / calibration.TABLE).read_text().splitlines()[: len(made)]
