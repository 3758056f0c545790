"""Is a difference more than chance? Two questions, and it is real only if both say so.

Do these two fitted models differ on these test images (exact McNemar)? And would the difference
survive other training images and first weights (Welch, on the errors of other draws)?
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from stages.learn import scores
from stages.learn.images import Labels

LEVEL = 0.05
RESAMPLES = 5000
REAL, NOISE = "real", "within the noise of the seed"
DIFFERS, CHANCE = "differs on these images", "within the noise of these images"
NONE, UNKNOWN = "no difference", "not known"
SMALLEST_MOVE = 1e-9  # of a score; what is less is rounding

Name = TypeVar("Name")
Floats = npt.NDArray[np.float64]


class Change(NamedTuple):
    """What became of a number.

    Attributes
    ----------
    difference
        New less old.
    low, high
        Its interval at 95 %.
    p
        How likely it is by chance; NaN if that was not measured.
    """

    difference: float
    low: float
    high: float
    p: float


class ErrorChange(NamedTuple):
    """What became of a model's test error.

    Attributes
    ----------
    difference, margin
        New error less old one, and half the width of its interval at 95 %, on these images.
    p_images
        How likely, if these two fitted models were equally good.
    p_draws
        How likely errors of other draws so far apart, if nothing but the draws differed; 1 if
        they lie apart the other way round, NaN if a revision has none.
    """

    difference: float
    margin: float
    p_images: float
    p_draws: float

    @property
    def p(self) -> float:
        """Of both questions: no larger than the level only if neither is.

        NaN if the second would decide, and was not measured.
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
    """Ask both questions of a model.

    Parameters
    ----------
    actual, old, new : int arrays of shape (n_images,)
        True labels, and what the old and the new model predicted.
    old_noise, new_noise
        Of the model, from `metrics/noise.json`; None where a revision has none.
    """
    difference, margin, p = scores.mcnemar(actual, new, old)
    if old_noise is None or new_noise is None:
        return ErrorChange(difference, margin, p, np.nan)
    moved = new_noise["test_error_mean"] - old_noise["test_error_mean"]
    p_draws = welch_p_value(old_noise, new_noise) if difference * moved > 0 else 1.0
    return ErrorChange(difference, margin, p, p_draws)


def welch_p_value(old: dict[str, Any], new: dict[str, Any]) -> float:
    """How likely errors so far apart on other draws are, if nothing but the draws differs.

    Parameters
    ----------
    old, new
        `draws`, `test_error_mean` and `test_error_std` of a model, from `metrics/noise.json`.

    Notes
    -----
    Welch, 1947: "The generalization of 'Student's' problem when several different population
    variances are involved". Two revisions with one seed have the same draws; they are compared as
    if they were others, which makes the test less sure than it could be, never too sure. Draws
    that never move an error tell nothing of others (NaN), unless they all agree.
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
    generalization error", with test sets of 1/(n - 1) of the training sets). Folds that all move
    as far tell nothing of others (p is NaN), unless none does.
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
    """Compare two mean silhouettes, by a bootstrap over the images.

    Parameters
    ----------
    old, new : float64 arrays of shapes (n_old,), (n_new,)
        Silhouettes of images.
    paired
        Whether they are of the same images, in the same order, which are then drawn together.

    Notes
    -----
    Efron, 1979: "Bootstrap methods: another look at the jackknife"; the interval is that of
    percentiles, p twice the share of resamples on the other side of zero.
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
    """Adjust the p-values of tests that are looked at together; NaN is no test.

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
    """Verdicts on changes that are looked at together.

    Parameters
    ----------
    real, noise
        For what is more than chance, and for what is not: `DIFFERS` and `CHANCE` where nothing
        but these images was asked.
    """
    adjusted = holm([change.p for change in changes])
    return [
        NONE if not change.difference else UNKNOWN if p != p else real if p <= LEVEL else noise
        for change, p in zip(changes, adjusted, strict=True)
    ]


def judge_by_name(
    changes: Mapping[Name, Change | ErrorChange], real: str = REAL, noise: str = NOISE
) -> dict[Name, str]:
    """Verdicts on changes that are looked at together, by their names; see `judge`."""
    return dict(zip(changes, judge(list(changes.values()), real, noise), strict=True))
