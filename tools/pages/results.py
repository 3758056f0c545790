"""Read the results of a revision from Git alone.

Metrics, tables and `dvc.lock` are in Git. Nothing here needs a model, an image or DVC's cache.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from dvc.repo import Repo
from ruamel.yaml import YAML

from stages.errors import UserError
from stages.files import prepared, tables
from stages.files.settings import ROLES
from stages.learn import images
from stages.learn.images import Bytes, Labels
from stages.learn.paired import Fits
from tools.shared import git, pipeline
from tools.verify import checks

DRAWS = "plots/draws.csv"
EXPERIMENTS = "refs/exps/"
WORKSPACE = "workspace"
KERNEL = ("C", "gamma", "degree")
LABELS = ("actual", "predicted", "label")  # columns that hold labels
TEXT = ("architecture", *LABELS, *KERNEL)  # columns that are read as text


class Model:
    """A model, and where its results are.

    Attributes
    ----------
    name
        Name that pages show.
    stem
        Beginning of the name of its table of predictions.
    path
        Keys that lead to its metrics, also those of its draws in `metrics/noise.json`.
    """

    def __init__(self, name: str, stem: str, *path: str) -> None:
        self.name, self.stem, self.path = name, stem, path

    def of(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return the model's part of the metrics."""
        for step in self.path:
            metrics = metrics[step]
        return metrics


MODELS = [
    Model("network (few images)", "mlp_small", "mlp", "small"),
    Model("network (many images)", "mlp", "mlp", "large"),
    Model("SVM", "svm", "svm"),
]


