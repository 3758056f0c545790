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
@given(st.integers(12, 140), st.integers(0, 2**32 - 1))
def test_draws_are_disjoint_blocks_after_the_studys_own_images_each_with_every_class(
    samples: int, seed: int
) -> None:
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(4, dtype=np.uint8), 100))
    firsts = draws.blocks(labels, samples)
    rows = [row for first in firsts for row in range(first, first + samples)]
    assert len({*rows}) == len(rows)
    assert not {*rows} & {*range(samples)}
    whole = range(samples, 400 - samples + 1, samples)
    lacking = [at for at in whole if len({*labels[at : at + samples].tolist()}) < 4]
    assert firsts == [at for at in whole if at not in lacking]


def test_a_block_that_lacks_a_class_is_passed_over() -> None:
    labels = np.array([0, 1, 0, 1, 0, 0, 1, 0], np.uint8)
    assert draws.blocks(labels, 2) == [2, 6]
    assert draws.blocks(labels, 5) == []


def model(*widths: int, seed: int = SEED) -> MLPClassifier:
    return networks.network([*widths], seed, solver="sgd", learning_rate_init=0.1, max_iter=20)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_err_as_plain_ones_do_on_these_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIT_PROCESSES", "2")
    for widths, samples in (((8,), 60), ((6, 4), 120)):
        tasks = draws.network_fits(DATASET, model(*widths), samples, 3, "float64")
        found = fits.in_processes("")("", draws.network_mistakes, tasks)
        seeds = {task.arguments[0].random_state for task in tasks}
        assert len(seeds) == 3
        for task, first, wrong in zip(
            tasks, draws.blocks(DATASET.train_labels, samples), found, strict=False
        ):
            rows = slice(first, first + samples)
            plain = MLPClassifier(
                widths,
                solver="sgd",
                learning_rate_init=0.1,
                max_iter=20,
                random_state=task.arguments[0].random_state,
            ).fit(images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows])
            assert np.array_equal(
                wrong, np.flatnonzero(plain.predict(TESTS) != DATASET.test_labels)
            )


def test_beyond_the_blocks_networks_begin_again_with_other_weights_and_svms_do_not() -> None:
    blocks = draws.blocks(DATASET.train_labels, 120)
    assert len(blocks) == 2
    tasks = draws.network_fits(DATASET, model(8), 120, 5, "float64")
    assert [task.arguments[1] for task in tasks] == [(blocks[i % 2], 120) for i in range(5)]
    assert len({task.arguments[0].random_state for task in tasks}) == 5
    calls = draws.svm_fits(DATASET, {"kernel": "linear", "C": 1}, 120, 5)
    assert [drawn for _, drawn, *_ in calls] == [(first, 120) for first in blocks]
    assert draws.network_fits(DATASET, model(8), 400, 5, "float64") == []


def test_a_draw_is_the_same_however_many_there_are() -> None:
    few, many = (draws.network_fits(DATASET, model(8), 60, n, "float64") for n in (2, 4))
    for a, b in zip(few, many, strict=False):
        assert a.name == b.name
        assert a.arguments[0].get_params() == b.arguments[0].get_params()
        assert a.arguments[1] == b.arguments[1]


def test_support_vector_machines_err_as_plain_ones_do_on_these_draws() -> None:
    point = {"kernel": "rbf", "C": 10, "gamma": 0.01}
    for call in draws.svm_fits(DATASET, point, 130, 2):
        wrong = draws.svm_mistakes(*call, NAMES, fits.in_threads(""))
        rows = slice(call[1][0], call[1][0] + 130)
        plain = SVC(**point).fit(
            images.scaled(DATASET.train_images[rows]), DATASET.train_labels[rows]
        )
        assert np.array_equal(wrong, np.flatnonzero(plain.predict(TESTS) != DATASET.test_labels))


def test_mistakes_are_a_table_of_fits_by_images() -> None:
    table = draws.table([[0, 2], np.array([], int)], 4)
    assert table.tolist() == [[True, False, True, False], [False] * 4]
