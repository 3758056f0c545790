"""What do image files show? Classify them with a model of the pipeline.

    python -m tools.predict shirt.jpg
    python -m tools.predict *.png --model mlp     # svm, mlp, or mlp-small, which saw few images
    python -m tools.predict shoe.png --preview    # also, in letters, what the model sees of it
    python -m tools.predict *.png --json          # for a program
    python -m tools.predict digit.png --as-is     # framed as the dataset's images are: only scale

One thing in each, on a plain background, light or dark; any size, colour or grey. It is cut out,
fills the image and has a white pixel, as things in Fashion-MNIST. What is no image is named, and
the others are classified; the exit code is 1 then. The model has to be the one that dvc.lock names.
"""

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.files import models, prepared
from stages.learn import images, one_against_one

# isort: split
import numpy as np
from rich.console import Console
from ruamel.yaml import YAML
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages.errors import UserError
from stages.learn.images import Bytes, Labels
from stages.learn.kernels import Floats
from stages.run.terminal import print_table, say
from tools.predict import photos
from tools.predict.photos import Photo
from tools.shared.arguments import Parser

LOCK = Path("dvc.lock")
KINDS = {"svm": SVC, "mlp": MLPClassifier, "mlp-small": MLPClassifier}


class Known(NamedTuple):
    """What was learned.

    Attributes
    ----------
    labels : list of str
    shape : tuple of int
        Height and width of an image.
    model : MLPClassifier or SVC
    """

    labels: list[str]
    shape: tuple[int, int]
    model: MLPClassifier | SVC


def known(name: str) -> Known:
    """Read a model, after a check that it is the one that dvc.lock names.

    Parameters
    ----------
    name : str
        A key of `KINDS`.

    Raises
    ------
    UserError
        If it is not, or there is none.
    """
    path, about = Path(f"models/{name.replace('-', '_')}.skops"), Path("metrics/data.json")
    try:
        stages = YAML(typ="safe").load(LOCK.read_text(encoding="utf-8"))["stages"]
        outs = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
        seen = {
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
    checked(path, outs.get(str(path)), "dvc checkout --force")
    text = checked(about, outs.get(str(about)), "git restore")
    if seen != {outs[str(prepared.FOLDER)]}:
        raise UserError(
            f"{path} was fitted to other images than {LOCK} has labels of: `dvc repro`."
        )
    height, width = map(int, json.loads(text)["image_shape"].split("x"))
    return Known(labels, (height, width), models.read(path, KINDS[name], height * width))


def checked(path: Path, stated: str | None, restore: str) -> bytes:
    """Content of a file that has the hash that dvc.lock states.

    Raises
    ------
    UserError
        If it has not; the command `restore` would mend that.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: `dvc repro` makes it, `dvc pull` brings it if there is a remote."
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != stated:
        raise UserError(
            f"{path} is not the one that {LOCK} names: `{restore} {path}` brings that back, "
            "`dvc repro` makes it anew."
        )
    return content


def classify(model: MLPClassifier | SVC, chosen: Bytes) -> tuple[Labels, Floats]:
    """What a model takes images for, and how much speaks for that.

    Parameters
    ----------
    model : MLPClassifier or SVC
    chosen : uint8 array of shape (n_images, height, width)

    Returns
    -------
    predicted : int64 array of shape (n_images,)
        As the model's `predict` gives them.
    scores : float64 array of shape (n_images,)
        Of these labels: of a network the probability; of an SVC what its `decision_function`
        gives, through matrix products.
    """
    if isinstance(model, SVC):
        predicted, support = one_against_one.decide(model, *one_against_one.learned(model), chosen)
    else:
        support = model.predict_proba(images.scaled(chosen, model.coefs_[0].dtype.name)).T
        predicted = support.argmax(axis=0)
    return predicted, support[predicted, np.arange(len(predicted))].astype(np.float64)


def meaning(model: MLPClassifier | SVC) -> str:
    """Say what a score is."""
    if isinstance(model, SVC):
        return (
            f"score: how many of the other {len(model.classes_) - 1} labels it wins against, and "
            "up to 1/3 for how clearly"
        )
    return "score: the probability that the network gives it"


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print what was found: of one file in lines, of many as a table."""
    if len(rows) == 1:
        (row,) = rows
        say(f"{row['file']}: {row['label']}, score {row['score']:.3f}")
        say(f"read as: {row['read_as']}")
    else:
        cells = [[r["file"], r["label"], f"{r['score']:.3f}", r["read_as"]] for r in rows]
        print_table(title, ["file", "label", "score", "read as"], cells, numbers=False)


def predict(options: argparse.Namespace) -> int:
    """Classify, print what was found, and give the exit code."""
    names, shape, model = known(options.model)
    seen: dict[Path, Photo] = {}
    refused: dict[Path, str] = {}
    for file in options.files:
        try:
            seen[file] = photos.read(file, shape, options.as_is)
        except UserError as error:
            refused[file] = str(error)
            print(error, file=sys.stderr)
    rows: list[dict[str, Any]] = []
    if seen:
        predicted, scores = classify(model, np.stack([photo.image for photo in seen.values()]))
        rows = [
            {"file": str(file), "label": names[label], "score": round(score, 6), "read_as": how}
            for (file, (_, how)), label, score in zip(
                seen.items(), predicted.tolist(), scores.tolist(), strict=True
            )
        ]
    if options.json:
        errors = [{"file": str(file), "error": sentence} for file, sentence in refused.items()]
        say(json.dumps([*rows, *errors], indent=2))
    elif seen:
        if options.preview:
            for file, photo in seen.items():
                say(f"{photos.shown(file)}, as the model sees it:")
                say(photos.letters(photo.image, Console().width))
        readable = [{**row, "file": photos.shown(Path(row["file"]))} for row in rows]
        show(readable, f"predict: {options.model}")
        say(meaning(model))
    return 1 if refused else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", choices=KINDS, default="svm", help="default: svm")
    parser.add_argument("--as-is", action="store_true", help="cut nothing off, only scale")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--preview", action="store_true", help="draw what the model sees, in letters")
    how.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict, and give the exit code."""
    options = parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # letters of a name that a terminal lacks
    try:
        return predict(options)
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"A file could not be read or written: {error}.")


if __name__ == "__main__":
    sys.exit(main())
