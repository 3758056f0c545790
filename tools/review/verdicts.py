"""Decide whether a difference is more than chance.

A change of a test error is real only if two tests are significant. Other scores have one test, on
these images.

McNemar's exact test asks whether the two fitted models differ on these test images. Welch's test
asks whether the difference survives other draws of the training set and of the initial weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from stages.learn import scores
from stages.learn.images import Labels

LEVEL = scores.LEVEL
RESAMPLES = 5000
REAL, NOISE = "real", "within the noise of the seed"
DIFFERS, CHANCE = "differs on these images", "within the noise of these images"
NONE, UNKNOWN = "no difference", "not known"
SMALLEST_MOVE = 1e-9  # of a score; smaller differences are rounding

Name = TypeVar("Name")
Floats = npt.NDArray[np.float64]


class Change(NamedTuple):
    """Change of a number between two revisions.

    Attributes
    ----------
    difference
        New minus old.
    low, high
        Confidence interval of the difference at 95 %.
    p
        p-value of the difference; NaN if there is no test.
    """

    difference: float
    low: float
    high: float
    p: float


class ErrorChange(NamedTuple):
    """Change of a model's test error between two revisions.

    Attributes
    ----------
    difference, margin
        New error minus old error on these images, and half the width of its confidence interval at
        95 %.
    p_images
        p-value of McNemar's test that the two fitted models are equally good.
    p_draws
        p-value of Welch's test on the errors over other draws. It is 1 if those errors differ in
        the other direction, and NaN if a revision has none.
    """

    difference: float
    margin: float
    p_images: float
    p_draws: float

    @property
    def p(self) -> float:
        """The larger of both p-values, so that it is significant only if both are.

        NaN if Welch's test would decide but has no p-value.
        """
        if self.p_draws != self.p_draws and self.p_images > LEVEL:
            return self.p_images
        return float(np.maximum(self.p_images, self.p_draws))


def of_errors(
    actual: Labels,
    old: Labels,
    new: Labels,
    old_noise: dict[str, Any] | None,
    new_noise: dict[str, Any] | None,
) -> ErrorChange:
    """Test the difference of two test errors in both ways.

    Parameters
    ----------
    actual, old, new : int arrays of shape (n_images,)
        True labels, and the labels that the old and the new model predicted.
    old_noise, new_noise
        Errors over other draws, from `metrics/noise.json`; None if a revision has none.
    """
    difference, margin, p = scores.mcnemar(actual, new, old)
    if old_noise is None or new_noise is None:
        return ErrorChange(difference, margin, p, np.nan)
    moved = new_noise["test_error_mean"] - old_noise["test_error_mean"]
    p_draws = welch_p_value(old_noise, new_noise) if difference * moved > 0 else 1.0
    return ErrorChange(difference, margin, p, p_draws)


def welch_p_value(old: dict[str, Any], new: dict[str, Any]) -> float:
    """Return the p-value of Welch's test on the errors over draws of two models.

    Parameters
    ----------
    old, new
        `draws`, `test_error_mean` and `test_error_std` of a model, from `metrics/noise.json`.

    Notes
    -----
    Welch, 1947: "The generalization of 'Student's' problem when several different population
    variances are involved". Two revisions with the same seed have the same draws. The test treats
    them as independent, which makes it conservative. If no error varies over its draws, the test
    is undefined (NaN), unless both means are equal.
    """
    if old["test_error_std"] == new["test_error_std"] == 0:
        return 1.0 if old["test_error_mean"] == new["test_error_mean"] else np.nan
    welch = stats.ttest_ind_from_stats(
        *(
            noise[key]
            for noise in (old, new)
            for key in ("test_error_mean", "test_error_std", "draws")
        ),
        equal_var=False,
    )
    return float(welch.pvalue)


def of_folds(old: Floats, new: Floats) -> Change:
    """Compare two accuracies in one cross-validation, on the same folds.

    Parameters
    ----------
    old, new : float64 arrays of shape (n_folds,)

    Notes
    -----
    Folds share training images, so their scores vary together: the variance of a mean is not 1/n
    but 1/n + 1/(n - 1) times that of a fold (Nadeau and Bengio, 2003: "Inference for the
    generalization error", where the ratio of test to training images is 1/(n - 1)). If all folds
    change by the same amount, the test is undefined (p is NaN), unless this amount is 0.
    """
    n, differences = len(old), new - old
    difference = float(differences.mean())
    deviation = float(np.sqrt((1 / n + 1 / (n - 1)) * differences.var(ddof=1)))
    if np.ptp(differences) < SMALLEST_MOVE:
        p = 1.0 if abs(difference) < SMALLEST_MOVE else np.nan
        return Change(difference, difference, difference, p)
    margin = float(stats.t.ppf(0.975, n - 1)) * deviation
    p = float(2 * stats.t.sf(abs(difference) / deviation, n - 1))
    return Change(difference, difference - margin, difference + margin, p)


def of_silhouettes(old: Floats, new: Floats, paired: bool) -> Change:
    """Compare two mean silhouettes by a bootstrap over the images.

    Parameters
    ----------
    old, new : float64 arrays of shapes (n_old,), (n_new,)
        Silhouettes of images.
    paired
        Whether both arrays hold the same images in the same order; each is then drawn for both.

    Notes
    -----
    Efron, 1979: "Bootstrap methods: another look at the jackknife". The interval is the percentile
    interval; p is twice the share of resamples on the other side of zero.
    """
    random = np.random.RandomState(0)

    def resampled_means(values: Floats) -> Floats:
        resamples = (random.randint(len(values), size=len(values)) for _ in range(RESAMPLES))
        return np.array([values[rows].mean() for rows in resamples])

    if paired:
        differences = resampled_means(new - old)
    else:
        differences = resampled_means(new) - resampled_means(old)
    low, high = np.quantile(differences, [0.025, 0.975])
    sides = [(differences <= 0).sum(), (differences >= 0).sum()]
    p = min(1.0, 2 * (min(sides) + 1) / (RESAMPLES + 1))
    return Change(float(new.mean() - old.mean()), float(low), float(high), p)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple comparisons; NaN means that there was no test.

    Notes
    -----
    Holm, 1979: "A simple sequentially rejective multiple test procedure".
    """
    tested = sorted((i for i in range(len(p)) if p[i] == p[i]), key=p.__getitem__)
    adjusted = [np.nan] * len(p)
    largest = 0.0
    for rank, i in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def judge(
    changes: Sequence[Change | ErrorChange], real: str = REAL, noise: str = NOISE
) -> list[str]:
    """Give verdicts on changes, adjusted for their number.

    Parameters
    ----------
    real, noise
        Verdicts on significant and on other changes. `DIFFERS` and `CHANCE` are for changes that
        were tested on these images only.
    """
    adjusted = holm([change.p for change in changes])
    return [
        NONE if not change.difference else UNKNOWN if p != p else real if p <= LEVEL else noise
        for change, p in zip(changes, adjusted, strict=True)
    ]


def judge_by_name(
    changes: Mapping[Name, Change | ErrorChange], real: str = REAL, noise: str = NOISE
) -> dict[Name, str]:
    """Give verdicts on named changes, adjusted for their number; see `judge`."""
    return dict(zip(changes, judge(list(changes.values()), real, noise), strict=True))
