"""Errors on other draws are those of plain scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.files import garments
from stages.learn import draws, images, networks
from stages.learn.images import Dataset
from stages.run import fits

DRAWN, LABELS = garments.draw(600, 3)
NAMES = [f"class {i}" for i in range(10)]
DATASET = Dataset("drawn", NAMES, DRAWN[:400], LABELS[:400], DRAWN[400:], LABELS[400:])
SEED = 5
TESTS = images.scaled(DATASET.test_images)


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 400), st.integers(0, 2**32 - 1), st.integers(0, 999))
def test_a_draw_has_so_many_images_once_of_every_class(
    samples: int, seed: int, repeat: int
) -> None:
    labels = np.append(np.zeros(396, np.uint8), [1, 2, 2, 3])  # rare ones are drawn in the end
    few = np.repeat(np.arange(4, dtype=np.uint8), 100)
    for of in (few, labels) if samples > 100 else (few,):
        rows, _ = draws.draw(of, samples, seed, repeat)
        assert len({*rows.tolist()}) == len(rows) == samples
        assert {*of[rows].tolist()} == {0, 1, 2, 3}


def test_every_repeat_and_every_seed_draws_otherwise_and_the_same_again() -> None:
    def drawn(seed: int, repeat: int) -> tuple[bytes, int]:
        rows, of_network = draws.draw(LABELS, 50, seed, repeat)
        return rows.tobytes(), of_network

    several = [drawn(seed, repeat) for seed in (1, 2, 3) for repeat in range(3)]
    assert len({rows for rows, _ in several}) == len({seed for _, seed in several}) == 9
    assert several == [drawn(seed, repeat) for seed in (1, 2, 3) for repeat in range(3)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_err_as_plain_ones_do_on_these_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIT_PROCESSES", "2")
    hyperparameters = {"solver": "sgd", "learning_rate_init": 0.1, "max_iter": 20}
    candidates = [
        (networks.network([8], 0, **hyperparameters), 60),
        (networks.network([6, 4], 0, **hyperparameters), 200),
    ]
    errors = draws.network_errors(DATASET, candidates, SEED, 3, "float64", fits.in_processes(""))
    for (model, samples), errors_of_draws in zip(candidates, errors, strict=True):
        for number, error in enumerate(errors_of_draws):
            rows, seed = draws.draw(DATASET.train_labels, samples, SEED, number)
            plain = MLPClassifier(
                model.hidden_layer_sizes,
                solver="sgd",
                learning_rate_init=0.1,
                max_iter=20,
                random_state=seed,
            ).fit(images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows])
            assert error == np.mean(plain.predict(TESTS) != DATASET.test_labels)


def test_support_vector_machines_err_as_plain_ones_do_on_these_draws() -> None:
    point = {"kernel": "rbf", "C": 10, "gamma": 0.01}
    for number in range(3):
        drawn = (150, SEED, number)
        wrong = draws.svm_mistakes(point, drawn, *DATASET[2:], NAMES, fits.in_threads(""))
        rows, _ = draws.draw(DATASET.train_labels, 150, SEED, number)
        plain = SVC(**point).fit(
            images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows]
        )
        assert np.array_equal(wrong, np.flatnonzero(plain.predict(TESTS) != DATASET.test_labels))


def test_errors_are_summed_up_by_mean_and_deviation() -> None:
    assert draws.summary([0.25, 0.5, 0.75]) == {
        "draws": 3,
        "test_error_mean": 0.5,
        "test_error_std": 0.25,
    }
