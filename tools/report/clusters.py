"""The clusters of a report: against the labels, and how many there are."""

from collections.abc import Iterator

from tools.pages.blocks import Bars, Block, Chart, Heading, Table, Text
from tools.pages.results import Results
from tools.report.findings import sample_count
from tools.report.pictures import picture


def clusters(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Clusters against labels."""
    kmeans = results.metrics["kmeans"]
    images = results.silhouettes(kmeans["clusters"])
    yield Heading("Clusters")
    yield Text(
        f"K-means puts {sample_count(kmeans)} images into {kmeans['clusters']} clusters without a "
        f"look at their labels. If each cluster stood for the label that most of its images have, "
        f"{kmeans['purity']:.1%} of the images would be named rightly (purity); the adjusted Rand "
        f"index is {kmeans['adjusted_rand']:.4f}, the normalized mutual information "
        f"{kmeans['normalized_mutual_info']:.4f} (1 is agreement, 0 chance)."
    )
    yield Table(
        "The clusters",
        ["cluster", "most of", "images", "of that label", "mean silhouette"],
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
    """How many clusters, and why."""
    kmeans = results.metrics["kmeans"]
    by_k = results.table("silhouette").set_index("k")["silhouette"]
    best = kmeans["best_k"]
    images = results.silhouettes(best)
    yield Heading("How many clusters?")
    others = by_k.drop(best)
    second = f"; next is {others.idxmax()} with {others.max():.4f}" if len(others) else ""
    yield Text(
        f"**{best}.** A silhouette says how much nearer an image is to its own cluster than to the "
        f"next one, from -1 to 1. Its mean over all images is largest for k = {best}, "
        f"{by_k[best]:.4f}{second}; for k = {kmeans['clusters']} it is {kmeans['silhouette']:.4f}."
    )
    cluster_of_label = images.groupby("label")["cluster"].agg(lambda clusters: clusters.mode()[0])
    groups = [
        ", ".join(name for name in results.labels if cluster_of_label.get(name) == number)
        for number in sorted(images["cluster"].unique())
    ]
    yield Text(
        f"These {best} clusters part the classes, by where most of their images are, into: "
        + "; ".join(group or "(no class of its own)" for group in groups)
        + "."
    )
    largest = int(by_k.index.max())
    if best != largest:
        yield Text(
            f"With {largest} clusters, the most that were tried, the mean is {by_k[largest]:.4f}: "
            "images are then nearer to the next cluster, measured by how near they are to their "
            "own."
        )
    yield Bars(
        "Mean silhouette by number of clusters",
        [f"k = {k}" for k in by_k.index],
        {"": by_k.tolist()},
    )
    yield charts.pop("plots/silhouette.csv")
    yield charts.pop("plots/silhouette_samples.csv")
