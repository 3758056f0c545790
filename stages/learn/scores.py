"""Scores of predictions, and their confidence intervals."""

import numpy as np
from scipy.stats import binomtest

from stages.learn.images import Labels

Z95 = 1.959963984540054  # 97.5 % of the normal distribution lie below


def error(actual: Labels, predicted: Labels) -> float:
    """Share of the images that are given a wrong label."""
    return float((actual != predicted).mean())


def wilson_margin(actual: Labels, predicted: Labels) -> float:
    """Half the width of the Wilson interval of the error, at 95 %.

    Notes
    -----
    Wilson, 1927: "Probable inference, the law of succession, and statistical inference".
    """
    wrong = int((actual != predicted).sum())
    interval = binomtest(wrong, len(actual)).proportion_ci(0.95, method="wilson")
    return float(interval.high - interval.low) / 2


def of_test_images(actual: Labels, predicted: Labels) -> dict[str, float]:
    """Test error, and half the width of its interval at 95 %."""
    return {
        "test_error": error(actual, predicted),
        "test_error_margin95": wilson_margin(actual, predicted),
    }


def mcnemar(actual: Labels, first: Labels, second: Labels) -> tuple[float, float, float]:
    """Compare two models on the same images.

    Returns
    -------
    difference : float
        Error of the first less error of the second.
    margin : float
        Half the width of its interval at 95 %, from paired differences.
    p : float
        Exact McNemar: the probability that the disagreements split at least as unevenly if
        neither model is better.

    Notes
    -----
    McNemar, 1947: "Note on the sampling error of the difference between correlated proportions
    or percentages"; the interval is Wald's for paired proportions (Agresti, "Categorical Data
    Analysis", 10.1).
    """
    only_first = int(((first != actual) & (second == actual)).sum())
    only_second = int(((first == actual) & (second != actual)).sum())
    count, disagreements = len(actual), only_first + only_second
    difference = (only_first - only_second) / count
    variance = (disagreements / count - difference**2) / count
    p = binomtest(only_first, disagreements).pvalue if disagreements else 1.0
    return difference, Z95 * float(np.sqrt(variance)), float(p)
