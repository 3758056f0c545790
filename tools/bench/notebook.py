"""Do the original notebook's work as its author would write it, in plain scikit-learn.

    python tools/bench/notebook.py networks --samples 10000
    python -m sklearnex tools/bench/notebook.py clusters --samples 2000

The work runs in one process on pixels / 255.0, with scikit-learn's own searches and scores. This
file does not import the pipeline: importing `stages` would set threads and BLAS kernels, which a
user's notebook does not do. It prints the seconds of each step as JSON. With --results it also
writes the resulting arrays.
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

ID = 2016515
ARCHITECTURES = [(10,), (50,), (100,), (10, 10), (50, 50), (100, 100)]
PENALTIES = [1, 10, 100]
KERNELS: list[dict[str, list[Any]]] = [
    {"kernel": ["linear"], "C": PENALTIES},
    {"kernel": ["poly"], "degree": [2], "C": PENALTIES, "gamma": [0.01, 0.1, 1]},
    {"kernel": ["rbf"], "C": PENALTIES, "gamma": [0.01, 0.1, 1]},
]
# Three points of each kernel.
POINTS = [{**kernel, "gamma": [0.1]} if "gamma" in kernel else kernel for kernel in KERNELS]
CLUSTERS = range(2, 16)

Array = npt.NDArray[Any]
Arrays = dict[str, Any]  # arrays, by name


class Data:
    """Shuffled and scaled images.

    Attributes
    ----------
    x, y : training images, float64 of shape (n_samples, 784), and their labels
    test_x, test_y : the official test set
    """

    def __init__(self, folder: Path, samples: int) -> None:
        x, y = read(folder, "train")
        order = np.random.RandomState(ID).permutation(len(x))[:samples]
        self.x, self.y = x[order] / 255.0, y[order]
        test_x, self.test_y = read(folder, "t10k")
        self.test_x = test_x / 255.0


def read(folder: Path, which: str) -> tuple[Array, Array]:
    """Read images, one in each row, and labels."""
    with gzip.open(folder / f"{which}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    with gzip.open(folder / f"{which}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16)
    return images.reshape(len(labels), -1), labels


class Clock:
    """Seconds that named steps took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Time the body of a with statement."""
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start


def network(architecture: tuple[int, ...]) -> MLPClassifier:
    """Return a network with the notebook's settings."""
    return MLPClassifier(
        architecture,
        max_iter=300,
        alpha=1e-4,
        solver="sgd",
        tol=1e-4,
        learning_rate_init=0.1,
        random_state=ID,
    )


def learned(model: MLPClassifier, test_x: Array) -> Arrays:
    """Return the weights of a network, and its predictions for the test images."""
    layers = enumerate(zip(model.coefs_, model.intercepts_, strict=True))
    weights = {f"weights_{i}_{j}": array for i, pair in layers for j, array in enumerate(pair)}
    return {**weights, "predicted": model.predict(test_x)}


def networks(data: Data, clock: Clock) -> Arrays:
    """Search over six architectures by cross-validation, and refit the best one."""
    search = GridSearchCV(network(()), {"hidden_layer_sizes": ARCHITECTURES}, cv=5)
    with clock.time("search"):
        search.fit(data.x, data.y)
    found = learned(search.best_estimator_, data.test_x)
    return {"means": search.cv_results_["mean_test_score"], **found}


def winner(data: Data, clock: Clock) -> Arrays:
    """Fit the best architecture."""
    model = network((100,))
    with clock.time("fit"):
        model.fit(data.x, data.y)
    return learned(model, data.test_x)


def kernel_search(data: Data, clock: Clock, grid: list[dict[str, list[Any]]] = KERNELS) -> Arrays:
    """Search over kernels of an SVM by cross-validation."""
    search = GridSearchCV(SVC(), grid, cv=5, refit=False)
    with clock.time("search"):
        search.fit(data.x, data.y)
    of_fold = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    middle = [point.get("gamma", 0.1) == 0.1 for point in search.cv_results_["params"]]
    return {
        "means": search.cv_results_["mean_test_score"],
        "seconds": 5 * of_fold,
        "is_point": np.array(middle),
    }


def points(data: Data, clock: Clock) -> Arrays:
    """Search over three points of each kernel."""
    return kernel_search(data, clock, POINTS)


def svm(data: Data, clock: Clock, train_error: bool = True) -> Arrays:
    """Fit an SVM with the best kernel; predict the test set and the training set."""
    model = SVC(kernel="rbf", C=10, gamma=0.01)
    with clock.time("fit"):
        model.fit(data.x, data.y)
    with clock.time("score"):
        predicted = model.predict(data.test_x)
        retold = model.predict(data.x) if train_error else data.y[:0]
    return {
        "support": model.support_,
        "coefficients": model.dual_coef_,
        "intercepts": model.intercept_,
        "predicted": predicted,
        "retold": retold,
    }


def large_svm(data: Data, clock: Clock) -> Arrays:
    """Fit the SVM to many images; predict the test set."""
    return svm(data, clock, train_error=False)


def clusters(data: Data, clock: Clock) -> Arrays:
    """Find ten clusters, then 2 to 15 clusters and the silhouette of each number."""
    found, silhouettes = {}, []
    with clock.time("ten"):
        KMeans(n_clusters=10, n_init=10, random_state=ID).fit(data.x)
    with clock.time("silhouettes"):
        for k in CLUSTERS:
            model = KMeans(n_clusters=k, n_init=10, random_state=ID).fit(data.x)
            silhouettes.append(silhouette_score(data.x, model.labels_))
            found[f"labels_{k}"] = model.labels_
    return {**found, "silhouettes": np.array(silhouettes)}


PARTS: dict[str, Callable[[Data, Clock], Arrays]] = {
    part.__name__: part
    for part in (networks, winner, kernel_search, points, svm, large_svm, clusters)
}


def main() -> None:
    """Do one part and print its times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--data", type=Path, default=Path("data/raw"))
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    clock = Clock()
    arrays = PARTS[options.part](Data(options.data, options.samples), clock)
    if options.results:
        np.savez(options.results, **arrays)
    print(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()
