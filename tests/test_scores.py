"""Scores agree with their definitions."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.files import tables
from stages.learn import scores

OUTCOMES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60)


def test_error_is_the_fraction_of_wrong_labels() -> None:
    assert scores.error(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])) == 0.25


@given(OUTCOMES)
def test_wilson_margin_is_wilsons(outcomes: list[tuple[int, int, int]]) -> None:
    actual, predicted, _ = np.array(outcomes).T
    n, p, z = len(actual), float((actual != predicted).mean()), scores.Z95
    expected = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert scores.wilson_margin(actual, predicted) == pytest.approx(expected, abs=1e-12)


@given(OUTCOMES)
def test_mcnemar_is_the_exact_sign_test_of_the_disagreements(
    outcomes: list[tuple[int, int, int]],
) -> None:
    actual, first, second = np.array(outcomes).T
    b = sum(f != a and s == a for a, f, s in outcomes)
    c = sum(f == a and s != a for a, f, s in outcomes)
    difference, margin, p = scores.mcnemar(actual, first, second)
    tail = sum(comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c)
    assert p == pytest.approx(min(1.0, 2 * tail))
    gaps = (first != actual).astype(float) - (second != actual)
    assert difference == pytest.approx(gaps.mean())
    assert margin == pytest.approx(scores.Z95 * gaps.std() / sqrt(len(gaps)), abs=1e-12)


@given(OUTCOMES)
def test_swapping_the_models_swaps_the_sign_alone(outcomes: list[tuple[int, int, int]]) -> None:
    actual, first, second = np.array(outcomes).T
    there, back = scores.mcnemar(actual, first, second), scores.mcnemar(actual, second, first)
    assert there == pytest.approx((-back[0], back[1], back[2]))


def test_predictions_stand_beside_the_truth_by_name() -> None:
    table = tables.predictions(["no", "yes"], np.array([1, 0, 1]), np.array([1, 1, 0]))
    assert table.to_dict("list") == {
        "actual": ["yes", "no", "yes"],
        "predicted": ["yes", "yes", "no"],
    }
