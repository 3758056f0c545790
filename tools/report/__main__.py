"""The study as a reader would want it: data, searches, winners, mistakes, clusters.

    python -m tools.report                     # the results in the workspace
    python -m tools.report v1                  # those of a branch, tag, commit or experiment
    python -m tools.report --readme            # write the table of results in README.md anew

Writes report.md, complete without pictures, and report.html, one file with charts and images.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import stages  # noqa: F401 - before NumPy is loaded

# isort: split
import numpy as np
import pandas as pd

from stages.run.terminal import say
from tools.pages import confusion, findings, markdown, program
from tools.pages.blocks import (
    Bars,
    Block,
    Caution,
    Chart,
    Gallery,
    Heading,
    Picture,
    Table,
    Text,
    Verdict,
)
from tools.pages.findings import count, error, kernel, winner
from tools.pages.results import MODELS, Results, draws, plots
from tools.review import verdicts
from tools.shared import readme
from tools.shared.arguments import Parser

SHOWN = 24  # mistakes
COMMAND = "python -m tools.report --readme"
PLAN = {"small": "few images", "large": "many images"}


def report(results: Results) -> list[Block]:
    """The whole study."""
    drawn = plots(results, results)
    charts = {path: Chart(title, drawn[title]) for path, title in results.charts.items()}
    return [
        Heading(f"The study: {results.metrics['data']['dataset']}", 1),
        *(Caution(f"Stale: {sentence}.") for sentence in results.stale),
        Verdict(summary(results)),
        *data(results),
        *networks(results, charts),
        *kernels(results, charts),
        *network_or_svm(results),
        *mistakes(results, charts),
        *clusters(results, charts),
        *number_of_clusters(results, charts),
        *original(results),
        *others(charts),
    ]


def original(results: Results) -> Iterator[Block]:
    """What the notebook found, where these are results on its images."""
    if results.metrics["data"]["dataset"] != findings.DATASET:
        return
    yield Heading("Beside the original's findings")
    title = "What the notebook found, and what these results say"
    yield Table(title, findings.HEAD, findings.findings(results))
    yield Text(
        "The notebook tested on the training images that it had not trained on; here the test "
        "images are the official ones, on which errors are about a point higher."
    )


def others(charts: dict[str, Chart]) -> Iterator[Block]:
    """Charts that no section has shown."""
    if charts:
        yield Heading("Other plots")
    yield from charts.values()


def summary(results: Results) -> str:
    """The findings in a sentence or two."""
    metrics = results.metrics
    network, svm, kmeans = metrics["mlp"]["large"], metrics["svm"], metrics["kmeans"]
    return (
        f"The best network ({winner(network)}, {count(network)} images) errs on "
        f"{network['test_error']:.1%} of the test images, the best support vector machine "
        f"({kernel(svm)}, {count(svm)} images) on {svm['test_error']:.1%}. Silhouettes choose "
        f"{kmeans['best_k']} clusters."
    )


def picture(results: Results, name: str, title: str) -> Iterator[Block]:
    """A committed picture."""
    content = results.content(f"plots/{name}.png")
    if content is not None:
        yield Picture(title, content)


def data(results: Results) -> Iterator[Block]:
    """What the study is of."""
    about = results.metrics["data"]
    yield Heading("The data")
    yield Text(
        f"{about['dataset']}: {sum(about['train'].values()):,} training and "
        f"{sum(about['test'].values()):,} test images of {about['image_shape']} grey pixels, in "
        f"{len(results.labels)} classes. The training images are put into a fixed order by the "
        f"seed {results.params['seed']}; a study with m images takes the first m."
    )
    yield Table(
        "Images of each class",
        ["", "training", "test"],
        [[n, f"{about['train'][n]:,}", f"{about['test'][n]:,}"] for n in results.labels],
        2,
    )
    yield from picture(results, "data", "Images of each class")


def networks(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """The search over architectures, its winners, few images beside many."""
    found = results.metrics["mlp"]
    table = results.table("mlp_cv")
    folds = table.groupby(["samples", "architecture"], sort=False)["accuracy"]
    means, spread = folds.mean(), folds.std()
    yield Heading("Neural networks")
    yield Text(
        f"{table['architecture'].nunique()} architectures were compared by cross-validation in "
        f"{results.params['mlp.folds']} folds, once with {count(found['small'])} images and once "
        f"with {count(found['large'])}. The best of each was then fitted to all of them."
    )
    yield Table(
        "Accuracy in cross-validation, mean and standard deviation of the folds",
        ["units in each hidden layer", *(f"{count(found[size])} images" for size in PLAN)],
        [
            [
                name,
                *(
                    f"{means[found[size]['samples'], name]:.4f} ± "
                    f"{spread[found[size]['samples'], name]:.4f}"
                    for size in PLAN
                ),
            ]
            for name in table["architecture"].unique()
        ],
        2,
    )
    yield from width_or_depth(means[found["large"]["samples"]], count(found["large"]))
    yield charts.pop("plots/mlp_cv.csv")
    yield Table(
        "The best networks",
        ["", *PLAN.values()],
        [
            ["images", *(count(found[size]) for size in PLAN)],
            ["units in each hidden layer", *(found[size]["architecture"] for size in PLAN)],
            ["training error", *(f"{found[size]['train_error']:.4f}" for size in PLAN)],
            ["test error", *(error(found[size]) for size in PLAN)],
            ["epochs", *(str(found[size]["epochs"]) for size in PLAN)],
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


def width_or_depth(means: "pd.Series[float]", samples: str) -> Iterator[Block]:
    """Do more units help more, or more layers? The original's question, where it can be asked."""
    flat = means[~means.index.str.contains("-")]
    deep = means[means.index.str.contains("-")]
    if len(flat) < 2 or deep.empty:
        return
    least, best, deepest = flat.idxmin(), flat.idxmax(), deep.idxmax()
    width, depth = flat[best] - flat[least], deep[deepest] - flat[best]
    finding = (
        "More units help more than more layers do, as the original found"
        if width > depth
        else "More layers help more than more units do, other than the original found"
    )
    yield Text(
        f"{finding}: with {samples} images accuracy moves by {width:+.4f} from {least} to {best} "
        f"units in one layer, and by {depth:+.4f} from there to the best of more layers, {deepest}."
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
        f"The best, {kernel(svm)}, fitted to {count(svm)} images, keeps {svm['support_vectors']:,} "
        f"of them as support vectors; its training error is {svm['train_error']:.4f}, its test "
        f"error {error(svm)}."
    )


