"""Load a model of the pipeline whose hash is in dvc.lock, and predict with it."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ruamel.yaml import YAML
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.errors import UserError
from stages.files import conflicts, models, prepared
from stages.learn import images, one_against_one
from stages.learn.images import Bytes, Labels
from stages.learn.kernels import Floats

LOCK = Path("dvc.lock")
KINDS = {"svm": SVC, "mlp": MLPClassifier, "mlp-small": MLPClassifier}


class Trained(NamedTuple):
    """A model, and the classes and image size of its training set.

    Attributes
    ----------
    labels
        Names of the classes, in the order of the model's classes.
    shape
        Height and width of an image.
    """

    labels: list[str]
    shape: tuple[int, int]
    estimator: MLPClassifier | SVC


def load(name: str) -> Trained:
    """Load a model after checking its hash against dvc.lock.

    Parameters
    ----------
    name
        A key of `KINDS`.

    Raises
    ------
    UserError
        If the model is missing or its hash differs.
    """
    text = ""
    path, about_data = Path(f"models/{name.replace('-', '_')}.skops"), Path("metrics/data.json")
    try:
        text = LOCK.read_text(encoding="utf-8")
        stages = YAML(typ="safe").load(text)["stages"]
        hashes = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
        fitted_to = {
            dep["md5"]
            for stage in stages.values()
            for dep in stage["deps"]
            if dep["path"] == prepared.FOLDER.as_posix()
            and any(out["path"] == path.as_posix() for out in stage["outs"])
        }
        params = stages["prepare"]["params"]["params.yaml"]
        labels = params[f"data.datasets.{params['data.dataset']}.labels"]
    except FileNotFoundError:
        raise UserError(
            f"{LOCK} is missing here: run from the project, after `dvc repro`."
        ) from None
    # The file is no YAML, or lacks a stage that has not run.
    except Exception:
        if conflicts.MARK.search(text):
            raise UserError(f"{LOCK}: {conflicts.CONFLICT}") from None
        raise UserError(
            f"{LOCK} has no results of `prepare` or of the model. Run `dvc repro` first."
        ) from None
    _content(path, hashes.get(path.as_posix()), "dvc checkout --force")
    described = _content(about_data, hashes.get(about_data.as_posix()), "git restore")
    if fitted_to != {hashes[prepared.FOLDER.as_posix()]}:
        raise UserError(
            f"{path} was fitted to a different dataset than the one in {LOCK}. Run `dvc repro`."
        )
    height, width = map(int, json.loads(described)["image_shape"].split("x"))
    return Trained(labels, (height, width), models.read(path, KINDS[name], height * width))


def _content(path: Path, stated_hash: str | None, restore: str) -> bytes:
    """Read a file that must have the hash in dvc.lock; the error names a command to restore it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: `dvc repro` makes it, or `dvc pull` fetches it from a remote."
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != stated_hash:
        raise UserError(
            f"{path} does not have the hash in {LOCK}: `{restore} {path}` restores it, "
            "`dvc repro` makes it again."
        )
    return content


def classify(estimator: MLPClassifier | SVC, chosen: Bytes) -> tuple[Labels, Floats]:
    """Predict the labels of images, and the score of each.

    Parameters
    ----------
    chosen : uint8 array of shape (n_images, height, width)

    Returns
    -------
    predicted : int64 array of shape (n_images,)
        Labels that the estimator's `predict` gives.
    scores : float64 array of shape (n_images,)
        Score of each predicted label: the probability for a network, the value of the decision
        function for an SVC, here computed through matrix products.
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
    """Explain the score in one line."""
    if isinstance(estimator, SVC):
        others = len(estimator.classes_) - 1
        return (
            f"score: decision function of the SVM: pairwise votes won (of {others}), plus "
            "at most 1/3 for margins"
        )
    return "score: the probability that the network gives this label"
