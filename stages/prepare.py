"""prepare: raw IDX files become checked, permuted arrays.

    data/raw → data/prepared, metrics/data.json, plots/data.png

    python -m stages.prepare

The training images are put in the original study's order. This stage scales nothing and leaves
nothing out: each later stage takes the first images that it needs, and scales them.
"""

import io
from pathlib import Path

import numpy as np

from stages.files import artifacts, charts, idx, prepared
from stages.files.settings import Settings
from stages.learn import images
from stages.run import stage
from stages.run.terminal import print_table

SHOWN = 6  # images of each class in the picture


def per_class(labels: images.Bytes, names: list[str]) -> dict[str, int]:
    """Number of images of each class, by its name."""
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))


def first_of_each(pixels: images.Bytes, labels: images.Bytes, names: list[str]) -> charts.Block:
    """The first images of each class: a column for a class, its name on top."""
    columns = [np.flatnonzero(labels == label)[:SHOWN] for label in range(len(names))]
    rows = min(map(len, columns))
    by_row = np.stack([column[:rows] for column in columns], axis=1)
    captions = [*names, *([""] * (by_row.size - len(names)))]
    return charts.Block(pixels[by_row.ravel()], captions, len(names))


def main(params: Settings) -> None:
    """Read data/raw; write data/prepared, the counts and a picture."""
    name, source = params.data.dataset, params.data.source
    arrays = idx.read_raw(source.files(idx.RAW), len(source.labels))
    order = images.order(len(arrays["train_labels"]), params.seed)
    for role in ("train_images", "train_labels"):
        arrays[role] = arrays[role][order]
    counts = {w: per_class(arrays[f"{w}_labels"], source.labels) for w in ("train", "test")}
    height, width = arrays["train_images"].shape[1:]

    for role, array in arrays.items():
        file = io.BytesIO()
        np.save(file, array)
        artifacts.write(prepared.FOLDER / f"{role}.npy", file.getvalue())
    artifacts.write_json(
        prepared.FOLDER / "dataset.json", {"dataset": name, "labels": source.labels}
    )
    artifacts.write_json(
        Path("metrics/data.json"),
        {"dataset": name, "image_shape": f"{height}x{width}", **counts},
    )
    title = f"Training images of each class · {name}"
    block = first_of_each(arrays["train_images"], arrays["train_labels"], source.labels)
    artifacts.write(Path("plots/data.png"), charts.picture(title, [block]))
    print_table(
        f"prepare: {name}, images per class",
        ["class", "training", "test"],
        [[label, counts["train"][label], counts["test"][label]] for label in source.labels],
    )


if __name__ == "__main__":
    stage.run(main)
