"""Clusters are numbered by what they stand for, in tables and in the model."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples, silhouette_score
from sklearn.metrics.cluster import contingency_matrix

from stages.files import garments, tables
from stages.learn import clusters, images

NAMES = list(garments.LABELS)
DRAWN, LABELS = garments.draw(400, 3)
PIXELS = images.scaled(DRAWN)


@pytest.mark.parametrize("k", [2, 7, 13])
def test_clusters_are_scikit_learns_numbered_by_label_then_size(k: int) -> None:
    model = clusters.fit(PIXELS, LABELS.astype(np.int64), k, 2, 0)
    plain = KMeans(k, n_init=2, random_state=0).fit(PIXELS)
    # The plain one is Lloyd's algorithm, ours Elkan's.
    assert model.inertia_ == plain.inertia_
    one_to_one = set(zip(model.labels_, plain.labels_, strict=True))
    assert len(one_to_one) == k
    np.testing.assert_array_equal(model.predict(PIXELS), model.labels_)
    table = contingency_matrix(LABELS, model.labels_)
    order = list(zip(table.argmax(axis=0), -table.sum(axis=0), strict=True))
    assert order == sorted(order)


@pytest.mark.parametrize("block", [0.01, 64])
def test_silhouettes_are_scikit_learns_whatever_the_block(
    block: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "BLOCK", block)
    # The last three images are clusters of their own, the two before the same image.
    pixels = np.concatenate([PIXELS[:300], PIXELS[7:8], PIXELS[7:8], PIXELS[300:303]])
    random = np.random.RandomState(0)
    clusterings = {k: random.randint(0, k, len(pixels)) for k in (2, 5)}
    clusterings[7] = np.concatenate([np.arange(300) % 3, [3, 3, 4, 5, 6]])
    found = clusters.silhouettes(pixels, clusterings)
    for k, labels in clusterings.items():
        expected = silhouette_samples(pixels, labels)
        np.testing.assert_allclose(found[k], expected, rtol=0, atol=1e-13)
    assert found[7][-3:].tolist() == [0, 0, 0]


def test_silhouettes_are_ranked_within_their_cluster_and_average_to_the_score() -> None:
    model = clusters.fit(PIXELS, LABELS.astype(np.int64), 4, 2, 0)
    values = clusters.silhouettes(PIXELS, {4: model.labels_})[4]
    table = tables.silhouettes_of_images(4, model.labels_, values, LABELS, NAMES)
    assert table["silhouette"].mean() == pytest.approx(silhouette_score(PIXELS, model.labels_))
    assert sorted(table["image"]) == list(range(400))
    for _, rows in table.groupby("cluster"):
        assert rows["rank"].tolist() == list(range(len(rows)))
        assert rows["silhouette"].is_monotonic_decreasing
    first = table.iloc[0]
    assert first["label"] == NAMES[LABELS[first["image"]]]


def test_contingency_lists_every_pair() -> None:
    table = tables.contingency(np.array([[3, 0], [1, 2]]), ["a", "b"])
    assert table.to_numpy().tolist() == [["a", 0, 3], ["a", 1, 0], ["b", 0, 1], ["b", 1, 2]]
