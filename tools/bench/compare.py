"""Describe in one sentence how much two results differ."""

import numpy as np

from tools.bench.notebook import Array, Arrays


def means(one: Arrays, other: Arrays) -> str:
    """Count the equal mean accuracies of two searches."""
    differences = np.abs(one["means"] - other["means"])
    # Sums over the same folds may round differently.
    equal = int((differences < 1e-12).sum())
    rest = f", the others up to {differences.max():.4f} apart" if equal < len(differences) else ""
    return f"{equal} of {len(differences)} mean accuracies equal{rest}"


def scores(one: Arrays, other: Arrays) -> str:
    """List the mean accuracies of both; rounding changes when networks of two layers stop."""
    listed = (", ".join(f"{mean:.4f}" for mean in arrays["means"]) for arrays in (one, other))
    return f"mean accuracies {' beside '.join(listed)}"


def weights(one: Arrays, other: Arrays) -> str:
    """Compare two networks weight by weight."""
    layers = [[a[name] for name in sorted(a) if name.startswith("weights")] for a in (one, other)]
    if len({tuple(array.shape for array in arrays) for arrays in layers}) > 1:
        return "another architecture won"
    return f"weights {closeness(*layers)}"


def machines(one: Arrays, other: Arrays) -> str:
    """Compare support vectors, coefficients and predictions of two SVMs."""
    predictions = [np.concatenate([a["predicted"], a["retold"]]) for a in (one, other)]
    differ = int((predictions[0] != predictions[1]).sum())
    predicted = f"{differ or 'none'} of {len(predictions[0])} predictions differ"
    if not np.array_equal(one["support"], other["support"]):
        return f"other support vectors; {predicted}"
    fitted = [[a["coefficients"], a["intercepts"]] for a in (one, other)]
    return f"the same support vectors, coefficients {closeness(*fitted)}; {predicted}"


def clusters(one: Arrays, other: Arrays) -> str:
    """Compare clusters, whatever their numbering, and their silhouettes."""
    names = [name for name in one if name.startswith("labels")]
    equal = sum(same_partition(one[name], other[name]) for name in names)
    silhouettes = closeness([one["silhouettes"]], [other["silhouettes"]])
    return f"the same clusters for {equal} of {len(names)} k; silhouettes {silhouettes}"


def same_partition(one: Array, other: Array) -> bool:
    """Whether two labelings mean the same clusters, perhaps numbered differently."""
    pairs_of_numbers = len(np.unique(np.stack([one, other]), axis=1).T)
    return pairs_of_numbers == len(np.unique(one)) == len(np.unique(other))


def closeness(ones: list[Array], others: list[Array]) -> str:
    """Say by how much two lists of arrays differ at most."""
    pairs = list(zip(ones, others, strict=True))
    if all(np.array_equal(a, b) for a, b in pairs):
        return "equal to the last bit"
    return f"at most {max(np.abs(a - b).max() for a, b in pairs):.1g} apart"
