"""kmeans: do clusters follow the labels, and how many would silhouettes choose?

    data/prepared → models/kmeans.skops, metrics/kmeans.json, plots/contingency.csv,
                    plots/silhouette.csv, plots/silhouette_samples.csv

    python -m stages.kmeans

One fit for each number of clusters; one pass over the distances for the silhouettes of all. A
cluster stands for the label that most of its images have, and clusters are numbered by that
label, so that a well clustered contingency matrix is a diagonal one.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances_chunked,
)
from sklearn.metrics.cluster import contingency_matrix

from stages.errors import UserError
from stages.files import artifacts, models, prepared
from stages.files.settings import Kmeans, Settings
from stages.learn import images
from stages.learn.images import Labels, Pixels
from stages.run import fits, memory, stage
from stages.run.terminal import print_table

BLOCK = 64  # MB of distances at a time
PER_PIXEL = 2e-9  # seconds for each pixel, start and cluster


def expected(size: int, kmeans: Kmeans) -> dict[int, float]:
    """About how long fits take, in seconds, by number of clusters, for so many pixels in all."""
    ks = sorted({*kmeans.k, kmeans.clusters})
    return {k: size * kmeans.n_init * (k + 2) * PER_PIXEL for k in ks}


def taken(samples: int, pixels: int, kmeans: Kmeans, dtype: str) -> float:
    """Bytes that fits of so many images take, at most.

    Notes
    -----
    The images, twice while they are scaled; for each fit at a time a copy of them with their mean
    taken off, besides which there are at first their variances, later Elkan's bounds. Then blocks
    of distances.
    """
    itemsize = np.dtype(dtype).itemsize
    at_once = min(fits.here(), len({*kmeans.k, kmeans.clusters}))
    bounds = max(*kmeans.k, kmeans.clusters)
    fit = pixels + max(pixels, bounds)
    besides = max(samples * max(pixels, at_once * fit) * itemsize, BLOCK * 2**20)
    return samples * pixels * itemsize + besides


def fit_all(pixels: Pixels, labels: Labels, kmeans: Kmeans, seed: int) -> dict[int, KMeans]:
    """Fit K-means for every number of clusters that is asked for.

    Parameters
    ----------
    pixels : array of shape (n_images, n_pixels)
        From 0 to 1.
    labels : int64 array of shape (n_images,)
        True labels, by which clusters are numbered but not found.
    kmeans : Kmeans
        Numbers of clusters, and of starts.
    seed : int
        First centres.

    Returns
    -------
    dict of KMeans, by number of clusters
    """
    seconds = expected(pixels.size, kmeans)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters: refused by `cluster`
        fitted = fits.run(
            f"kmeans: {len(pixels)} images",
            cluster,
            [
                fits.Task(f"k = {k}", (pixels, labels, k, kmeans.n_init, seed), seconds[k])
                for k in seconds
            ],
            threads=True,
        )
    return dict(zip(seconds, fitted, strict=True))


def cluster(pixels: Pixels, labels: Labels, k: int, n_init: int, seed: int) -> KMeans:
    """Fit K-means, its clusters numbered by the label they stand for, then by size.

    Parameters
    ----------
    pixels : array of shape (n_images, n_pixels)
    labels : int64 array of shape (n_images,)
        True labels, by which the clusters are numbered but not found.
    k, n_init, seed : int
        Number of clusters, number of starts, first centres.

    Returns
    -------
    KMeans

    Raises
    ------
    UserError
        If there are fewer different images than clusters.
    """
    # Elkan's algorithm finds what Lloyd's does, and leaves out distances that cannot matter.
    model = KMeans(k, n_init=n_init, random_state=seed, algorithm="elkan").fit(pixels)
    found = len(np.unique(model.labels_))
    if found < k:
        raise UserError(
            f"params.yaml: the {len(pixels)} images of kmeans.samples make no {k} clusters: only "
            f"{found} of them differ; ask for fewer in kmeans.clusters and kmeans.k."
        )
    table = contingency_matrix(labels, model.labels_)
    numbering = np.lexsort((-table.sum(axis=0), table.argmax(axis=0)))
    model.cluster_centers_ = model.cluster_centers_[numbering]
    model.labels_ = np.argsort(numbering)[model.labels_].astype(model.labels_.dtype)
    return model


def silhouettes_of(pixels: Pixels, clusterings: Mapping[int, Labels]) -> dict[int, Pixels]:
    """Silhouettes of all images in several clusterings, from one pass over their distances.

    Parameters
    ----------
    pixels : array of shape (n_images, n_pixels)
    clusterings : dict of int arrays of shape (n_images,)
        By number of clusters, for each image the number of its cluster.

    Returns
    -------
    dict of float64 arrays of shape (n_images,)
        By number of clusters; (b - a) / max(a, b), where a is the mean distance to the other
        images of the same cluster, b that to those of the nearest other one, and 0 for an image
        alone in its cluster (Rousseeuw 1987), as scikit-learn's `silhouette_samples` gives them.
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


