"""Classify image files; print the labels as lines, as a table, or as JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from stages.errors import UserError
from stages.run.terminal import print_table, say
from tools.predict import model, photos
from tools.predict.photos import Photo


def predict(
    files: Sequence[Path], model_name: str, *, as_is: bool, preview: bool, as_json: bool
) -> bool:
    """Classify image files and print the labels; return whether all files could be read.

    Parameters
    ----------
    model_name
        A key of `model.KINDS`.
    as_is
        Whether images are scaled but not cropped.
    preview
        Whether each image is also printed as the model sees it.
    as_json
        Whether only JSON is printed.

    Raises
    ------
    UserError
        If the model file does not have the hash in dvc.lock.
    """
    trained = model.load(model_name)
    read: dict[Path, Photo] = {}
    refused: dict[Path, str] = {}
    for file in files:
        try:
            read[file] = photos.read(file, trained.shape, as_is)
        except UserError as error:
            refused[file] = str(error)
            print(error, file=sys.stderr)
    predictions = _predictions(trained, read) if read else []
    if as_json:
        errors = [{"file": str(file), "error": sentence} for file, sentence in refused.items()]
        say(json.dumps([*predictions, *errors], indent=2))
    elif read:
        if preview:
            for file, photo in read.items():
                say(f"{photos.printable(file)}, as the model sees it:")
                say(photos.letters(photo.image, Console().width))
        _show(predictions, f"predict: {model_name}")
        say(model.meaning_of_score(trained.estimator))
    return not refused


def _predictions(trained: model.Trained, read: dict[Path, Photo]) -> list[dict[str, Any]]:
    """Classify the images; return file, label, score and steps of reading of each."""
    images = np.stack([photo.image for photo in read.values()])
    labels, scores = model.classify(trained.estimator, images)
    return [
        {
            "file": str(file),
            "label": trained.labels[label],
            "score": round(score, 6),
            "read_as": photo.read_as,
            **({"caution": photo.caution} if photo.caution else {}),
        }
        for (file, photo), label, score in zip(
            read.items(), labels.tolist(), scores.tolist(), strict=True
        )
    ]


def _show(predictions: list[dict[str, Any]], title: str) -> None:
    """Print the prediction for one file as lines, or those for several as a table."""
    rows = [
        [photos.printable(Path(p["file"])), p["label"], f"{p['score']:.3f}", p["read_as"]]
        for p in predictions
    ]
    if len(rows) == 1:
        ((file, label, score, read_as),) = rows
        say(f"{file}: {label}, score {score}")
        say(f"read as: {read_as}")
    else:
        print_table(title, ["file", "label", "score", "read as"], rows, numbers=False)
    for prediction in predictions:
        if "caution" in prediction:
            name = photos.printable(Path(prediction["file"]))
            say(f"{name}: do not trust the answer, as {prediction['caution']}: this is probably")
            say("no catalogue picture.")
