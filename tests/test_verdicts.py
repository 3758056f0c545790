"""Scores of folds and images are compared on these images alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stages.learn.paired import LEVEL
from tools.review import verdicts


def test_folds_are_compared_with_the_corrected_variance() -> None:
    old, new = np.array([0.80, 0.82, 0.81, 0.79, 0.83]), np.array([0.82, 0.83, 0.85, 0.80, 0.84])
    change = verdicts.of_folds(old, new)
    apart = new - old
    deviation = math.sqrt((1 / 5 + 1 / 4) * apart.var(ddof=1))
    t = apart.mean() / deviation
    assert change.p == pytest.approx(2 * (1 - stats.t.cdf(t, 4)))
    assert (change.low, change.high) == pytest.approx(
        stats.t.interval(0.95, 4, apart.mean(), deviation)
    )
    # A test that takes folds for independent is surer than it may be.
    assert change.p > stats.ttest_rel(new, old).pvalue


def test_equal_folds_do_not_differ_and_folds_all_as_far_apart_tell_nothing() -> None:
    folds = np.array([0.5, 0.75, 0.62])
    assert verdicts.of_folds(folds, folds) == (0, 0, 0, 1)
    change = verdicts.of_folds(folds, folds + 0.1)
    assert change.difference == pytest.approx(0.1)
    assert verdicts.judge({"moved": change}) == {"moved": verdicts.UNKNOWN}


def test_silhouettes_of_the_same_images_are_compared_in_pairs() -> None:
    old = np.random.RandomState(1).uniform(-0.2, 0.5, 400)
    new = old + np.random.RandomState(2).uniform(0, 0.02, 400)
    paired, apart = (verdicts.of_silhouettes(old, new, paired) for paired in (True, False))
    assert paired.difference == pytest.approx(apart.difference)
    assert paired.low > 0
    assert paired.p < LEVEL
    assert apart.low < 0 < apart.high
    assert apart.p > LEVEL
    assert verdicts.of_silhouettes(old, old, True) == (0, 0, 0, 1)


def test_an_interval_of_silhouettes_is_as_wide_as_the_mean_is_unsure() -> None:
    old, new = (np.random.RandomState(seed).normal(size=500) for seed in (3, 4))
    change = verdicts.of_silhouettes(old, new, False)
    expected = 2 * 1.96 * math.sqrt(old.var() / 500 + new.var() / 500)
    assert change.high - change.low == pytest.approx(expected, rel=0.06)


def test_several_tests_are_adjusted_after_holm_and_no_test_is_none() -> None:
    assert verdicts.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert verdicts.holm([0.03, math.nan]) == pytest.approx([0.03, math.nan], nan_ok=True)
    assert verdicts.holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_adjusting_only_makes_less_sure_and_keeps_the_order(p: list[float]) -> None:
    adjusted = verdicts.holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    ordered = [adjusted[i] for i in np.argsort(p, kind="stable")]
    assert ordered == sorted(ordered)
