"""Scores of predictions, and how sure one can be of them."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from stages.learn.images import Labels

Z95 = 1.959963984540054  # 97.5 % of the normal distribution lie below


def error(actual: Labels, predicted: Labels) -> float:
    """Fraction of the images that are given a wrong label."""
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


def mcnemar(actual: Labels, first: Labels, second: Labels) -> tuple[float, float, float]:
    """Compare two models on the same images.

    Returns
    -------
    difference : float
        Error of the first less error of the second.
    margin : float
        Half the width of its interval at 95 %, from paired differences.
    p : float
        Exact McNemar: how likely a split of the disagreements at least as uneven is, if
        neither model were better.

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


def table(names: list[str], actual: Labels, predicted: Labels) -> pd.DataFrame:
    """Predictions beside the truth, by the names of the classes.

    Returns
    -------
    DataFrame with columns actual and predicted, a row for each image in its order
    """
    by_label = np.array(names)
    return pd.DataFrame({"actual": by_label[actual], "predicted": by_label[predicted]})