def network_or_svm(results: Results) -> Iterator[Block]:
    """Which of the two to use, and how sure one can be."""
    change, word = findings.network_or_svm(results)
    yield Heading("Network or SVM?")
    yield Table(
        "Both on the same test images",
        ["", "training images", "test error", "on other draws"],
        [
            [
                model.name,
                count(model.of(results.metrics)),
                error(model.of(results.metrics)),
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
        }[word]
    )


def mistakes(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Which classes, and which images, the models get wrong."""
    names = results.labels
    told = {model: results.predictions(model) for model in MODELS}
    yield Heading("Their mistakes")
    yield Table(
        "Share of each class's test images that is given a wrong label",
        ["", *(model.name for model in MODELS)],
        [
            [
                name,
                *(
                    f"{(predicted[actual == i] != i).mean():.3f}"
                    for actual, predicted in told.values()
                ),
            ]
            for i, name in enumerate(names)
            if (next(iter(told.values()))[0] == i).any()
        ],
        len(MODELS),
    )
    best = min(MODELS[1:], key=lambda model: model.of(results.metrics)["test_error"])
    actual, predicted = told[best]
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
    wrong = np.flatnonzero(actual != predicted)[:SHOWN]
    if pictures is not None and len(wrong):
        yield Gallery(
            f"Its first {len(wrong)} mistakes: number, true label, prediction",
            pictures[wrong],
            [f"{i}: {names[actual[i]]}\ntaken for {names[predicted[i]]}" for i in wrong],
        )


def clusters(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """Clusters against labels."""
    kmeans = results.metrics["kmeans"]
    images = results.silhouettes(kmeans["clusters"])
    yield Heading("Clusters")
    yield Text(
        f"K-means puts {count(kmeans)} images into {kmeans['clusters']} clusters without a look at "
        f"their labels. If each cluster stood for the label that most of its images have, "
        f"{kmeans['purity']:.1%} of the images would be named rightly (purity); the adjusted Rand "
        f"index is {kmeans['adjusted_rand']:.4f}, the normalized mutual information "
        f"{kmeans['normalized_mutual_info']:.4f} (1 is agreement, 0 chance)."
    )
    yield Table(
        "The clusters",
        ["cluster", "most of", "images", "of that label", "mean silhouette"],
        [
            [
                str(number),
                str(of_one["label"].mode()[0]),
                str(len(of_one)),
                f"{(of_one['label'] == of_one['label'].mode()[0]).mean():.0%}",
                f"{of_one['silhouette'].mean():.4f}",
            ]
            for number, of_one in images.groupby("cluster")
        ],
        3,
    )
    yield charts.pop("plots/contingency.csv")
    yield from picture(results, "centres", "Cluster centres")


def number_of_clusters(results: Results, charts: dict[str, Chart]) -> Iterator[Block]:
    """How many clusters, and why."""
    kmeans = results.metrics["kmeans"]
    by_k = results.table("silhouette").set_index("k")["silhouette"]
    best = kmeans["best_k"]
    parts = results.silhouettes(best)
    yield Heading("How many clusters?")
    others = by_k.drop(best)
    second = f"; next is {others.idxmax()} with {others.max():.4f}" if len(others) else ""
    yield Text(
        f"**{best}.** A silhouette says how much nearer an image is to its own cluster than to the "
        f"next one, from -1 to 1. Its mean over all images is largest for k = {best}, "
        f"{by_k[best]:.4f}{second}; for k = {kmeans['clusters']} it is {kmeans['silhouette']:.4f}."
    )
    home = parts.groupby("label")["cluster"].agg(lambda of: of.mode()[0])
    groups = [
        ", ".join(name for name in results.labels if home.get(name) == number)
        for number in sorted(parts["cluster"].unique())
    ]
    yield Text(
        f"These {best} clusters part the classes, by where most of their images are, into: "
        + "; ".join(group or "(no class of its own)" for group in groups)
        + "."
    )
    last = int(by_k.index.max())
    if best != last:
        yield Text(
            f"With {last} clusters, the most that were tried, the mean is {by_k[last]:.4f}: images "
            "are then nearer to the next cluster, measured by how near they are to their own."
        )
    yield Bars(
        "Mean silhouette by number of clusters",
        [f"k = {k}" for k in by_k.index],
        {"": by_k.tolist()},
    )
    yield charts.pop("plots/silhouette.csv")
    yield charts.pop("plots/silhouette_samples.csv")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files, or README's table."""
    options = parse(arguments)
    results = Results(options.revision)
    if options.readme:
        readme.write(COMMAND, table(results))
        say(str(readme.README))
    else:
        program.write(options.out, "report", report(results))


def table(results: Results) -> str:
    """The table of results, as README shows it."""
    return markdown.table(findings.HEAD, findings.findings(results), 0) + "\n"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="REV", nargs="?", help="default: the workspace")
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR")
    parser.add_argument("--readme", action="store_true", help="write README's table of results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    program.run(main)
