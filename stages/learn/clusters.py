"""K-means: clusters beside the true labels, and silhouettes of several clusterings at once."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances_chunked,
)
from sklearn.metrics.cluster import contingency_matrix

from stages.errors import UserError
from stages.learn.images import Labels, Pixels
from stages.learn.tasks import Run, Task, one_after_another

BLOCK = 64  # MB of distances at a time


def fit_all(
    pixels: Pixels,
    labels: Labels,
    ks: Iterable[int],
    n_init: int,
    seed: int,
    run: Run = one_after_another,
) -> dict[int, KMeans]:
    """Fit K-means for several numbers of clusters.

    Parameters
    ----------
    pixels
        Shape (n_images, n_pixels), from 0 to 1.
    labels
        True labels, shape (n_images,): they number the clusters but do not change them.
    ks
        Numbers of clusters.
    n_init
        Number of starts of each fit.
    seed
        Of the first centres.
    run
        Runs the fits.

    Returns
    -------
    dict of KMeans
        By number of clusters, ascending.

    Raises
    ------
    UserError
        If there are fewer different images than clusters.
    """
    ascending = sorted(set(ks))
    tasks = [Task(f"k = {k}", (pixels, labels, k, n_init, seed)) for k in ascending]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer clusters: `fit` refuses it
        fitted = run(f"{len(pixels)} images", fit, tasks)
    return dict(zip(ascending, fitted, strict=True))


def fit(pixels: Pixels, labels: Labels, k: int, n_init: int, seed: int) -> KMeans:
    """Fit K-means; clusters are numbered by the label that most of their images have, then by size.

    Parameters and errors are those of `fit_all`.
    """
    # Elkan's algorithm finds what Lloyd's does, and leaves out distances that cannot matter.
    model = KMeans(k, n_init=n_init, random_state=seed, algorithm="elkan").fit(pixels)
    different = len(np.unique(model.labels_))
    if different < k:
        raise UserError(
            f"params.yaml: the {len(pixels)} images of kmeans.samples cannot form {k} clusters, as "
            f"only {different} of them are distinct: lower kmeans.clusters and kmeans.k."
        )
    table = contingency_matrix(labels, model.labels_)
    numbering = np.lexsort((-table.sum(axis=0), table.argmax(axis=0)))
    model.cluster_centers_ = model.cluster_centers_[numbering]
    model.labels_ = np.argsort(numbering)[model.labels_].astype(model.labels_.dtype)
    return model


def silhouettes(pixels: Pixels, clusterings: Mapping[int, Labels]) -> dict[int, Pixels]:
    """Silhouettes of all images in several clusterings, from one pass over their distances.

    Parameters
    ----------
    pixels
        Shape (n_images, n_pixels).
    clusterings
        By number of clusters, the cluster of each image: shape (n_images,).

    Returns
    -------
    dict of float64 arrays of shape (n_images,)
        By number of clusters: (b - a) / max(a, b), where a is the mean distance to the other
        images of the same cluster and b the mean distance to the images of the nearest other
        cluster; 0 for an image alone in its cluster. scikit-learn's `silhouette_samples` gives
        the same.

    Notes
    -----
    Rousseeuw, 1987: "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis".
    """
    found: dict[int, Pixels] = {k: np.zeros(len(pixels)) for k in clusterings}

    def reduce(distances: Pixels, start: int) -> None:
        rows = slice(start, start + len(distances))
        for k, clusters in clusterings.items():
            found[k][rows] = _silhouettes(distances, clusters, clusters[rows], k)

    # Numbers of the type that counting wants, or each row would convert them again.
    clusterings = {k: clusters.astype(np.intp) for k, clusters in clusterings.items()}
    for _ in pairwise_distances_chunked(pixels, reduce_func=reduce, working_memory=BLOCK):
        pass
    return found


def _silhouettes(distances: Pixels, clusters: Labels, clusters_of_rows: Labels, k: int) -> Pixels:
    """Silhouettes of some images, from their distances to all images."""
    sizes = np.bincount(clusters, minlength=k)
    sums = np.array([np.bincount(clusters, row, k) for row in distances])
    same_cluster = np.arange(len(clusters_of_rows)), clusters_of_rows
    within = sums[same_cluster] / np.maximum(sizes[clusters_of_rows] - 1, 1)
    means = sums / sizes
    means[same_cluster] = np.inf
    nearest = means.min(axis=1)
    values = (nearest - within) / np.maximum(within, nearest)
    return np.where(sizes[clusters_of_rows] > 1, np.nan_to_num(values), 0)


def agreement(labels: Labels, clusters: Labels) -> dict[str, float]:
    """How well clusters agree with the true labels.

    Parameters
    ----------
    labels, clusters
        Shape (n_images,).

    Returns
    -------
    dict of float
        Adjusted Rand index, normalized mutual information, and purity: the share of images whose
        label is the commonest of their cluster.
    """
    table = contingency_matrix(labels, clusters)
    return {
        "adjusted_rand": float(adjusted_rand_score(labels, clusters)),
        "normalized_mutual_info": float(normalized_mutual_info_score(labels, clusters)),
        "purity": float(table.max(axis=0).sum() / len(labels)),
    }
