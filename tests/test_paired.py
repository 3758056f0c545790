"""The change of an error is estimated from draws and images that are crossed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stages.learn import paired
from stages.learn.paired import Estimate, Fits

IMAGES = 400


def errors(random: np.random.Generator, draws: int, moved: np.ndarray | float = 0.0) -> np.ndarray:
    """Errors of a model: images are hard or easy for all draws, and draws are good or bad."""
    of_images = np.random.default_rng(7).normal(0, 1, IMAGES)
    of_draws = random.normal(0, 0.15, (draws, 1))
    rest = random.normal(0, 0.5, (draws, IMAGES))
    return (of_images + of_draws + rest + moved > 1).astype(float)


def test_the_variance_is_that_of_two_crossed_random_effects() -> None:
    random = np.random.default_rng(1)
    old, new = errors(random, 5), errors(random, 5, np.linspace(-1, 1, IMAGES))
    table = new - old
    mean, of_draws, of_images = table.mean(), table.mean(axis=1), table.mean(axis=0)
    ms_draws = sum(IMAGES * (x - mean) ** 2 for x in of_draws) / 4
    ms_images = sum(5 * (x - mean) ** 2 for x in of_images) / (IMAGES - 1)
    ms_rest = sum(
        (table[r, i] - of_draws[r] - of_images[i] + mean) ** 2
        for r in range(5)
        for i in range(IMAGES)
    ) / (4 * (IMAGES - 1))
    found = paired.estimate(old, new, same_draws=True)
    total = ms_draws + ms_images - ms_rest
    assert ms_rest < min(ms_draws, ms_images)
    assert found.difference == pytest.approx(mean)
    assert found.variance == pytest.approx(total / table.size)
    assert found.of_images == pytest.approx((ms_images - ms_rest) / table.size)
    assert found.freedom == pytest.approx(
        total**2 / (ms_draws**2 / 4 + ms_images**2 / (IMAGES - 1) + ms_rest**2 / (4 * (IMAGES - 1)))
    )
    assert found.of_draws == pytest.approx(ms_draws / table.size)
    assert found.freedom_of_draws == pytest.approx(4)
    margins = [
        stats.t.ppf(0.975, freedom) * np.sqrt(variance)
        for freedom, variance in [(found.freedom, found.variance), (4, found.of_draws)]
    ]
    assert found.margin() == pytest.approx(max(margins))


@pytest.mark.parametrize(("draws", "level"), [(2, 0.05), (5, 0.05), (5, 0.05 / 30)])
@pytest.mark.parametrize("same_draws", [True, False])
def test_where_nothing_differs_no_more_intervals_say_so_than_should(
    same_draws: bool, draws: int, level: float
) -> None:
    random = np.random.default_rng(2)
    found = [
        paired.estimate(errors(random, draws), errors(random, draws), same_draws)
        for _ in range(round(25 / level))
    ]
    called = sum(abs(estimate.difference) > estimate.margin(level) for estimate in found)
    assert called / len(found) < 1.5 * level


def test_draws_that_both_found_hard_are_no_difference_once_they_are_paired() -> None:
    hard = np.random.default_rng(3).random((5, 1)) * 0.4
    old = (np.random.default_rng(4).random((5, IMAGES)) < 0.1 + hard).astype(float)
    new = old.copy()
    new[:, :20] = 1
    together, apart = (paired.estimate(old, new, same) for same in (True, False))
    assert together.difference == pytest.approx(apart.difference)
    assert together.margin() < together.difference < apart.margin()


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_a_variance_is_no_less_than_that_of_the_draws_or_of_the_images_alone(
    draws: int, seed: int, same_draws: bool
) -> None:
    random = np.random.default_rng(seed)
    old, new = random.random((2, draws, 9)) < 0.5
    found = paired.estimate(old.astype(float), new.astype(float), same_draws)
    means = new.mean(axis=0) - old.mean(axis=0)
    assert found.variance >= np.var(means, ddof=1) / 9 - 1e-12
    if same_draws:
        of_draws = (new.mean(axis=1) - old.mean(axis=1)).var(ddof=1) / draws
        assert found.variance >= of_draws - 1e-12


def test_fits_to_one_block_count_as_one_draw() -> None:
    wrong = np.random.default_rng(5).random((7, IMAGES)) < 0.3
    found = Fits(wrong, 3).of_blocks()
    assert found.shape == (3, IMAGES)
    assert np.array_equal(found[0], wrong[[0, 3, 6]].mean(axis=0))
    assert np.array_equal(found[2], wrong[[2, 5]].mean(axis=0))
    assert np.array_equal(Fits(wrong, 100).of_blocks(), wrong)
    assert Fits(wrong[:0], 0).of_blocks().shape == (0, IMAGES)


def of(difference: float, deviation: float) -> Estimate:
    return Estimate(difference, deviation**2, 30, 0, 0, np.inf, 5)


@pytest.mark.parametrize(
    ("estimate", "verdict"),
    [
        (of(0.030, 0.005), paired.WORSE),
        (of(-0.030, 0.005), paired.BETTER),
        (of(0.004, 0.001), paired.WORSE),  # by less than matters
        (of(0.003, 0.002), paired.SAME),
        (of(-0.003, 0.002), paired.SAME),
        (of(0.008, 0.004), paired.OPEN),
        (of(0.000, 0.005), paired.OPEN),
        (of(0.000, 0.000), paired.SAME),
    ],
)
def test_exactly_one_verdict_fits(estimate: Estimate, verdict: str) -> None:
    assert estimate.verdict(0.01) == verdict


def test_a_change_that_would_show_does_in_four_cases_of_five() -> None:
    estimate = of(0.0, 0.004)
    random = np.random.default_rng(6)
    found = estimate.shows() + 0.004 * random.standard_t(30, 20_000)
    assert np.mean(found > estimate.margin()) == pytest.approx(0.8, abs=0.01)


def test_a_fit_that_failed_is_no_better_than_the_commonest_label() -> None:
    labels = np.array([0] * 6 + [1] * 4)
    good, bad = np.zeros(10, bool), labels == 0
    assert not Fits(np.array([good, good]), 9).failed(labels)
    assert Fits(np.array([good, bad]), 9).failed(labels)
    assert Fits(np.array([good, labels == 1]), 9).failed(labels)