class Folds(NamedTuple):
    """Number of images in a cross-validation, and the accuracy in each fold."""

    samples: int
    accuracy: npt.NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean accuracy of the folds."""
        return float(self.accuracy.mean())


def architecture(name: str, samples: int) -> str:
    """Name a network of the search."""
    return f"{name} units, {samples:,} images"


def commit_of(name: str | None) -> str:
    """Return the commit that a revision or experiment names; None means the workspace.

    Raises
    ------
    UserError
        If no revision or experiment has this name, or if several experiments do.
    """
    if name is None:
        git.refuse_conflicts()
        with Repo() as repo:
            return git.commit_of_workspace(WORKSPACE, pipeline.kept_in_git(repo))
    try:
        return git.commit_of(name, staged=False)
    except UserError:
        experiments = git.git("for-each-ref", "--format=%(refname)", EXPERIMENTS).split()
        namesakes = [ref for ref in experiments if ref.rsplit("/", 1)[1] == name]
        if len(namesakes) != 1:
            raise UserError(
                f"{name} is {'no' if not namesakes else 'more than one'} revision or experiment: "
                "`git branch` and `dvc exp list --all` list them."
            ) from None
        return git.git("rev-parse", namesakes[0])


def experiments_of(base: "Results") -> "list[Results]":
    """Return the experiments that are based on a revision, the oldest first.

    Raises
    ------
    UserError
        If there is none.
    """
    place = f"{EXPERIMENTS}{base.commit[:2]}/{base.commit[2:]}/"
    form = "--format=%(objectname) %(refname)"
    refs = git.git("for-each-ref", "--sort=creatordate", form, place).splitlines()
    if not refs:
        raise UserError(
            f"No experiment is based on {base.name}: `dvc exp list --all` lists experiments."
        )
    commits = (ref.split(" ", 1) for ref in refs)
    return [Results(ref.removeprefix(place), commit) for commit, ref in commits]


class Results:
    """Results of a revision.

    Parameters
    ----------
    name
        A branch, tag, commit or experiment; None for the workspace.
    commit
        The commit that it names, if that is known.
    """

    def __init__(self, name: str | None, commit: str = "") -> None:
        self.name = name or WORKSPACE
        self.commit = commit or commit_of(name)
        git.bring(self.commit)

    def content(self, path: str) -> bytes | None:
        """Read a file of the revision; None if there is none."""
        return git.content_of(self.commit, path)

    def needed(self, path: str) -> bytes:
        """Read a file that the revision must have.

        Raises
        ------
        UserError
            If the revision does not have it.
        """
        content = self.content(path)
        if content is None:
            raise UserError(
                f"{self.name} has no {path}, so its results are not complete. Run `dvc repro` and "
                "commit the results."
            )
        return content

    @cached_property
    def params(self) -> dict[str, Any]:
        """Parameters in params.yaml, by dotted key; a list is one value."""
        values = YAML(typ="safe").load(self.needed("params.yaml"))
        (by_key,) = pd.json_normalize(values).to_dict("records")
        return by_key

    @cached_property
    def stages(self) -> dict[str, Any]:
        """Entry of each stage in dvc.lock."""
        stages: dict[str, Any] = YAML(typ="safe").load(self.needed(pipeline.LOCK))["stages"]
        return stages

    def outs(self, folder: str) -> list[str]:
        """List the paths of the outputs in a folder, in the order of dvc.lock."""
        paths = (out["path"] for stage in self.stages.values() for out in stage.get("outs", []))
        return [path for path in paths if path.startswith(f"{folder}/")]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of each metrics file, by its name without the ending."""
        return {Path(path).stem: json.loads(self.needed(path)) for path in self.outs("metrics")}

    def fits(self, model: Model) -> Fits | None:
        """What the fits of a model to draws get wrong; None if the revision does not keep that."""
        if self._wrong is None:
            return None
        return Fits(self._wrong[model.stem], model.of(self.metrics["noise"])["blocks"])

    @cached_property
    def _wrong(self) -> dict[str, npt.NDArray[np.bool_]] | None:
        """What each fit to a draw gets wrong, by model."""
        content = self.content(DRAWS)
        return None if content is None else tables.read_draws(io.BytesIO(content))

    def draws(self, model: Model) -> tuple[Any, ...]:
        """What the draws of a model are: equal for two revisions with the same draws."""
        ran = self.stages["noise"]["params"]["params.yaml"]
        samples = model.of(self.metrics)["samples"]
        draws = (ran["seed"], self.file_of("train_images"), samples)
        every_block = sum(self.metrics["data"]["train"].values()) // samples - 1
        if model.of(self.metrics["noise"])["blocks"] == every_block:
            return draws
        # Which blocks lack a class depends on the labels.
        return (*draws, self.file_of("train_labels"))

    def file_of(self, role: str) -> tuple[str, str]:
        """Name and SHA-256 of a file of the dataset, by its role."""
        params = self.stages["prepare"]["params"]["params.yaml"]
        files = params[f"data.datasets.{params['data.dataset']}.sha256"]
        return next(
            (name, sha256)
            for name, sha256 in files.items()
            if any(part in name for part in ROLES[role])
        )

    def table(self, name: str) -> pd.DataFrame:
        """Read a table of `plots/`."""
        content = io.BytesIO(self.needed(f"plots/{name}.csv"))
        return pd.read_csv(content, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)

    @cached_property
    def labels(self) -> list[str]:
        """Names of the classes."""
        params = self.stages["prepare"]["params"]["params.yaml"]
        labels: list[str] = params[f"data.datasets.{params['data.dataset']}.labels"]
        return labels

    def predictions(self, model: Model) -> tuple[Labels, Labels]:
        """Return the true and the predicted labels of the test images."""
        table = self.table(f"{model.stem}_predictions")
        actual, predicted = (
            pd.Categorical(table[column], self.labels).codes.astype(np.int64)
            for column in ("actual", "predicted")
        )
        return actual, predicted

    def networks(self) -> dict[str, Folds]:
        """Return the folds of each architecture, in the order of the searches."""
        return {
            architecture(name, samples): Folds(samples, accuracy.to_numpy())
            for (samples, name), accuracy in self.table("mlp_cv").groupby(
                ["samples", "architecture"], sort=False
            )["accuracy"]
        }

    def kernels(self) -> dict[str, Folds]:
        """Return the folds of each kernel, in the order of the search."""
        table = self.table("svm_cv")
        names = [
            ", ".join([row["kernel"]] + [f"{key} = {row[key]}" for key in KERNEL if row[key]])
            for _, row in table.iterrows()
        ]
        samples = self.params["svm.search_samples"]
        return {
            name: Folds(samples, accuracy.to_numpy())
            for name, accuracy in table.groupby(names, sort=False)["accuracy"]
        }

    def order(self, samples: int) -> Labels:
        """Return the places in the file of the first training images in the seed's order."""
        count = sum(self.metrics["data"]["train"].values())
        return images.order(count, self.params["seed"])[:samples]

    def silhouettes(self, k: int) -> pd.DataFrame:
        """Read the silhouette and cluster of each image, for a k that has them in the table.

        Returns
        -------
        Columns cluster, label and silhouette, indexed by the image's place in the training file.
        """
        table = self.table("silhouette_samples")
        table = table[table["k"] == k]
        place = self.order(self.metrics["kmeans"]["samples"])[table["image"]]
        return table.set_index(pd.Index(place))[["cluster", "label", "silhouette"]].sort_index()

    @cached_property
    def data(self) -> str:
        """Hash of the raw files in dvc.lock, which identifies the data."""
        return next(out["md5"] for out in self.stages["fetch"]["outs"] if out["path"] == "data/raw")

    @cached_property
    def repo(self) -> Repo:
        """DVC's view of the revision."""
        return Repo(rev=self.commit)

    @cached_property
    def code(self) -> dict[str, str]:
        """Hash of each file of code that a stage depends on, and of dvc.yaml, by path."""
        return git.hashes_of(self.commit, pipeline.code(self.repo))

    @cached_property
    def packages(self) -> dict[str, str]:
        """Versions of the packages, by name; empty if no stage depends on a lock file."""
        lock = pipeline.lock_of_packages(self.repo)
        lines = self.needed(lock).decode().splitlines() if lock else []
        pins = (line.partition("==") for line in lines if line[:1].isalnum())
        return {name: version.split(" ")[0] for name, _, version in pins}

    @cached_property
    def charts(self) -> dict[str, str]:
        """Titles of DVC's charts, by the path of the table that each shows."""
        entries = YAML(typ="safe").load(self.needed("dvc.yaml"))["plots"]
        dataset = self.params["data.dataset"]
        return {
            path: title.replace("${data.dataset}", dataset)
            for entry in entries
            if isinstance(entry, dict)
            for title, plot in entry.items()
            for path in plot["y"]
        }

    @cached_property
    def stale(self) -> list[str]:
        """Disagreements of results or code with dvc.lock, each a sentence."""
        return [*checks.check_results(self.repo).wrong, *checks.check_inputs(self.repo).wrong]

    def test_images(self, actual: Labels) -> Bytes | None:
        """Read the test images; None if the workspace has no images with these labels."""
        try:
            dataset = prepared.load()
        except (OSError, UserError):
            return None
        same_name = dataset.name == self.metrics["data"]["dataset"]
        same_labels = np.array_equal(dataset.test_labels, actual)
        return dataset.test_images if same_name and same_labels else None


