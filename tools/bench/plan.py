"""The benchmark's pieces of work, and the comparisons of their results."""

import importlib.util
from typing import NamedTuple

from stages.files.settings import Settings
from tools.bench import compare

QUICK = {
    "mlp.small_samples": 200,
    "mlp.samples": 1000,
    "svm.search_samples": 1000,
    "svm.samples": 1000,
    "kmeans.samples": 500,
}
QUICK_LARGE = 2500  # images, instead of all
LARGE = 60_000  # all of Fashion-MNIST
ROUNDS = 3

# Arguments of `dvc repro`. Without --force DVC would skip stages whose results are in Git.
ONE_BY_ONE = ["--force", "--single-item"]
REPRODUCED = {
    "whole": [*ONE_BY_ONE, "fetch", "prepare", "mlp_search", "svm_eval", "kmeans", "compare"],
    "noise": [*ONE_BY_ONE, "noise"],
}


class Work(NamedTuple):
    """One piece of work to measure.

    Attributes
    ----------
    name
        A part of `notebook.py` or `parts.py`, or `noise`, the stage, which the notebook does not
        have, or `whole`, which is all of `dvc repro` except `noise`.
    side : {"notebook", "contract", "intelex", "float64", "float32"}
        Which code runs: the notebook's as a user runs it, the notebook's under the pipeline's
        arithmetic contract, the notebook's with scikit-learn-intelex, or the pipeline's with one
        of both dtypes.
    samples
        Number of training images; `whole` takes the numbers in params.yaml.
    estimated_seconds
        Time on two cores with start-up, of a full and of a quick run.
    rounds
        Number of repetitions.
    part
        Name of the part, if it differs from `name`.
    """

    name: str
    side: str
    samples: int
    estimated_seconds: tuple[float, float] = (0, 0)
    rounds: int = 1
    part: str = ""

    def __str__(self) -> str:
        """Return the name of the work in the results."""
        return f"{self.name}, {self.side}"


# Pairs of results, and the function that compares them.
COMPARISONS = {
    ("kernel_search, notebook", "kernel_search, float64"): compare.means,
    ("svm, notebook", "svm, float64"): compare.machines,
    ("points, intelex", "points, float64"): compare.means,
    ("networks, notebook", "networks, float64"): compare.scores,
    ("networks, float32", "networks, float64"): compare.scores,
    ("small_networks, contract", "small_networks, float64"): compare.weights,
    ("winner, contract", "networks, float64"): compare.weights,
    ("clusters, notebook", "clusters, float64"): compare.clusters,
    ("clusters, contract", "clusters, float64"): compare.clusters,
    ("clusters, intelex", "clusters, float64"): compare.clusters,
    ("large_svm, notebook", "large_svm, float64"): compare.machines,
}


def plan(params: Settings, quick: bool) -> list[Work]:
    """List all work in the order of a round."""
    large = QUICK_LARGE if quick else LARGE
    small, many = params.mlp.small_samples, params.mlp.samples
    searched, fitted = params.svm.search_samples, params.svm.samples
    clustered = params.kmeans.samples
    works = [
        Work("whole", "float64", many, (190, 35)),
        Work("whole", "float32", many, (120, 32)),
        Work("noise", "float64", many, (45, 12), ROUNDS),
        Work("small_networks", "notebook", small, (5, 4), ROUNDS, "networks"),
        Work("small_networks", "float64", small, (7, 5), ROUNDS, "networks"),
        Work("networks", "notebook", many, (200, 8), ROUNDS),
        Work("networks", "float64", many, (108, 8), ROUNDS),
        Work("networks", "float32", many, (70, 7)),
        Work("svm", "notebook", fitted, (30, 3), ROUNDS),
        Work("svm", "float64", fitted, (8, 4), ROUNDS),
        Work("clusters", "notebook", clustered, (13, 5), ROUNDS),
        Work("clusters", "float64", clustered, (6, 4), ROUNDS),
        Work("kernel_search", "float64", searched, (47, 8), ROUNDS),
        Work("kernel_search", "notebook", searched, (1050, 14)),
        Work("points", "float64", searched, (22, 5)),
        Work("small_networks", "contract", small, (5, 4), 1, "networks"),
        Work("winner", "contract", many, (16, 3)),
        Work("clusters", "contract", clustered, (17, 5)),
        Work("products", "float64", many, (9, 8)),
        Work("large_svm", "notebook", large, (300, 4)),
        Work("large_svm", "float64", large, (50, 3)),
    ]
    if importlib.util.find_spec("sklearnex"):
        works += [
            Work("points", "intelex", searched, (150, 6)),
            Work("clusters", "intelex", clustered, (8, 5)),
        ]
    return [work._replace(rounds=1) for work in works] if quick else works
