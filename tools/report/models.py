"""The report's sections on networks and SVM: searches, winners, mistakes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tools.pages import confusion
from tools.pages.blocks import Block, Chart, Gallery, Heading, Table, Text
from tools.pages.results import DRAWS, MODELS, Results, draws
from tools.report import findings
from tools.report.findings import error_with_margin, kernel, sample_count
from tools.report.pictures import picture

MISTAKES_SHOWN = 24
SIZES = {"small": "few images", "large": "many images"}


def networks(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Show the search over architectures and its winners, with few images and with many."""
    winners = results.metrics["mlp"]
    table = results.table("mlp_cv")
    folds = table.groupby(["samples", "architecture"], sort=False)["accuracy"]
    means, deviations = folds.mean(), folds.std()
    yield Heading("Neural networks")
    yield Text(
        f"The search compares {table['architecture'].nunique()} architectures by cross-validation "
        f"in {results.params['mlp.folds']} folds, once with {sample_count(winners['small'])} "
        f"images and once with {sample_count(winners['large'])}. Each search refits its best "
        "architecture on all its images."
    )
    yield Table(
        "Accuracy in cross-validation: mean ± standard deviation of the folds",
        [
            "units in each hidden layer",
            *(f"{sample_count(winners[size])} images" for size in SIZES),
        ],
        [
            [
                name,
                *(
                    f"{means[winners[size]['samples'], name]:.4f} ± "
                    f"{deviations[winners[size]['samples'], name]:.4f}"
                    for size in SIZES
                ),
            ]
            for name in table["architecture"].unique()
        ],
        2,
    )
    yield from _width_or_depth(means[winners["large"]["samples"]], sample_count(winners["large"]))
    yield charts.pop("plots/mlp_cv.csv")
    yield Table(
        "The best networks",
        ["", *SIZES.values()],
        [
            ["images", *(sample_count(winners[size]) for size in SIZES)],
            ["units in each hidden layer", *(winners[size]["architecture"] for size in SIZES)],
            ["training error", *(f"{winners[size]['train_error']:.4f}" for size in SIZES)],
            ["test error", *(error_with_margin(winners[size]) for size in SIZES)],
            ["epochs", *(str(winners[size]["epochs"]) for size in SIZES)],
        ],
        2,
    )
    yield charts.pop("plots/mlp_loss.csv")
    yield from picture(
        results,
        "mistakes",
        "Test images that the network trained on few images gets wrong, and the one trained on "
        "many gets right",
    )
    yield Text(
        "Each image below shows the incoming weights of one hidden unit, after training on few "
        "images and on many."
    )
    yield from picture(results, "weights", "Weights of hidden units")


def _width_or_depth(means: "pd.Series[float]", samples: str) -> Iterator[Block]:
    """Compare the gain from more units with the gain from more layers, if the search has both."""
    one_layer = means[~means.index.str.contains("-")]
    more_layers = means[means.index.str.contains("-")]
    if len(one_layer) < 2 or more_layers.empty:
        return
    worst, best, best_deep = one_layer.idxmin(), one_layer.idxmax(), more_layers.idxmax()
    width, depth = one_layer[best] - one_layer[worst], more_layers[best_deep] - one_layer[best]
    finding = (
        "More units help more than more layers do, as the original found"
        if width > depth
        else "More layers help more than more units do, contrary to the original study"
    )
    yield Text(
        f"{finding}: with {samples} images and one layer, accuracy changes by {width:+.4f} from "
        f"{worst} to {best} units. From {best} to {best_deep}, the best network with several "
        f"layers, it changes by {depth:+.4f}."
    )


def kernels(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Show the search over kernels and its winner."""
    svm = results.metrics["svm"]
    points = results.kernels()
    yield Heading("Support vector machines")
    yield Text(
        f"The search compares {len(points)} kernels by cross-validation in "
        f"{results.params['svm.folds']} folds of {results.params['svm.search_samples']:,} images."
    )
    best = sorted(points.items(), key=lambda point: -point[1].mean)[:5]
    yield Table(
        "The best kernels",
        ["", "accuracy in cross-validation"],
        [[name, f"{folds.mean:.4f}"] for name, folds in best],
        1,
    )
    yield charts.pop("plots/svm_cv.csv")
    yield Text(
        f"The best kernel is {kernel(svm)}. The SVM with it is fitted to {sample_count(svm)} "
        f"images and keeps {svm['support_vectors']:,} of them as support vectors. Its training "
        f"error is {svm['train_error']:.4f}, its test error {error_with_margin(svm)}."
    )


def network_or_svm(results: Results) -> Iterator[Block]:
    """Say which model has the lower test error, on other draws."""
    answer = findings.network_or_svm(results)
    yield Heading("Network or SVM?")
    yield Table(
        "Both on the same test images",
        ["", "training images", "test error", "error on other draws"],
        [
            [
                model.name,
                sample_count(model.of(results.metrics)),
                error_with_margin(model.of(results.metrics)),
                draws(results, model),
            ]
            for model in MODELS[1:]
        ],
        3,
    )
    how = (
        " Both were fitted to other draws of training images, and are compared image by image. A "
        f"difference of less than {results.params['noise.matters']:g} does not matter."
        if results.content(DRAWS)
        else ""
    )
    yield Text(f"**{answer[0].upper()}{answer[1:]}.**{how}")


def mistakes(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Show which classes and which images the models misclassify."""
    names = results.labels
    predictions = {model: results.predictions(model) for model in MODELS}
    yield Heading("Their mistakes")
    yield Table(
        "Share of each class's test images that the model misclassifies",
        ["", *(model.name for model in MODELS)],
        [
            [
                name,
                *(
                    f"{(predicted[actual == i] != i).mean():.3f}"
                    for actual, predicted in predictions.values()
                ),
            ]
            for i, name in enumerate(names)
            if (next(iter(predictions.values()))[0] == i).any()
        ],
        len(MODELS),
    )
    best = min(MODELS[1:], key=lambda model: model.of(results.metrics)["test_error"])
    actual, predicted = predictions[best]
    matrix = confusion.matrix(len(names), actual, predicted)
    yield Table(
        f"Most frequent confusions of the better model, {best.name}",
        ["true label", "predicted label", "images"],
        confusion.most_confused(names, matrix),
        1,
    )
    for model in MODELS:
        yield charts.pop(f"plots/{model.stem}_predictions.csv")
    pictures = results.test_images(actual)
    wrong = np.flatnonzero(actual != predicted)[:MISTAKES_SHOWN]
    if pictures is not None and len(wrong):
        yield Gallery(
            f"Its first {len(wrong)} mistakes: image number, true label, prediction",
            pictures[wrong],
            [f"{i}: {names[actual[i]]}\npredicted: {names[predicted[i]]}" for i in wrong],
        )
