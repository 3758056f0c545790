"""compare: network against SVM, few training images against many, and the cluster centres.

    data/prepared, models, metrics, plots/*.csv → metrics/compare.json, plots/mistakes.png,
                                                  plots/weights.png, plots/centres.png

    python -m stages.compare

"Small" is the network that is trained on few images, "large" the one that is trained on many.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.neural_network import MLPClassifier

from stages.files import artifacts, charts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import images, paired, scores
from stages.learn.images import Labels, Pixels
from stages.run import stage
from stages.run.terminal import print_table

PER_CLASS = 2  # mistakes shown of each class
UNITS = 16  # hidden units shown of each network


def mistakes(
    pixels: images.Bytes, actual: Labels, small: Labels, large: Labels, names: list[str]
) -> charts.Block:
    """Test images that the small network gets wrong and the large one right."""
    corrected = (small != actual) & (large == actual)
    shown = [
        row
        for label in range(len(names))
        for row in np.flatnonzero(corrected & (actual == label))[:PER_CLASS]
    ]
    captions = [f"small: {names[small[row]]}\nlarge: {names[large[row]]}" for row in shown]
    return charts.Block(pixels[shown], captions, 10)


def first_weights(coefficients: Pixels, shape: tuple[int, ...], heading: str) -> charts.Block:
    """Incoming weights of the strongest hidden units: grey is zero, black or white the largest."""
    strength = np.square(coefficients.astype(np.float64)).sum(axis=0)
    strongest = np.argsort(-strength, kind="stable")[:UNITS]
    units = coefficients[:, strongest].T
    # All units share one scale. It cuts off the few largest weights, beside which all others
    # would look grey.
    largest = np.quantile(np.abs(units), 0.995) or 1
    grey = charts.greys(units, -largest, largest)
    return charts.Block(grey.reshape(-1, *shape), [""] * len(grey), 4, heading)


def centres(cluster_centers: Pixels, shape: tuple[int, ...], table: pd.DataFrame) -> charts.Block:
    """Cluster centres as images, each with the label it stands for."""
    captions = []
    for number, images_of in table.groupby("cluster"):
        commonest = images_of.loc[images_of["count"].idxmax()]
        share = commonest["count"] / images_of["count"].sum()
        captions.append(f"cluster {number}:\n{share:.0%} {commonest['label']}")
    grey = charts.greys(cluster_centers, 0, 1)
    return charts.Block(grey.reshape(-1, *shape), captions, 5)


def network_or_svm(
    network: paired.Fits, svm: paired.Fits, same_draws: bool, labels: Labels, matters: float
) -> dict[str, float | str]:
    """Say which has the smaller test error on other draws, as a review of two revisions does."""
    fits = (network, svm)
    if min(len(of_model.of_blocks()) for of_model in fits) < 2:
        return {"better": "not known: fewer than two draws"}
    found = paired.estimate(svm.of_blocks(), network.of_blocks(), same_draws)
    words = {paired.WORSE: "svm", paired.BETTER: "mlp", paired.SAME: "no difference that matters"}
    verdict = found.verdict(matters)
    failed = any(of_model.failed(labels) for of_model in fits)
    return {
        "better": "not known: a fit failed to learn" if failed else words.get(verdict, verdict),
        "error_difference": found.difference,
        "error_difference_margin95": found.margin(),
    }


def main(params: Settings) -> None:
    """Compare the models of the earlier stages; write metrics and pictures."""
    dataset = prepared.load()
    actual, names, shape = dataset.test_labels, dataset.labels, dataset.test_images.shape[1:]
    small, large, svm = (
        tables.read_predictions(Path(f"plots/{model}_predictions.csv"), names)
        for model in ("mlp_small", "mlp", "svm")
    )
    network_metrics = artifacts.read_json(Path("metrics/mlp.json"))
    few, many = (network_metrics[size]["samples"] for size in ("small", "large"))
    svm_samples = artifacts.read_json(Path("metrics/svm.json"))["samples"]
    small_network, large_network = (
        models.read(Path(f"models/{model}.skops"), MLPClassifier, shape[0] * shape[1])
        for model in ("mlp_small", "mlp")
    )
    kmeans = models.read(Path("models/kmeans.skops"), KMeans, shape[0] * shape[1])
    contingency = tables.read_contingency(Path("plots/contingency.csv"))
    noise = artifacts.read_json(Path("metrics/noise.json"))
    wrong = tables.read_draws(Path("plots/draws.csv"))
    _, _, p = scores.mcnemar(actual, large, svm)
    metrics = {
        **network_or_svm(
            paired.Fits(wrong["mlp"], noise["mlp"]["large"]["blocks"]),
            paired.Fits(wrong["svm"], noise["svm"]["blocks"]),
            many == svm_samples,
            actual,
            params.noise.matters,
        ),
        "fitted_models_mcnemar_p": p,
        "same_training_images": many == svm_samples,
    }

    artifacts.write_json(Path("metrics/compare.json"), metrics)
    artifacts.write(
        Path("plots/mistakes.png"),
        charts.picture(
            f"Wrong after {few} training images, right after {many} · {dataset.name}",
            [mistakes(dataset.test_images, actual, small, large, names)],
        ),
    )
    artifacts.write(
        Path("plots/weights.png"),
        charts.picture(
            f"Weights of the {UNITS} strongest units, black for, white against · {dataset.name}",
            [
                first_weights(small_network.coefs_[0], shape, f"{few} training images"),
                first_weights(large_network.coefs_[0], shape, f"{many} training images"),
            ],
        ),
    )
    artifacts.write(
        Path("plots/centres.png"),
        charts.picture(
            f"Cluster centres, and the label most of their images have · {dataset.name}",
            [centres(kmeans.cluster_centers_, shape, contingency)],
        ),
    )
    print_table(
        f"compare: {dataset.name}, network against SVM on {len(actual)} test images",
        ["", ""],
        [[key, value] for key, value in metrics.items()],
    )


if __name__ == "__main__":
    stage.run(main)
