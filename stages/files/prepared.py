"""The dataset as `prepare` leaves it on disk, mapped into memory."""

import json
from pathlib import Path

import numpy as np

from stages.errors import UserError
from stages.learn.images import Bytes, Dataset

FOLDER = Path("data/prepared")


def load(folder: Path = FOLDER) -> Dataset:
    """Map the prepared images into memory.

    Raises
    ------
    UserError
        If there are none, or a file is damaged.
    """
    try:
        description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        arrays = [
            _mapped(folder / f"{which}.npy")
            for which in ("train_images", "train_labels", "test_images", "test_labels")
        ]
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: run `dvc repro prepare` first.") from None
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{folder} is damaged ({error}): run `dvc repro --force prepare`."
        ) from None
    return Dataset(description["dataset"], description["labels"], *arrays)


def _mapped(path: Path) -> Bytes:
    """Map an array into memory, or read it where the file system cannot map files."""
    try:
        return np.load(path, mmap_mode="r")
    except OSError:
        return np.load(path)
