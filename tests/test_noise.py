"""Noise is what plain scikit-learn shows when it is given other draws."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages import noise
from stages.files import garments
from stages.files import settings as params_file
from stages.learn import images
from stages.learn.images import Dataset
from tests.conftest import ROOT

DRAWN, LABELS = garments.draw(600, 3)
NAMES = [f"class {i}" for i in range(10)]
DATASET = Dataset("drawn", NAMES, DRAWN[:400], LABELS[:400], DRAWN[400:], LABELS[400:])
PARAMS = params_file.load(ROOT / "params.yaml")
PARAMS = PARAMS.model_copy(
    update={
        "seed": 5,
        "mlp": PARAMS.mlp.model_copy(update={"max_iter": 20}),
        "svm": PARAMS.svm.model_copy(update={"samples": 150}),
        "noise": PARAMS.noise.model_copy(update={"repeats": 3}),
    }
)
TESTS = images.scaled(DATASET.test_images)


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 400), st.integers(0, 2**32 - 1), st.integers(0, 999))
def test_a_draw_has_so_many_images_once_of_every_class(
    samples: int, seed: int, repeat: int
) -> None:
    labels = np.append(np.zeros(396, np.uint8), [1, 2, 2, 3])  # rare ones are drawn in the end
    few = np.repeat(np.arange(4, dtype=np.uint8), 100)
    for of in (few, labels) if samples > 100 else (few,):
        rows, _ = noise.draw(of, samples, seed, repeat)
        assert len({*rows.tolist()}) == len(rows) == samples
        assert {*of[rows].tolist()} == {0, 1, 2, 3}


def test_every_repeat_and_every_seed_draws_otherwise_and_the_same_again() -> None:
    def drawn(seed: int, repeat: int) -> tuple[bytes, int]:
        rows, of_network = noise.draw(LABELS, 50, seed, repeat)
        return rows.tobytes(), of_network

    several = [drawn(seed, repeat) for seed in (1, 2, 3) for repeat in range(3)]
    assert len({rows for rows, _ in several}) == len({seed for _, seed in several}) == 9
    assert several == [drawn(seed, repeat) for seed in (1, 2, 3) for repeat in range(3)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_err_as_plain_ones_do_on_these_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIT_PROCESSES", "2")
    winners: dict[str, dict[str, Any]] = {
        "small": {"architecture": "8", "samples": 60},
        "large": {"architecture": "6-4", "samples": 200},
    }
    found = noise.network_errors(DATASET, winners, PARAMS)
    for size, layers in (("small", (8,)), ("large", (6, 4))):
        for repeat, error in enumerate(found[size]):
            rows, seed = noise.draw(
                DATASET.train_labels, winners[size]["samples"], PARAMS.seed, repeat
            )
            plain = MLPClassifier(
                layers,
                solver="sgd",
                alpha=1e-4,
                tol=1e-4,
                learning_rate_init=0.1,
                max_iter=20,
                random_state=seed,
            ).fit(images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows])
            assert error == np.mean(plain.predict(TESTS) != DATASET.test_labels)


def test_machines_err_as_plain_ones_do_on_these_draws() -> None:
    point = {"kernel": "rbf", "C": 10, "gamma": 0.01}
    for repeat, error in enumerate(noise.machine_errors(DATASET, point, PARAMS)):
        rows, _ = noise.draw(DATASET.train_labels, 150, PARAMS.seed, repeat)
        plain = SVC(**point).fit(
            images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows]
        )
        assert error == np.mean(plain.predict(TESTS) != DATASET.test_labels)


def test_errors_are_summed_up_by_mean_and_deviation() -> None:
    assert noise.summary([0.25, 0.5, 0.75]) == {
        "draws": 3,
        "test_error_mean": 0.5,
        "test_error_std": 0.25,
    }
