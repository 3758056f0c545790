"""Tables for people and for DVC's charts: a row for each thing that is drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.learn.images import Labels, Pixels
from stages.learn.kernel_search import COLUMNS

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def predictions(names: list[str], actual: Labels, predicted: Labels) -> pd.DataFrame:
    """Predictions beside the true labels, by the names of the classes: a row for each image."""
    by_label = np.array(names)
    return pd.DataFrame({"actual": by_label[actual], "predicted": by_label[predicted]})


def read_predictions(path: Path, names: list[str]) -> Labels:
    """Predicted labels of the test images, from the table that `predictions` made."""
    predicted = pd.read_csv(path, keep_default_na=False, dtype=str)["predicted"]
    return predicted.map({name: i for i, name in enumerate(names)}).to_numpy()


def draws(wrong: Mapping[str, Flags]) -> pd.DataFrame:
    """Which test image (row) each model (column) gets wrong: 0 or 1 for the fit to each draw."""
    return pd.DataFrame(
        {
            name: ["".join(image) for image in fits.T.astype(int).astype(str)]
            for name, fits in wrong.items()
        },
        dtype=str,
    )


def read_draws(content: Path | IO[bytes]) -> dict[str, Flags]:
    """What the table that `draws` made holds, each of shape (n_fits, n_images)."""
    columns = pd.read_csv(content, dtype=str, keep_default_na=False)
    return {
        name: np.array([list(image) for image in columns[name]], str).T == "1" for name in columns
    }


def network_folds(architectures: Sequence[str], accuracy: Floats, samples: int) -> pd.DataFrame:
    """Accuracy of each architecture in each fold."""
    return pd.DataFrame(
        [
            (samples, architecture, fold, value)
            for architecture, folds in zip(architectures, accuracy, strict=True)
            for fold, value in enumerate(folds, start=1)
        ],
        columns=["samples", "architecture", "fold", "accuracy"],
    )


def losses(loss_curve: Sequence[float], samples: int) -> pd.DataFrame:
    """Training loss after each epoch."""
    epochs = range(1, len(loss_curve) + 1)
    return pd.DataFrame({"samples": samples, "epoch": epochs, "loss": loss_curve})


def kernel_folds(points: list[dict[str, Any]], accuracy: Floats) -> pd.DataFrame:
    """Accuracy of each point in each fold; a parameter that a kernel does not have is empty."""
    return pd.DataFrame(
        [
            [*(str(point.get(column, "")) for column in COLUMNS), fold, value]
            for point, values in zip(points, accuracy, strict=True)
            for fold, value in enumerate(values, start=1)
        ],
        columns=[*COLUMNS, "fold", "accuracy"],
    )


def contingency(table: Labels, names: list[str]) -> pd.DataFrame:
    """Number of images of each label (rows of `table`) in each cluster (its columns)."""
    return pd.DataFrame(
        [
            (name, number, count)
            for name, row in zip(names, table, strict=True)
            for number, count in enumerate(row)
        ],
        columns=["label", "cluster", "count"],
    )


def read_contingency(path: Path) -> pd.DataFrame:
    """The table that `contingency` made."""
    return pd.read_csv(path, dtype={"label": str}, keep_default_na=False)


def mean_silhouettes(silhouettes: Mapping[int, float]) -> pd.DataFrame:
    """Mean silhouette of each number of clusters."""
    return pd.DataFrame({"k": list(silhouettes), "silhouette": list(silhouettes.values())})


def silhouettes_of_images(
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
