"""Clusters of two revisions, matched by the images that they share."""

from collections.abc import Iterator
from itertools import count

import pandas as pd
from scipy.optimize import linear_sum_assignment

from tools.pages import confusion
from tools.pages.blocks import Bars, Block, Chart, Heading, Table, Text
from tools.pages.results import Results, contingency


def clusters(old: Results, new: Results, drawn: dict[str, list[Chart]]) -> Iterator[Block]:
    """Silhouettes by number of clusters, their profiles, and clusters against labels."""
    yield Heading("Clusters")
    files = [f"plots/{name}.csv" for name in ("silhouette", "silhouette_samples", "contingency")]
    if not any(file in drawn for file in files):
        yield Text("The same in both.")
        return
    if files[0] in drawn:
        yield from by_number(old, new)
    yield from drawn.pop(files[0], [])
    of_images = (r.silhouettes(r.metrics["kmeans"]["clusters"])["cluster"] for r in (old, new))
    partners = matched(*of_images) if old.data == new.data else {}
    yield profile(old, new, partners)
    yield from drawn.pop(files[1], [])
    if partners:
        yield Text(
            "Clusters of both revisions are matched by the images that they share: a cluster of "
            "the new one bears the number of its partner in the old one."
        )
    if files[2] in drawn:
        yield against_labels(old, new, partners)
    for chart in drawn.pop(files[2], []):
        yield renumbered(chart, new.name, partners)


def by_number(old: Results, new: Results) -> Iterator[Block]:
    """Mean silhouettes of all numbers of clusters that either revision tried."""
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
                *(f"{of[k]:.4f}" if k in of else "–" for of in (before, after)),
                f"{after[k] - before[k]:+.4f}" if k in before and k in after else "",
            ]
            for k in sorted({**before, **after})
        ],
        3,
    )
    both = [k for k in before if k in after]
    if both:
        yield Bars(
            title,
            [f"k = {k}" for k in both],
            {"old": [before[k] for k in both], "new": [after[k] for k in both]},
        )


def against_labels(old: Results, new: Results, partners: dict[int, int]) -> Table:
    """Images of each label in each cluster, partners in one column."""
    before, after = contingency(old), contingency(new).rename(columns=partners)
    columns = sorted({*before.columns, *after.columns})
    labels = [*before.index, *(label for label in after.index if label not in before.index)]
    counts = [of.reindex(labels, columns=columns, fill_value=0) for of in (before, after)]
    return Table(
        "Images of each label in each cluster, old → new where they differ",
        ["", *(str(cluster) for cluster in columns)],
        confusion.changes(labels, *(of.to_numpy() for of in counts)),
        len(columns),
        folded=True,
    )


def matched(old: "pd.Series[int]", new: "pd.Series[int]") -> dict[int, int]:
    """For each new cluster the old one with which it shares most images, each taken once.

    Parameters
    ----------
    old, new : Series
        Cluster of each image, by the image's place in the file.

    Returns
    -------
    dict
        Old clusters by new ones; new ones that are left over get numbers that no old one has, and
        there is none if no image is in both.

    Notes
    -----
    Kuhn, 1955: "The Hungarian method for the assignment problem".
    """
    shared = pd.crosstab(*new.align(old, join="inner"))
    if shared.empty:
        return {}
    rows, columns = linear_sum_assignment(shared, maximize=True)
    partners = dict(zip(shared.index[rows], shared.columns[columns], strict=True))
    left = sorted({*new} - {*partners})
    spare = (number for number in count() if number not in {*old})
    return {int(a): int(b) for a, b in [*partners.items(), *zip(left, spare, strict=False)]}


def profile(old: Results, new: Results, partners: dict[int, int]) -> Table:
    """Sizes and silhouettes of the clusters of both revisions, partners side by side."""
    found = []
    for results in (old, new):
        images = results.silhouettes(results.metrics["kmeans"]["clusters"])
        if results is new and partners:
            images = images.replace({"cluster": partners})
        found.append(images.groupby("cluster"))
    tables = [
        pd.DataFrame(
            {
                "images": of.size(),
                "most of": of["label"].agg(lambda labels: labels.mode()[0]),
                "silhouette": of["silhouette"].mean(),
            }
        )
        for of in found
    ]
    return Table(
        "Clusters, old and new",
        ["cluster", "most of, old", "new", "images, old", "new", "mean silhouette, old", "new"],
        [
            [
                str(cluster),
                *(t["most of"].get(cluster, "–") for t in tables),
                *(str(t["images"].to_dict().get(cluster, "–")) for t in tables),
                *(f"{t['silhouette'][cluster]:.4f}" if cluster in t.index else "–" for t in tables),
            ]
            for cluster in sorted({*tables[0].index, *tables[1].index})
        ],
        4,
    )


def renumbered(chart: Chart, name: str, partners: dict[int, int]) -> Chart:
    """A chart whose clusters of one revision bear the numbers of their partners."""
    values = [
        {**row, "cluster": str(partners.get(int(row["cluster"]), int(row["cluster"])))}
        if row["rev"] == name
        else row
        for row in chart.spec["data"]["values"]
    ]
    return Chart(chart.title, chart.spec | {"data": {"values": values}})
