"""The report's sections on clusters: agreement with the labels, and the number of clusters."""

from collections.abc import Iterator

from tools.pages.blocks import Bars, Block, Chart, Heading, Table, Text
from tools.pages.results import Results
from tools.report.findings import sample_count
from tools.report.pictures import picture


def clusters(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Compare the clusters with the labels."""
    kmeans = results.metrics["kmeans"]
    images = results.silhouettes(kmeans["clusters"])
    yield Heading("Clusters")
    yield Text(
        f"K-means sorts {sample_count(kmeans)} images into {kmeans['clusters']} clusters and uses "
        "no labels. If every image got the majority label of its cluster, "
        f"{kmeans['purity']:.1%} of the images would get the right label (purity). The adjusted "
        f"Rand index is {kmeans['adjusted_rand']:.4f} (1 is agreement, 0 is chance). The "
        f"normalized mutual information is {kmeans['normalized_mutual_info']:.4f} (1 is agreement, "
        "0 is independence; it is not adjusted for chance)."
    )
    yield Table(
        "The clusters",
        ["cluster", "majority label", "images", "share of that label", "mean silhouette"],
        [
            [
                str(number),
                str(members["label"].mode()[0]),
                str(len(members)),
                f"{(members['label'] == members['label'].mode()[0]).mean():.0%}",
                f"{members['silhouette'].mean():.4f}",
            ]
            for number, members in images.groupby("cluster")
        ],
        3,
    )
    yield charts.pop("plots/contingency.csv")
    yield from picture(results, "centres", "Cluster centres")


def number_of_clusters(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Say which number of clusters has the largest mean silhouette."""
    kmeans = results.metrics["kmeans"]
    by_k = results.table("silhouette").set_index("k")["silhouette"]
    best = kmeans["best_k"]
    images = results.silhouettes(best)
    yield Heading("How many clusters?")
    others = by_k.drop(best)
    second = f", followed by k = {others.idxmax()} with {others.max():.4f}" if len(others) else ""
    yield Text(
        f"**{best}.** An image's silhouette, from -1 to 1, says how much nearer the image is to "
        "its own cluster than to the nearest other cluster. The mean silhouette is largest for "
        f"k = {best}, {by_k[best]:.4f}{second}. For k = {kmeans['clusters']} the mean is "
        f"{kmeans['silhouette']:.4f}."
    )
    cluster_of_label = images.groupby("label")["cluster"].agg(lambda clusters: clusters.mode()[0])
    groups = [
        ", ".join(name for name in results.labels if cluster_of_label.get(name) == number)
        for number in sorted(images["cluster"].unique())
    ]
    yield Text(
        f"If each class goes to the cluster that holds most of its images, the {best} clusters "
        f"hold these classes: {'; '.join(group or '(no class)' for group in groups)}."
    )
    largest = int(by_k.index.max())
    if best != largest:
        yield Text(
            f"With {largest} clusters, the largest number tried, the mean silhouette is "
            f"{by_k[largest]:.4f}: its clusters are less well separated than those of k = {best}."
        )
    yield Bars(
        "Mean silhouette by number of clusters",
        [f"k = {k}" for k in by_k.index],
        {"": by_k.tolist()},
    )
    yield charts.pop("plots/silhouette.csv")
    yield charts.pop("plots/silhouette_samples.csv")
