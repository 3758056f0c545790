"""Which of two models has the smaller test error? Both err on the same images, draw by draw.

Draws of training images and test images are crossed random effects: after every draw a model meets
every test image. What is estimated is the mean error over all draws and images that there could be
(on what to vary: Bouthillier et al., 2021, "Accounting for variance in machine learning
benchmarks", arXiv:2103.03098).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from stages.learn.images import Labels

Floats = npt.NDArray[np.float64]

LEVEL = 0.05  # probability that an interval misses the true difference
POWER = 0.8  # with which a change shows that is said to show
BETTER, WORSE = "better", "worse"
SAME, OPEN = "no change that matters", "too close to call"


class Fits(NamedTuple):
    """What the fits of a model to its draws get wrong.

    Attributes
    ----------
    wrong
        Whether a fit gets a test image wrong, shape (n_fits, n_images).
    blocks
        Number of blocks of training images: fit i is to block i modulo this number.
    """

    wrong: npt.NDArray[np.bool_]
    blocks: int

    def of_blocks(self) -> Floats:
        """Mean errors of the fits to each block, shape (min(n_fits, blocks), n_images)."""
        used = min(len(self.wrong), self.blocks)
        means = [self.wrong[first :: self.blocks].mean(axis=0) for first in range(used)]
        return np.reshape(means, (used, self.wrong.shape[1]))

    def failed(self, labels: Labels) -> bool:
        """Whether a fit is no better than always giving the commonest of the true labels."""
        commonest = np.bincount(labels).max() / len(labels)
        return bool((self.wrong.mean(axis=1) >= 1 - commonest).any())


class Estimate(NamedTuple):
    """A mean difference of two errors, and how sure it is.

    Attributes
    ----------
    difference
        New error minus old error.
    variance
        Of that difference.
    freedom
        Its degrees of freedom; infinite if it is 0.
    of_images
        The part of this variance that more draws would not make smaller.
    of_draws, freedom_of_draws
        Variance that the draws alone imply, and its degrees of freedom.
    draws
        Number of draws, the smaller one if the revisions have different numbers.
    """

    difference: float
    variance: float
    freedom: float
    of_images: float
    of_draws: float
    freedom_of_draws: float
    draws: int

    def margin(self, level: float = LEVEL) -> float:
        """Half the width of the interval that misses the true difference with this probability."""
        variances = np.array([self.variance, self.of_draws])
        freedoms = np.array([self.freedom, self.freedom_of_draws])
        return float(np.max(stats.t.ppf(1 - level / 2, freedoms) * np.sqrt(variances)))

    def shows(self, level: float = LEVEL) -> float:
        """Smallest true difference that is called better or worse in four cases of five."""
        return self.margin(level) + float(stats.t.ppf(POWER, self.freedom) * np.sqrt(self.variance))

    def verdict(self, matters: float, level: float = LEVEL) -> str:
        """Say whether the new model is better, the same for all that matters, or not known to be.

        Parameters
        ----------
        matters
            Size of a difference that matters.
        level
            Of the interval.
        """
        margin = self.margin(level)
        if abs(self.difference) > margin:
            return WORSE if self.difference > 0 else BETTER
        return SAME if abs(self.difference) + margin < matters else OPEN


def estimate(old: Floats, new: Floats, same_draws: bool) -> Estimate:
    """By how much the error differs on other draws and other test images.

    Parameters
    ----------
    old, new
        Errors on the same images, shapes (n_draws_old, n_images) and (n_draws_new, n_images), of
        at least two draws each.
    same_draws
        Whether draw r of both is to the same training images. A draw that only one has is left out.

    Notes
    -----
    With the mean squares of the two-way table of differences, R draws by n images, the variance of
    the mean is (MS_draws + MS_images - MS_rest) / (R n), as in Searle, Casella and McCulloch, 1992:
    "Variance components", chapter 4. Variances are not negative, so it is at least MS_draws / (R
    n), and at least MS_images / (R n). An interval is no narrower than the one that MS_draws alone
    implies: where few draws agree by chance, degrees of freedom are overestimated, which tells at
    the small levels of many comparisons. Where draws are not the same, either revision has its own
    MS_draws - MS_rest, and MS_images is that of the difference of mean errors. Degrees of freedom
    are Satterthwaite's (1946: "An approximate distribution of estimates of variance components").
    """
    fewest = min(len(old), len(new))
    tables = [new[:fewest] - old[:fewest]] if same_draws else [new, -old]
    count = old.shape[1]
    means = np.sum([table.mean(axis=0) for table in tables], axis=0)
    images = float(np.var(means, ddof=1)) / count
    squares = [_of_draws_and_rest(table) for table in tables]
    draws, rest = (sum(parts) for parts in zip(*squares, strict=True))
    variance = max(images + draws - rest, images, draws)
    spread_of_draws = sum(
        between**2 / (len(table) - 1) for table, (between, _) in zip(tables, squares, strict=True)
    )
    spread = (
        images**2 / (count - 1)
        + spread_of_draws
        + sum(
            within**2 / (len(table) - 1) / (count - 1)
            for table, (_, within) in zip(tables, squares, strict=True)
        )
    )
    return Estimate(
        difference=float(means.mean()),
        variance=variance,
        freedom=variance**2 / spread if variance else np.inf,
        of_images=max(images - rest, 0.0),
        of_draws=draws,
        freedom_of_draws=draws**2 / spread_of_draws if spread_of_draws else np.inf,
        draws=fewest,
    )


def _of_draws_and_rest(table: Floats) -> tuple[float, float]:
    """Mean squares of draws and of the rest, both by the size of a table of draws by images."""
    of_draws, of_images = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_draws[:, None] - of_images + table.mean()
    freedom = (len(of_draws) - 1) * (len(of_images) - 1)
    return (
        float(np.var(of_draws, ddof=1)) / len(of_draws),
        float(np.square(rest).sum()) / freedom / table.size,
    )
