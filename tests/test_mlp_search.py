"""The search over networks is scikit-learn's, its progress and ties are ours."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier

from stages import mlp_search
from stages.errors import UserError
from stages.files import garments
from stages.files.settings import Mlp
from stages.learn import images

DRAWN, LABELS = garments.draw(200, 3)
PIXELS = images.scaled(DRAWN)


def mlp(**changes: object) -> Mlp:
    values: dict[str, object] = {
        "small_samples": 100,
        "samples": 200,
        "architectures": [[3], [6, 4], [12]],
        "folds": 3,
        "max_iter": 25,
        "alpha": 0.0001,
        "solver": "sgd",
        "tol": 0.0001,
        "learning_rate_init": 0.1,
    }
    return Mlp.model_validate(values | changes)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_and_winner_are_those_of_a_plain_cross_validation(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIT_PROCESSES", "2")
    settings = mlp()
    found = mlp_search.search(PIXELS, LABELS, settings, 7, "networks")
    plain = [
        MLPClassifier(
            tuple(architecture),
            max_iter=25,
            solver="sgd",
            learning_rate_init=0.1,
            random_state=7,
        )
        for architecture in settings.architectures
    ]
    expected = np.array([cross_val_score(model, PIXELS, LABELS, cv=3) for model in plain])
    np.testing.assert_array_equal(found.accuracy, expected)
    assert found.best == expected.mean(axis=1).argmax()
    refitted = plain[found.best].fit(PIXELS, LABELS)
    for ours, theirs in zip(found.model.coefs_, refitted.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    shown = capfd.readouterr().err
    assert shown.splitlines()[-1].startswith("networks: 9 of 9 (")
    assert "Warning" not in shown


def test_fits_that_did_not_converge_are_named() -> None:
    found = mlp_search.search(PIXELS, LABELS, mlp(max_iter=2, architectures=[[3]]), 7, "")
    assert found.unconverged == ["3, fold 1", "3, fold 2", "3, fold 3", "3, all images"]
    found = mlp_search.search(PIXELS, LABELS, mlp(max_iter=500, tol=1, architectures=[[3]]), 7, "")
    assert found.unconverged == []


@pytest.mark.parametrize("architectures", [[[3], [9]], [[9], [3]]])
def test_of_equal_architectures_the_first_listed_wins(architectures: list[list[int]]) -> None:
    # With one label in nine of ten images and no time to learn, all networks say that label.
    labels = np.where(np.arange(200) % 10 == 0, 1, 0)
    settings = mlp(max_iter=1, architectures=architectures, learning_rate_init=1e-6, folds=2)
    found = mlp_search.search(np.zeros_like(PIXELS), labels, settings, 0, "")
    assert found.accuracy[0].mean() == found.accuracy[1].mean()
    assert found.best == 0


def test_weights_that_grow_beyond_all_bounds_end_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"mlp\.learning_rate_init, 100, is too large"):
        mlp_search.search(
            PIXELS, LABELS, mlp(learning_rate_init=100, alpha=1e6, max_iter=200), 0, ""
        )
