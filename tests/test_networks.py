"""The search over networks is scikit-learn's, its progress and ties are ours."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier

from stages import mlp_search
from stages.errors import UserError
from stages.files import garments, settings
from stages.learn import images, networks, tasks
from stages.learn.images import Dataset
from stages.run import fits
from stages.run.records import NO_RECORD
from tests.conftest import ROOT

DRAWN, LABELS = garments.draw(200, 3)
PIXELS = images.scaled(DRAWN)


def candidates(
    architectures: list[list[int]], seed: int = 7, **hyperparameters: object
) -> list[MLPClassifier]:
    values = {"solver": "sgd", "learning_rate_init": 0.1, "max_iter": 25} | hyperparameters
    return [networks.network(architecture, seed, **values) for architecture in architectures]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_and_weights_are_those_of_a_plain_cross_validation(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIT_PROCESSES", "2")
    architectures = [[3], [6, 4], [12]]
    ours = candidates(architectures)
    accuracy, epochs = networks.cross_validate(
        ours, PIXELS, LABELS, 3, fits.in_processes("networks")
    )
    plain = [
        MLPClassifier(
            tuple(architecture),
            max_iter=25,
            solver="sgd",
            learning_rate_init=0.1,
            random_state=7,
        )
        for architecture in architectures
    ]
    expected = np.array([cross_val_score(model, PIXELS, LABELS, cv=3) for model in plain])
    np.testing.assert_array_equal(accuracy, expected)
    assert epochs.shape == (3, 3)
    fitted = networks.fit(ours[1], PIXELS, LABELS)
    for found, refitted in zip(fitted.coefs_, plain[1].fit(PIXELS, LABELS).coefs_, strict=True):
        np.testing.assert_array_equal(found, refitted)
    shown = capfd.readouterr().err
    assert shown.splitlines()[-1].startswith("networks: 200 images: 9 of 9 (")
    assert "Warning" not in shown


def unconverged(model: MLPClassifier) -> list[str]:
    _, epochs = networks.cross_validate([model], PIXELS, LABELS, 3)
    return networks.unconverged([model], epochs, networks.fit(model, PIXELS, LABELS))


def test_fits_that_did_not_converge_are_named() -> None:
    (impatient,) = candidates([[3]], max_iter=2)
    assert unconverged(impatient) == ["3, fold 1", "3, fold 2", "3, fold 3", "3, all images"]
    (content,) = candidates([[3]], max_iter=500, tol=1)
    assert unconverged(content) == []


@pytest.mark.parametrize("architectures", [[[3], [9]], [[9], [3]]])
def test_of_equal_architectures_the_first_listed_wins(architectures: list[list[int]]) -> None:
    # With one label in nine of ten images and no time to learn, all networks predict that label.
    labels = np.where(np.arange(200) % 10 == 0, 1, 0).astype(np.uint8)
    black = np.zeros_like(DRAWN)
    dataset = Dataset("black", ["rare", "common"], black, labels, black, labels)
    params = settings.load(ROOT / "params.yaml")
    changes = {"architectures": architectures, "learning_rate_init": 1e-6, "folds": 2}
    mlp = params.mlp.model_copy(update=changes | {"max_iter": 1})
    params = params.model_copy(update={"mlp": mlp})
    models = [networks.network(a, params.seed, **mlp.hyperparameters) for a in architectures]
    training = (images.scaled(black), labels.astype(np.int64))
    found = mlp_search.search(training, models, dataset, PIXELS, params, NO_RECORD)
    assert found.accuracy[0].mean() == found.accuracy[1].mean()
    assert found.metrics["architecture"] == networks.name(architectures[0])


def test_weights_that_grow_beyond_all_bounds_end_in_a_sentence() -> None:
    hasty = candidates([[3], [6, 4], [12]], learning_rate_init=100, alpha=1e6, max_iter=200)
    for run in (tasks.one_after_another, fits.in_processes("networks")):
        with pytest.raises(UserError, match=r"lower mlp\.learning_rate_init, now 100"):
            networks.cross_validate(hasty, PIXELS, LABELS, 3, run)
