"""The networks and the support vector machine of a report: searches, winners, mistakes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tools.pages import confusion
from tools.pages.blocks import Block, Chart, Gallery, Heading, Table, Text
from tools.pages.results import MODELS, Results, draws
from tools.report import findings
from tools.report.findings import error_with_margin, kernel, sample_count
from tools.report.pictures import picture
from tools.review import verdicts

MISTAKES_SHOWN = 24
SIZES = {"small": "few images", "large": "many images"}


def networks(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """The search over architectures, its winners, few images beside many."""
    winners = results.metrics["mlp"]
    table = results.table("mlp_cv")
    folds = table.groupby(["samples", "architecture"], sort=False)["accuracy"]
    means, deviations = folds.mean(), folds.std()
    yield Heading("Neural networks")
    yield Text(
        f"{table['architecture'].nunique()} architectures were compared by cross-validation in "
        f"{results.params['mlp.folds']} folds, once with {sample_count(winners['small'])} images "
        f"and once with {sample_count(winners['large'])}. The best of each was then fitted to all "
        "of them."
    )
    yield Table(
        "Accuracy in cross-validation, mean and standard deviation of the folds",
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
        results, "mistakes", "Test images that the small network gets wrong and the large one right"
    )
    yield Text(
        "What hidden units look at, after few training images and after many: an image of its "
        "weights for each unit."
    )
    yield from picture(results, "weights", "Weights of hidden units")


def _width_or_depth(means: "pd.Series[float]", samples: str) -> Iterator[Block]:
    """Do more units help more, or more layers? The original's question, where it can be asked."""
    one_layer = means[~means.index.str.contains("-")]
    more_layers = means[means.index.str.contains("-")]
    if len(one_layer) < 2 or more_layers.empty:
        return
    worst, best, best_deep = one_layer.idxmin(), one_layer.idxmax(), more_layers.idxmax()
    width, depth = one_layer[best] - one_layer[worst], more_layers[best_deep] - one_layer[best]
    finding = (
        "More units help more than more layers do, as the original found"
        if width > depth
        else "More layers help more than more units do, other than the original found"
    )
    yield Text(
        f"{finding}: with {samples} images accuracy moves by {width:+.4f} from {worst} to {best} "
        f"units in one layer, and by {depth:+.4f} from there to the best of more layers, "
        f"{best_deep}."
    )


def kernels(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """The search over kernels, and its winner."""
    svm = results.metrics["svm"]
    points = results.kernels()
    yield Heading("Support vector machines")
    yield Text(
        f"{len(points)} kernels were compared by cross-validation in "
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
        f"The best, {kernel(svm)}, fitted to {sample_count(svm)} images, keeps "
        f"{svm['support_vectors']:,} of them as support vectors; its training error is "
        f"{svm['train_error']:.4f}, its test error {error_with_margin(svm)}."
    )


def network_or_svm(results: Results) -> Iterator[Block]:
    """Which of the two to use, and how sure one can be."""
    change, verdict = findings.network_or_svm(results)
    yield Heading("Network or SVM?")
    yield Table(
        "Both on the same test images",
        ["", "training images", "test error", "on other draws"],
        [
            [
                model.name,
                sample_count(model.of(results.metrics)),
                error_with_margin(model.of(results.metrics)),
                draws(results.noise(model)),
            ]
            for model in MODELS[1:]
        ],
        3,
    )
    better, worse = ("SVM", "network") if change.difference < 0 else ("network", "SVM")
    amount = f"{abs(change.difference):.4f} ± {change.margin:.4f}"
    yield Text(
        {
            verdicts.REAL: f"**The {better}.** Its error is lower by {amount}, which is real: the "
            "two models differ on these images, and models like them do after other draws of "
            "training images and first weights.",
            verdicts.NOISE: f"Either. The error of the {better} is lower by {amount}, which is "
            f"within the noise of the seed: after another draw the {worse} may do as well.",
            verdicts.NONE: "Either: both make as many mistakes.",
            verdicts.UNKNOWN: f"The error of the {better} is lower by {amount}; how far it "
            "moves by chance is not known.",
        }[verdict]
    )


def mistakes(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Which classes, and which images, the models get wrong."""
    names = results.labels
    predictions = {model: results.predictions(model) for model in MODELS}
    yield Heading("Their mistakes")
    yield Table(
        "Share of each class's test images that is given a wrong label",
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
        f"What the better one, {best.name}, takes for what most often",
        ["true label", "taken for", "images"],
        confusion.most_confused(names, matrix),
        1,
    )
    for model in MODELS:
        yield charts.pop(f"plots/{model.stem}_predictions.csv")
    pictures = results.test_images(actual)
    wrong = np.flatnonzero(actual != predicted)[:MISTAKES_SHOWN]
    if pictures is not None and len(wrong):
        yield Gallery(
            f"Its first {len(wrong)} mistakes: number, true label, prediction",
            pictures[wrong],
            [f"{i}: {names[actual[i]]}\ntaken for {names[predicted[i]]}" for i in wrong],
        )