def contingency(results: Results) -> pd.DataFrame:
    """Count the images of each label (rows, in order) in each cluster (columns)."""
    table = results.table("contingency")
    return table.pivot_table("count", "label", "cluster", "sum", 0, sort=False)


def draws(results: Results, model: Model) -> str:
    """Format mean and standard deviation of the test errors on other draws; – if there are none."""
    noise = model.of(results.metrics["noise"]) if "noise" in results.metrics else {}
    if "test_error_std" not in noise:
        return "–"
    return f"{noise['test_error_mean']:.4f} ± {noise['test_error_std']:.4f}"


def plots(revisions: Sequence[Results]) -> dict[str, dict[str, Any]]:
    """Return the Vega-Lite charts of DVC's page of some revisions, by title."""
    with tempfile.TemporaryDirectory() as folder:
        commits = [results.commit for results in revisions]
        command = [sys.executable, "-m", "dvc", "plots", "diff", *commits]
        options = ["--json", "--out", folder]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"dvc plots diff: {done.stderr.strip()}")
    answer = done.stdout
    for results in revisions:
        answer = answer.replace(results.commit, json.dumps(results.name)[1:-1])
    labels = list(dict.fromkeys(label for results in revisions for label in results.labels))
    return {
        title: _with_labels_in_order(plot["content"], labels)
        for title, plots_of_title in json.loads(answer)["data"].items()
        for plot in plots_of_title
        if plot["type"] == "vega"
    }


def of_two(spec: dict[str, Any], old: Results, new: Results) -> dict[str, Any]:
    """Return a chart of many revisions with the data of two."""
    names = (old.name, new.name)
    return spec | {
        "data": {"values": [row for row in spec["data"]["values"] if row["rev"] in names]}
    }


def _with_labels_in_order(spec: Any, labels: list[str]) -> Any:
    """Sort the labels of a chart in the order of params.yaml, not of the alphabet."""
    if isinstance(spec, list):
        return [_with_labels_in_order(item, labels) for item in spec]
    if not isinstance(spec, dict):
        return spec
    ordered = {
        key: value if key == "values" else _with_labels_in_order(value, labels)
        for key, value in spec.items()
    }
    is_label = ordered.get("field") in LABELS and ordered.get("type") == "nominal"
    return {**ordered, "sort": labels} if is_label else ordered
