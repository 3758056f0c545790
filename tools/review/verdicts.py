"""Decide whether a score differs by more than chance, on these images alone.

Accuracies in cross-validation and silhouettes are not computed on other draws.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from stages.learn.paired import LEVEL

RESAMPLES = 5000
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


def judge(changes: Mapping[Name, Change]) -> dict[Name, str]:
    """Give verdicts on named changes, adjusted for their number."""
    adjusted = holm([change.p for change in changes.values()])
    return {
        name: NONE
        if not change.difference
        else UNKNOWN
        if p != p
        else DIFFERS
        if p <= LEVEL
        else CHANCE
        for (name, change), p in zip(changes.items(), adjusted, strict=True)
    }
