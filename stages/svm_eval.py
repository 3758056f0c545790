"""svm_eval: which kernel for a support vector machine.

    data/prepared → models/svm.skops, metrics/svm.json, plots/svm_cv.csv,
                    plots/svm_predictions.csv

    python -m stages.svm_eval

A grid search by cross-validation over kernels, C, gamma and degree, with the results of
scikit-learn's GridSearchCV(SVC()), through one matrix of products (`common/kernels.py`). The
winner is fitted again as a plain SVC and tried on the test images. SVC computes in float64
whatever it is given, so `data.dtype` is no concern of this stage.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.svm import SVC

from stages.errors import UserError
from stages.files import artifacts, models, prepared
from stages.files.settings import Grid, Settings
from stages.learn import images, kernels, one_against_one, scores
from stages.learn.images import Bytes, Labels
from stages.run import fits, memory, stage
from stages.run.terminal import print_table, say

COLUMNS = ["kernel", "C", "gamma", "degree"]
PARAMETERS = {"linear": COLUMNS[:2], "rbf": COLUMNS[:3], "poly": COLUMNS}
PER_SCORE = 3e-9  # seconds that one image takes with one other, at one point


def points_of(grid: Grid) -> list[dict[str, Any]]:
    """The points of a grid, as arguments of SVC, in scikit-learn's own order."""
    tried = {name: dict(values) for name, values in grid if values is not None}
    return list(ParameterGrid([{"kernel": [name], **values} for name, values in tried.items()]))


def point_of(model: SVC) -> dict[str, Any]:
    """The point of a grid at which an SVC was fitted."""
    return {name: getattr(model, name) for name in PARAMETERS[model.kernel]}


def cross_validate(
    chosen: Bytes, labels: Labels, points: list[dict[str, Any]], folds: int, names: list[str]
) -> kernels.Floats:
    """Accuracy of SVC at each point, in each fold.

    Parameters
    ----------
    chosen : uint8 array of shape (n_images, height, width)
    labels : int64 array of shape (n_images,)
    points : list of dict
        Arguments of SVC.
    folds : int
    names : list of str
        Names of the classes, for the progress.

    Returns
    -------
    float64 array of shape (n_points, n_folds)
        What `GridSearchCV(SVC(), points, cv=folds)` finds on pixels / 255.
    """
    classes = len(names)
    fold_of = np.empty(len(labels), dtype=np.int64)
    gammas = np.zeros((len(points), folds))
    splits = StratifiedKFold(folds).split(chosen, labels)
    for fold, (training, test) in enumerate(splits):
        fold_of[test] = fold
        gammas[:, fold] = gammas_of(points, chosen[training])
    rows = [np.flatnonzero(labels == label) for label in range(classes)]
    by_class = [chosen[r] for r in rows]
    folds_by_class = [fold_of[r] for r in rows]

    pairs = kernels.pairs(classes)
    fitted = fits.run(
        "svm_eval: pairs of classes",
        kernels.fit_pair,
        [
            fits.Task(
                f"{names[a]} or {names[b]}",
                (
                    points,
                    gammas,
                    by_class[a],
                    by_class[b],
                    folds_by_class[a],
                    folds_by_class[b],
                ),
                kernels.seconds(points, folds, by_class[a], by_class[b]),
            )
            for a, b in pairs
        ],
        threads=True,
    )
    coefficients = [np.zeros((len(points), folds, len(r), classes - 1)) for r in rows]
    for (a, b), (of_pair, _) in zip(pairs, fitted, strict=True):
        coefficients[a][..., b - 1] = of_pair[..., : len(rows[a])]
        coefficients[b][..., a] = of_pair[..., len(rows[a]) :]
    scored = fits.run(
        "svm_eval: held-out images",
        kernels.score_class,
        [
            fits.Task(
                names[label],
                (points, gammas, chosen, fold_of, by_class[label], coefficients[label]),
                len(points) * len(chosen) * len(rows[label]) * PER_SCORE,
            )
            for label in range(classes)
        ],
        threads=True,
    )
    accuracy = np.zeros((len(points), folds))
    for i in range(len(points)):
        intercepts = np.stack([of_pair[i, fold_of] for _, of_pair in fitted])
        predicted, _ = kernels.vote([of_class[i] for of_class in scored], intercepts)
        right = predicted == labels
        accuracy[i] = [right[fold_of == fold].mean() for fold in range(folds)]
    return accuracy


