"""Compare the clusters of two revisions, matched by the images that they share."""

from collections.abc import Iterator
from itertools import count

import pandas as pd
from scipy.optimize import linear_sum_assignment

from tools.pages import confusion
from tools.pages.blocks import Bars, Block, Chart, Folded, Heading, Table, Text
from tools.pages.results import Results, contingency

SILHOUETTE = "plots/silhouette.csv"
SILHOUETTES_OF_IMAGES = "plots/silhouette_samples.csv"
CONTINGENCY = "plots/contingency.csv"


def clusters(old: Results, new: Results, charts: dict[str, list[Chart]]) -> Iterator[Block]:
    """Compare silhouettes by number of clusters, then the clusters themselves."""
    yield Heading("Clusters")
    if not charts.keys() & {SILHOUETTE, SILHOUETTES_OF_IMAGES, CONTINGENCY}:
        yield Text("The same in both.")
        return
    if SILHOUETTE in charts:
        yield from _by_number(old, new)
    yield from charts.pop(SILHOUETTE, [])
    before, after = (r.silhouettes(r.metrics["kmeans"]["clusters"]) for r in (old, new))
    partners = matched(before["cluster"], after["cluster"]) if old.data == new.data else {}
    yield _profile(before, after, partners)
    yield from charts.pop(SILHOUETTES_OF_IMAGES, [])
    if partners:
        yield Text(
            "The review renumbers the new clusters. Each gets the number of the old cluster that "
            "it is matched with, so that matched clusters share as many images as possible."
        )
    if CONTINGENCY in charts:
        yield _against_labels(old, new, partners)
    for chart in charts.pop(CONTINGENCY, []):
        yield _renumbered(chart, new.name, partners)


def _by_number(old: Results, new: Results) -> Iterator[Block]:
    """Compare the mean silhouettes of all k that either revision tried."""
    before, after = (
        r.table("silhouette").set_index("k")["silhouette"].to_dict() for r in (old, new)
    )
    title = "Mean silhouette by number of clusters"
    yield Table(
        title,
        ["k", "old", "new", "change"],
        [
            [
                str(k),
                *(f"{means[k]:.4f}" if k in means else "–" for means in (before, after)),
                f"{after[k] - before[k]:+.4f}" if k in before and k in after else "",
            ]
            for k in sorted({**before, **after})
        ],
        3,
    )
    in_both = [k for k in before if k in after]
    if in_both:
        yield Bars(
            title,
            [f"k = {k}" for k in in_both],
            {"old": [before[k] for k in in_both], "new": [after[k] for k in in_both]},
        )


def _against_labels(old: Results, new: Results, partners: dict[int, int]) -> Folded:
    """Count the images of each label in each cluster; matched clusters share a column."""
    before, after = contingency(old), contingency(new).rename(columns=partners)
    columns = sorted({*before.columns, *after.columns})
    labels = [*before.index, *(label for label in after.index if label not in before.index)]
    counts = [table.reindex(labels, columns=columns, fill_value=0) for table in (before, after)]
    table = Table(
        "",
        ["", *(str(cluster) for cluster in columns)],
        confusion.changes(labels, *(table.to_numpy() for table in counts)),
        len(columns),
    )
    return Folded("Images of each label in each cluster, old → new where they differ", [table])


def matched(old: "pd.Series[int]", new: "pd.Series[int]") -> dict[int, int]:
    """Match each new cluster with one old cluster, so that most images are shared in total.

    Parameters
    ----------
    old, new
        Cluster of each image, indexed by the image's place in the file.

    Returns
    -------
    dict
        Number of the old cluster for each new cluster. New clusters without a partner get numbers
        that no old cluster has. The dict is empty if the revisions share no image.

    Notes
    -----
    Kuhn, 1955: "The Hungarian method for the assignment problem".
    """
    shared = pd.crosstab(*new.align(old, join="inner"))
    if shared.empty:
        return {}
    rows, columns = linear_sum_assignment(shared, maximize=True)
    partners = dict(zip(shared.index[rows], shared.columns[columns], strict=True))
    without_partner = sorted({*new} - {*partners})
    unused = (number for number in count() if number not in {*old})
    pairs = [*partners.items(), *zip(without_partner, unused, strict=False)]
    return {int(new_cluster): int(old_cluster) for new_cluster, old_cluster in pairs}


def _profile(old: pd.DataFrame, new: pd.DataFrame, partners: dict[int, int]) -> Table:
    """Compare size, majority label and silhouette of matched clusters."""
    renumbered = new.replace({"cluster": partners}) if partners else new
    tables = [
        pd.DataFrame(
            {
                "images": clusters.size(),
                "majority": clusters["label"].agg(lambda labels: labels.mode()[0]),
                "silhouette": clusters["silhouette"].mean(),
            }
        )
        for clusters in (images.groupby("cluster") for images in (old, renumbered))
    ]
    return Table(
        "Clusters, old and new",
        [
            "cluster",
            "majority label, old",
            "majority label, new",
            "images, old",
            "images, new",
            "mean silhouette, old",
            "mean silhouette, new",
        ],
        [
            [
                str(cluster),
                *(t["majority"].get(cluster, "–") for t in tables),
                *(str(t["images"].to_dict().get(cluster, "–")) for t in tables),
                *(f"{t['silhouette'][cluster]:.4f}" if cluster in t.index else "–" for t in tables),
            ]
            for cluster in sorted({*tables[0].index, *tables[1].index})
        ],
        4,
    )


def _renumbered(chart: Chart, name: str, partners: dict[int, int]) -> Chart:
    """Renumber the clusters of one revision in a chart."""
    values = [
        {**row, "cluster": str(partners.get(int(row["cluster"]), int(row["cluster"])))}
        if row["rev"] == name
        else row
        for row in chart.spec["data"]["values"]
    ]
    return Chart(chart.title, chart.spec | {"data": {"values": values}})
