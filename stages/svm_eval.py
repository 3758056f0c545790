"""svm_eval: search for the kernel of a support vector machine.

    data/prepared → models/svm.skops, metrics/svm.json, plots/svm_cv.csv,
                    plots/svm_predictions.csv

    python -m stages.svm_eval

A grid search by cross-validation runs over kernels, C, gamma and degree. It has the results of
scikit-learn's GridSearchCV(SVC()), from one Gram matrix for each pair of classes
(`learn/kernels.py`). The winner is refitted as a plain SVC and tried on the test images. SVC always
computes in float64, so this stage does not read `data.dtype`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages.files import artifacts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import images, kernel_search, one_against_one, scores
from stages.learn.kernel_search import COLUMNS
from stages.run import fits, forecast, records, stage
from stages.run.terminal import print_table, say


def main(params: Settings) -> None:
    """Search, fit the best again; write model, metrics and tables."""
    dataset, svm = prepared.load(), params.svm
    points = kernel_search.grid_points(svm.grid.kernels)
    forecast.check_kernel_search(dataset, svm, points)
    record = records.of_this_clone("svm_eval")
    searched = images.training_set(dataset, svm.search_samples, "svm.search_samples", svm.folds)
    training, training_labels = images.training_set(dataset, svm.samples, "svm.samples", svm.folds)

    # A point's accuracies do not depend on the other points.
    calls = [(*searched, point, svm.folds) for point in points]
    to_do = record.unknown(kernel_search.cross_validate, calls)
    forecast.announce_kernel_search(dataset, svm, [points[i] for i in to_do], points[-1])

    def compute(numbers: list[int]) -> Iterator[tuple[int, Any]]:
        chosen, run = [points[i] for i in numbers], fits.in_threads("svm_eval")
        return zip(
            numbers,
            kernel_search.cross_validate(*searched, chosen, svm.folds, dataset.labels, run),
            strict=True,
        )

    accuracy = np.array(
        record.complete("svm_eval: kernels", kernel_search.cross_validate, calls, compute)
    )
    means = accuracy.mean(axis=1)
    best = int(means.argmax())
    winner = ", ".join(f"{key} {points[best][key]}" for key in COLUMNS if key in points[best])
    say(f"svm_eval: refitting the best, {winner}, to {svm.samples} images")
    model = one_against_one.fit(
        points[best],
        training,
        training_labels,
        dataset.labels,
        fits.in_threads("svm_eval: the best"),
    )
    predicted = one_against_one.predict(
        model, dataset.test_images, fits.in_threads("svm_eval: predicting the test set")
    )
    predicted_training = one_against_one.predict(
        model, training, fits.in_threads("svm_eval: predicting the training set")
    )
    metrics = {
        "samples": svm.samples,
        **points[best],
        "cv_accuracy": float(means[best]),
        "train_error": scores.error(training_labels, predicted_training),
        **scores.of_test_images(dataset.test_labels, predicted),
        "support_vectors": len(model.support_),
    }

    models.write(Path("models/svm.skops"), model)
    artifacts.write_json(Path("metrics/svm.json"), metrics)
    artifacts.write_table(Path("plots/svm_cv.csv"), tables.kernel_folds(points, accuracy))
    artifacts.write_table(
        Path("plots/svm_predictions.csv"),
        tables.predictions(dataset.labels, dataset.test_labels, predicted),
    )
    print_table(
        f"svm_eval: {dataset.name}, accuracy in cross-validation of {svm.search_samples} images",
        [*COLUMNS, "accuracy"],
        [
            [*(point.get(column, "") for column in COLUMNS), f"{mean:.4f}"]
            for point, mean in zip(points, means, strict=True)
        ],
    )
    print_table("svm_eval: the best, refitted", ["", ""], [[k, v] for k, v in metrics.items()])


if __name__ == "__main__":
    stage.run(main)