def expected(chosen: Bytes, labels: Labels, points: list[dict[str, Any]], folds: int) -> float:
    """About how long it takes to fit points of a grid in so many folds, in seconds."""
    by_class = [chosen[labels == label] for label in np.unique(labels)]
    pairs = kernels.pairs(len(by_class))
    fitting = sum(kernels.seconds(points, folds, by_class[a], by_class[b]) for a, b in pairs)
    return fitting + len(points) * len(chosen) ** 2 * PER_SCORE


def taken_by_search(
    counts: list[int], pixels: int, points: list[dict[str, Any]], folds: int
) -> float:
    """Bytes that a search takes, at most.

    Parameters
    ----------
    counts : list of int
        Images of each class.
    pixels : int
        Of an image.
    points : list of dict
    folds : int

    Notes
    -----
    First, for each pair at a time, products and kernel in float64, besides which there are in
    float32 the products' parts, then the rows that libsvm keeps; and the coefficients of all
    pairs. Then these twice, what each class says of each image, and for each class at a time
    products and kernel of held-out images.
    """
    samples = sum(counts)
    held_out = samples / folds

    def pair(size: int) -> float:
        return 20 * size**2 + 16 * size * pixels + memory.kept(4 * size**2)

    def score(count: int) -> float:
        passing = 4 * held_out * count + pixels * (5 * held_out + 4 * count)
        return 16 * held_out * count + passing + memory.kept(passing)

    pairs = [counts[a] + counts[b] for a, b in kernels.pairs(len(counts))]
    said = 8 * len(points) * samples * (len(counts) - 1)
    return pixels * samples + max(
        folds * said + most(pair, pairs),
        (2 * folds + len(counts)) * said + most(score, counts),
        scale_takes(samples, pixels, points),
    )


def taken_by_fit(counts: list[int], pixels: int, points: list[dict[str, Any]]) -> float:
    """Bytes that the last fit and its predictions take, at most; see `taken_by_search`.

    Notes
    -----
    First the kernels of all classes in float32, for each pair at a time the whole kernel in
    float64, and the rows that libsvm keeps. Or, besides the kernels, the support vectors while they
    are scaled, two in five images of Fashion-MNIST. Then these, and for training and test images
    products and kernel with a chunk of them; at last three copies of them, when they are written.
    """
    samples = sum(counts)
    vectors = round(0.4 * samples)
    own = sum(4 * count**2 for count in counts)

    def pair(size: int) -> float:
        rows = min(4 * size**2, one_against_one.CACHE * 2**20)
        return 8 * size**2 + rows + memory.kept(3 * kernels.CHUNK * size)

    pairs = [counts[a] + counts[b] for a, b in kernels.pairs(len(counts))]
    return pixels * samples + max(
        own + most(pair, pairs),
        own + 16 * pixels * vectors,
        vectors * (32 * pixels + 8 * kernels.CHUNK),
        vectors * (8 * pixels + fits.here() * (12 * kernels.CHUNK + 8 * pixels)),
        scale_takes(samples, pixels, points),
    )


def most(taken: Callable[[int], float], sizes: list[int]) -> float:
    """Bytes that the largest tasks take at most, of those that run here at once."""
    return sum(map(taken, sorted(sizes, reverse=True)[: fits.here()]))


def scale_takes(samples: int, pixels: int, points: list[dict[str, Any]]) -> float:
    """Bytes that the variance of all pixels takes, if gamma = scale asks for it."""
    return 16 * samples * pixels if any(p.get("gamma") == "scale" for p in points) else 0


def gammas_of(points: list[dict[str, Any]], training: Bytes) -> list[float]:
    """Gamma of each point as a number; 0 for a kernel that has none."""
    scale = kernels.scale_gamma(training) if any(p.get("gamma") == "scale" for p in points) else 0
    return [scale if p.get("gamma") == "scale" else p.get("gamma", 0) for p in points]


