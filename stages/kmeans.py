"""kmeans: do clusters follow the labels, and how many would silhouettes choose?

    data/prepared → models/kmeans.skops, metrics/kmeans.json, plots/contingency.csv,
                    plots/silhouette.csv, plots/silhouette_samples.csv

    python -m stages.kmeans

Each number of clusters gets one fit, the best of `kmeans.n_init` initialisations. One pass over the
distances gives the silhouettes of all clusterings. A cluster stands for the label that most of its
images have, and clusters are numbered by that label: good clusters make a diagonal contingency
matrix.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import contingency_matrix

from stages.files import artifacts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import clusters, images
from stages.run import fits, forecast, records, stage
from stages.run.terminal import print_table
from stages.run.time_needed import announce, clustering_seconds


def main(params: Settings) -> None:
    """Fit every number of clusters; write model, metrics and tables."""
    dataset, kmeans = prepared.load(), params.kmeans
    forecast.check_clusterings(dataset, kmeans, params.data.dtype)
    chosen, labels = images.training_set(dataset, kmeans.samples, "kmeans.samples")
    pixels = images.scaled(chosen, params.data.dtype)

    record = records.of_this_clone("kmeans")
    calls = {k: (pixels, labels, k, kmeans.n_init, params.seed) for k in kmeans.k}
    # The record keeps the mean silhouette of each fit.
    means = record.known(clusters.fit, calls)
    records.tell("kmeans: silhouettes", len(means), len(calls))
    # Of a known number of clusters only the mean is known: its model and its profile need a fit.
    ks = {k for k in kmeans.k if k not in means} | {kmeans.clusters}
    if means:
        ks.add(max(means, key=lambda k: means[k]))
    announce("kmeans", clustering_seconds(pixels.size, ks, kmeans.n_init))
    fitted = clusters.fit_all(
        pixels, labels, ks, kmeans.n_init, params.seed, fits.in_threads("kmeans")
    )
    silhouettes = clusters.silhouettes(pixels, {k: m.labels_ for k, m in fitted.items()})
    for k in calls.keys() - means.keys():
        means[k] = float(silhouettes[k].mean())
        record.keep(clusters.fit, calls[k], means[k])
    best_k = max(kmeans.k, key=lambda k: means[k])
    model = fitted[kmeans.clusters]
    table = contingency_matrix(labels, model.labels_)
    metrics = {
        "samples": kmeans.samples,
        "clusters": kmeans.clusters,
        "silhouette": float(silhouettes[kmeans.clusters].mean()),
        **clusters.agreement(labels, model.labels_),
        "best_k": best_k,
        "best_silhouette": means[best_k],
    }

    models.write(Path("models/kmeans.skops"), model)
    artifacts.write_json(Path("metrics/kmeans.json"), metrics)
    artifacts.write_table(Path("plots/contingency.csv"), tables.contingency(table, dataset.labels))
    artifacts.write_table(
        Path("plots/silhouette.csv"), tables.mean_silhouettes({k: means[k] for k in kmeans.k})
    )
    profiles = [
        tables.silhouettes_of_images(k, fitted[k].labels_, silhouettes[k], labels, dataset.labels)
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
        "kmeans: silhouettes", ["k", "silhouette"], [[k, f"{means[k]:.6f}"] for k in kmeans.k]
    )
    print_table("kmeans: results", ["", ""], [[key, value] for key, value in metrics.items()])


if __name__ == "__main__":
    stage.run(main)
