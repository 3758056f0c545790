"""What the committed table of pairs says comes out again."""

from pathlib import Path

import pytest

from stages.common import artifacts, settings
from tests.conftest import ROOT
from tools import seeds


def test_the_first_pair_of_each_kind_comes_out_as_in_the_table(
    fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("stages.common.images.RAW", fashion_mnist)
    params = settings.load(ROOT / "params.yaml")
    artifacts.write_table(tmp_path / "seeds.csv", seeds.pairs(seeds.load(params), params, [0]))
    made = (tmp_path / "seeds.csv").read_text().splitlines()
    assert made == (ROOT / seeds.TABLE).read_text().splitlines()[: len(made)]