def cv_table(points: list[dict[str, Any]], accuracy: kernels.Floats) -> pd.DataFrame:
    """Accuracy of each point in each fold; what a kernel does not have stays empty."""
    return pd.DataFrame(
        [
            [*(str(point.get(column, "")) for column in COLUMNS), fold, value]
            for point, values in zip(points, accuracy, strict=True)
            for fold, value in enumerate(values, start=1)
        ],
        columns=[*COLUMNS, "fold", "accuracy"],
    )


@contextmanager
def beyond_bounds() -> Iterator[None]:
    """Say of a kernel too large for SVC that it is: of gamma as a number `fetch` has seen to it.

    Raises
    ------
    UserError
    """
    try:
        yield
    except ValueError as error:
        if "not finite" not in str(error):
            raise
        raise UserError(
            "params.yaml: a kernel grew beyond all bounds; svm.grid.poly.degree is too large "
            "for gamma = scale, or svm.grid.poly.gamma is."
        ) from None


def main(params: Settings) -> None:
    """Search, fit the best again; write model, metrics and tables."""
    dataset, svm = prepared.load(), params.svm
    points, size = points_of(svm.grid), dataset.test_images[0].size

    def counts(samples: int) -> list[int]:
        return np.bincount(dataset.train_labels[:samples], minlength=len(dataset.labels)).tolist()

    memory.check(
        svm.search_samples,
        "svm.search_samples",
        lambda samples: taken_by_search(counts(samples), size, points, svm.folds),
    )
    memory.check(
        svm.samples, "svm.samples", lambda samples: taken_by_fit(counts(samples), size, points)
    )
    searched, labels = images.training_set(
        dataset, svm.search_samples, "svm.search_samples", svm.folds
    )
    training, training_labels = images.training_set(dataset, svm.samples, "svm.samples", svm.folds)
    fits.announce(
        "svm_eval",
        expected(searched, labels, points, svm.folds)
        + expected(training, training_labels, points[-1:], 1),  # whichever will be the best
    )
    with beyond_bounds():
        accuracy = cross_validate(searched, labels, points, svm.folds, dataset.labels)
    means = accuracy.mean(axis=1)
    best = int(means.argmax())
    winner = ", ".join(f"{key} {points[best][key]}" for key in COLUMNS if key in points[best])
    say(f"svm_eval: fitting the best, {winner}, to {svm.samples} images")
    with beyond_bounds():
        model = one_against_one.fit(
            points[best], training, training_labels, dataset.labels, "svm_eval: the best"
        )
    predicted, retold = (
        one_against_one.predict(model, wanted, f"svm_eval: {which} images")
        for which, wanted in (("test", dataset.test_images), ("training", training))
    )
    metrics = {
        "samples": svm.samples,
        **points[best],
        "cv_accuracy": float(means[best]),
        "train_error": scores.error(training_labels, retold),
        "test_error": scores.error(dataset.test_labels, predicted),
        "test_error_margin95": scores.wilson_margin(dataset.test_labels, predicted),
        "support_vectors": len(model.support_),
    }

    models.write(Path("models/svm.skops"), model)
    artifacts.write_json(Path("metrics/svm.json"), metrics)
    artifacts.write_table(Path("plots/svm_cv.csv"), cv_table(points, accuracy))
    artifacts.write_table(
        Path("plots/svm_predictions.csv"),
        scores.table(dataset.labels, dataset.test_labels, predicted),
    )
    print_table(
        f"svm_eval: {dataset.name}, accuracy in cross-validation of {svm.search_samples} images",
        [*COLUMNS, "accuracy"],
        [
            [*(point.get(column, "") for column in COLUMNS), f"{mean:.4f}"]
            for point, mean in zip(points, means, strict=True)
        ],
    )
    print_table("svm_eval: the best, fitted again", ["", ""], [[k, v] for k, v in metrics.items()])


if __name__ == "__main__":
    stage.run(main)
