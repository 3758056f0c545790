"""kmeans: do clusters follow the labels, and how many would silhouettes choose?

    data/prepared → models/kmeans.skops, metrics/kmeans.json, plots/contingency.csv,
                    plots/silhouette.csv, plots/silhouette_samples.csv

    python -m stages.kmeans

One fit for each number of clusters; one matrix of distances for the silhouettes of all. A
cluster stands for the label that most of its images have, and clusters are numbered by that
label, so that a well clustered contingency matrix is a diagonal one.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances,
    silhouette_samples,
)
from sklearn.metrics.cluster import contingency_matrix

from stages.common import artifacts, fits, images, models, stage
from stages.common.errors import UserError
from stages.common.images import Labels, Pixels
from stages.common.settings import Settings
from stages.common.terminal import print_table


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters: refused below
        model = KMeans(n_clusters=k, n_init=n_init, random_state=seed).fit(pixels)
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
    dataset, kmeans = images.load(), params.kmeans
    _, pixels, labels = images.training_set(
        dataset, kmeans.samples, "kmeans.samples", dtype=params.data.dtype
    )
    # The longest fits first, so that no process is left waiting for one at the end.
    ks = sorted({*kmeans.k, kmeans.clusters}, reverse=True)
    fitted = dict(
        zip(
            ks,
            fits.run(
                f"kmeans: {kmeans.samples} images",
                cluster,
                [(f"k = {k}", (pixels, labels, k, kmeans.n_init, params.seed)) for k in ks],
            ),
            strict=True,
        )
    )
    distances = pairwise_distances(pixels)
    silhouettes = {
        k: silhouette_samples(distances, model.labels_, metric="precomputed")
        for k, model in fitted.items()
    }
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
