"""A model card tells of a model what its metrics and parameters tell."""

import re
from pathlib import Path

import numpy as np
import pytest

from stages.files import models
from tests.conftest import Run
from tools.pages.results import MODELS, Model, Results
from tools.predict.model import KINDS
from tools.report import cards


@pytest.fixture
def written(reproduced: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The cards of the small project, by name."""
    monkeypatch.chdir(reproduced)
    return cards.cards(Results("HEAD"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_a_card_has_the_settings_of_the_fitted_model(model: Model, written: dict[str, str]) -> None:
    settings = written[f"card-{model.stem}.md"].partition("Settings of the estimator")[2]
    shown = dict(re.findall(r"^\| +(\w+) +\| +(.+?) +\|$", settings, re.MULTILINE))
    path = Path(f"models/{model.stem}.skops")
    fitted = models.read(path, KINDS[model.stem.replace("_", "-")], 28 * 28)
    for name, value in fitted.get_params().items():
        assert shown[name] == str(value), name


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_a_card_has_the_errors_of_each_class(model: Model, written: dict[str, str]) -> None:
    results = Results("HEAD")
    metrics, (actual, _) = model.of(results.metrics), results.predictions(model)
    card = written[f"card-{model.stem}.md"]
    assert f"| {metrics['test_error']:.4f} ± " in card
    wrong = []
    for label in results.labels:
        (row,) = re.findall(
            rf"^\| {label} \| (.+) \| (.+) to (.+) \| (.+) \| .+ \|$", card, re.MULTILINE
        )
        assert float(row[1]) <= float(row[0]) <= float(row[2])
        assert row[3] != label
        wrong.append(float(row[0]))
    assert np.average(wrong, weights=np.bincount(actual)) == pytest.approx(
        metrics["test_error"], abs=0.001
    )


def test_the_cards_are_the_same_bytes_at_every_report(run: Run, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run("python", "-m", "tools.report", "HEAD", "--out", str(tmp_path / folder))
    for name in ("card-mlp.md", "card-mlp_small.md", "card-svm.md", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
