"""A model of the pipeline: read if it is the one that dvc.lock names, and asked about images."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ruamel.yaml import YAML
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.errors import UserError
from stages.files import models, prepared
from stages.learn import images, one_against_one
from stages.learn.images import Bytes, Labels
from stages.learn.kernels import Floats

LOCK = Path("dvc.lock")
KINDS = {"svm": SVC, "mlp": MLPClassifier, "mlp-small": MLPClassifier}


class Trained(NamedTuple):
    """A model, and what it was trained on.

    Attributes
    ----------
    labels
        Names of the classes, in the order of the model's.
    shape
        Height and width of an image.
    """

    labels: list[str]
    shape: tuple[int, int]
    estimator: MLPClassifier | SVC


def load(name: str) -> Trained:
    """Read a model, after a check that it is the one that dvc.lock names.

    Parameters
    ----------
    name
        A key of `KINDS`.

    Raises
    ------
    UserError
        If it is not, or there is none.
    """
    path, about_data = Path(f"models/{name.replace('-', '_')}.skops"), Path("metrics/data.json")
    try:
        stages = YAML(typ="safe").load(LOCK.read_text(encoding="utf-8"))["stages"]
        hashes = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
        fitted_to = {
            dep["md5"]
            for stage in stages.values()
            for dep in stage["deps"]
            if dep["path"] == str(prepared.FOLDER)
            and any(out["path"] == str(path) for out in stage["outs"])
        }
        params = stages["prepare"]["params"]["params.yaml"]
        labels = params[f"data.datasets.{params['data.dataset']}.labels"]
    except FileNotFoundError:
        raise UserError(
            f"{LOCK} is missing here: run from the project, after `dvc repro`."
        ) from None
    # Not YAML, a conflict that Git left in it, a stage that has not been run.
    except Exception:
        raise UserError(f"{LOCK} lacks what `dvc repro` writes there: run it first.") from None
    _content(path, hashes.get(str(path)), "dvc checkout --force")
    text = _content(about_data, hashes.get(str(about_data)), "git restore")
    if fitted_to != {hashes[str(prepared.FOLDER)]}:
        raise UserError(
            f"{path} was fitted to other images than {LOCK} has labels of: `dvc repro`."
        )
    height, width = map(int, json.loads(text)["image_shape"].split("x"))
    return Trained(labels, (height, width), models.read(path, KINDS[name], height * width))


def _content(path: Path, stated_hash: str | None, restore: str) -> bytes:
    """Content of a file if it has the hash in dvc.lock; else an error names what restores it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: `dvc repro` makes it, `dvc pull` brings it if there is a remote."
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != stated_hash:
        raise UserError(
            f"{path} is not the one that {LOCK} names: `{restore} {path}` brings that back, "
            "`dvc repro` makes it anew."
        )
    return content


def classify(estimator: MLPClassifier | SVC, chosen: Bytes) -> tuple[Labels, Floats]:
    """Predict the labels of images, each with its score.

    Parameters
    ----------
    chosen : uint8 array of shape (n_images, height, width)

    Returns
    -------
    predicted : int64 array of shape (n_images,)
        As the estimator's `predict` gives them.
    scores : float64 array of shape (n_images,)
        Of these labels: of a network the probability; of an SVC what its `decision_function`
        gives, through matrix products.
    """
    if isinstance(estimator, SVC):
        gamma, vectors = one_against_one.learned(estimator)
        predicted, scores = one_against_one.decide(estimator, gamma, vectors, chosen)
    else:
        pixels = images.scaled(chosen, estimator.coefs_[0].dtype.name)
        scores = estimator.predict_proba(pixels).T
        predicted = scores.argmax(axis=0)
    return predicted, scores[predicted, np.arange(len(predicted))].astype(np.float64)


def meaning_of_score(estimator: MLPClassifier | SVC) -> str:
    """Say what a score is."""
    if isinstance(estimator, SVC):
        others = len(estimator.classes_) - 1
        return (
            f"score: how many of the other {others} labels it wins against, and up to 1/3 for how "
            "clearly"
        )
    return "score: the probability that the network gives it"