def _silhouettes(distances: Pixels, clusters: Labels, own: Labels, k: int) -> Pixels:
    """Silhouettes of some images: their distances to all, the clusters of all and their own."""
    sizes = np.bincount(clusters, minlength=k)
    sums = np.array([np.bincount(clusters, row, k) for row in distances])
    here = np.arange(len(own)), own
    within = sums[here] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[here] = np.inf
    nearest = means.min(axis=1)
    values = (nearest - within) / np.maximum(within, nearest)
    return np.where(sizes[own] > 1, np.nan_to_num(values), 0)


def silhouette_table(
    k: int, clusters: Labels, silhouettes: Pixels, labels: Labels, names: list[str]
) -> pd.DataFrame:
    """Each image's silhouette, ranked within its cluster, the highest first."""
    order = np.lexsort((-silhouettes, clusters))
    sizes = np.bincount(clusters, minlength=k)
    return pd.DataFrame(
        {
            "k": k,
            "cluster": clusters[order],
            "rank": np.concatenate([np.arange(size) for size in sizes]),
            "image": order,
            "label": np.array(names)[labels[order]],
            "silhouette": silhouettes[order],
        }
    )


def contingency_table(table: Labels, names: list[str]) -> pd.DataFrame:
    """Number of images of each label in each cluster, one row for each pair."""
    return pd.DataFrame(
        [
            (name, number, count)
            for name, row in zip(names, table, strict=True)
            for number, count in enumerate(row)
        ],
        columns=["label", "cluster", "count"],
    )


def main(params: Settings) -> None:
    """Fit every number of clusters; write model, metrics and tables."""
    dataset, kmeans = prepared.load(), params.kmeans
    size, dtype = dataset.test_images[0].size, params.data.dtype
    memory.check(
        kmeans.samples, "kmeans.samples", lambda samples: taken(samples, size, kmeans, dtype)
    )
    chosen, labels = images.training_set(dataset, kmeans.samples, "kmeans.samples")
    pixels = images.scaled(chosen, dtype)
    fits.announce("kmeans", sum(expected(pixels.size, kmeans).values()))
    fitted = fit_all(pixels, labels, kmeans, params.seed)
    silhouettes = silhouettes_of(pixels, {k: model.labels_ for k, model in fitted.items()})
    scores = {k: float(silhouettes[k].mean()) for k in kmeans.k}
    best_k = max(kmeans.k, key=lambda k: scores[k])
    found = fitted[kmeans.clusters].labels_
    table = contingency_matrix(labels, found)
    metrics = {
        "samples": kmeans.samples,
        "clusters": kmeans.clusters,
        "silhouette": float(silhouettes[kmeans.clusters].mean()),
        "adjusted_rand": float(adjusted_rand_score(labels, found)),
        "normalized_mutual_info": float(normalized_mutual_info_score(labels, found)),
        "purity": float(table.max(axis=0).sum() / len(labels)),
        "best_k": best_k,
        "best_silhouette": scores[best_k],
    }

    models.write(Path("models/kmeans.skops"), fitted[kmeans.clusters])
    artifacts.write_json(Path("metrics/kmeans.json"), metrics)
    artifacts.write_table(Path("plots/contingency.csv"), contingency_table(table, dataset.labels))
    artifacts.write_table(
        Path("plots/silhouette.csv"),
        pd.DataFrame({"k": kmeans.k, "silhouette": [scores[k] for k in kmeans.k]}),
    )
    profiles = [
        silhouette_table(k, fitted[k].labels_, silhouettes[k], labels, dataset.labels)
        for k in sorted({kmeans.clusters, best_k}, reverse=True)
    ]
    artifacts.write_table(Path("plots/silhouette_samples.csv"), pd.concat(profiles))
    print_table(
        f"kmeans: {dataset.name}, what {kmeans.clusters} clusters of {kmeans.samples} images hold",
        ["cluster", "images", "stands for", "of which"],
        [
            [number, sum(column), dataset.labels[np.argmax(column)], max(column)]
            for number, column in enumerate(table.T)
        ],
    )
    print_table(
        "kmeans: silhouettes", ["k", "silhouette"], [[k, f"{s:.6f}"] for k, s in scores.items()]
    )
    print_table("kmeans: results", ["", ""], [[key, value] for key, value in metrics.items()])


if __name__ == "__main__":
    stage.run(main)
