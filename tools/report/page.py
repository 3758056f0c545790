"""The blocks of a report: the study from its data to its clusters, in the order of reading."""

from collections.abc import Iterator

from tools.pages.blocks import Block, Caution, Chart, Heading, Table, Text, Verdict
from tools.pages.results import Results, plots
from tools.report import clusters, findings, models
from tools.report.findings import kernel, sample_count, winner
from tools.report.pictures import picture


def report(results: Results) -> list[Block]:
    """The whole study."""
    specs = plots(results, results)
    charts = {path: Chart(title, specs[title]) for path, title in results.charts.items()}
    return [
        Heading(f"The study: {results.metrics['data']['dataset']}", 1),
        *([Caution(f"Stale: {'; '.join(results.stale)}.")] if results.stale else []),
        Verdict(summary(results)),
        *data(results),
        *models.networks(results, charts),
        *models.kernels(results, charts),
        *models.network_or_svm(results),
        *models.mistakes(results, charts),
        *clusters.clusters(results, charts),
        *clusters.number_of_clusters(results, charts),
        *original(results),
        *remaining(charts),
    ]


def summary(results: Results) -> str:
    """The findings in a sentence or two."""
    metrics = results.metrics
    network, svm, kmeans = metrics["mlp"]["large"], metrics["svm"], metrics["kmeans"]
    return (
        f"The best network ({winner(network)}, {sample_count(network)} images) errs on "
        f"{network['test_error']:.1%} of the test images, the best support vector machine "
        f"({kernel(svm)}, {sample_count(svm)} images) on {svm['test_error']:.1%}. Silhouettes "
        f"choose {kmeans['best_k']} clusters."
    )


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


def remaining(charts: dict[str, Chart]) -> Iterator[Block]:
    """Charts that no section has shown."""
    if charts:
        yield Heading("Other plots")
    yield from charts.values()
