"""Build the report page, from the data to the clusters."""

from collections.abc import Iterator

from tools.pages.blocks import Block, Caution, Chart, Folded, Heading, Table, Text, Verdict
from tools.pages.results import Results, plots
from tools.report import cards, clusters, errors, findings, models
from tools.report.findings import kernel, sample_count, winner
from tools.report.pictures import picture


def report(results: Results) -> list[Block]:
    """Return all blocks of the report."""
    specs = plots([results, results])
    charts = {path: Chart(title, specs[title]) for path, title in results.charts.items()}
    return [
        Heading(f"The study: {results.metrics['data']['dataset']}", 1),
        *(
            [Caution(f"The results are stale: {'; '.join(results.stale)}.")]
            if results.stale
            else []
        ),
        Verdict(summary(results)),
        errors.of_models(results),
        *data(results),
        *models.networks(results, charts),
        *models.kernels(results, charts),
        *models.network_or_svm(results),
        *models.mistakes(results, charts),
        *clusters.clusters(results, charts),
        *clusters.number_of_clusters(results, charts),
        *cards.folded(results),
        *original(results),
        *remaining(charts),
    ]


def summary(results: Results) -> str:
    """Summarise the findings: which model is the better one, and how many clusters there are."""
    metrics = results.metrics
    network, svm, kmeans = metrics["mlp"]["large"], metrics["svm"], metrics["kmeans"]
    models = {
        "svm": f"SVM ({kernel(svm)}, {sample_count(svm)} images) misclassifies "
        f"{svm['test_error']:.1%} of the test images",
        "mlp": f"network ({winner(network)}, {sample_count(network)} images) misclassifies "
        f"{network['test_error']:.1%}",
    }
    better = findings.better(results)
    say = {
        "svm": "The SVM is better than the network",
        "mlp": "The network is better than the SVM",
    }.get(better, f"Network or SVM: {better}")
    return (
        f"{say}. The best {models['svm']}, the best {models['mlp']}. K-means finds "
        f"{kmeans['best_k']} clusters: with that number the mean silhouette is largest."
    )


def data(results: Results) -> Iterator[Block]:
    """Describe the dataset."""
    about = results.metrics["data"]
    yield Heading("The data")
    yield Text(
        f"{about['dataset']}: {sum(about['train'].values()):,} training and "
        f"{sum(about['test'].values()):,} test images of {about['image_shape']} grey pixels, in "
        f"{len(results.labels)} classes. The seed {results.params['seed']} fixes the order of the "
        "training images. A model that uses m images takes the first m."
    )
    counts = [[n, f"{about['train'][n]:,}", f"{about['test'][n]:,}"] for n in results.labels]
    yield Folded("Images of each class", [Table("", ["", "training", "test"], counts, 2)])
    yield from picture(results, "data", "Images of each class")


def original(results: Results) -> Iterator[Block]:
    """Compare with the notebook's findings, if these are results on its dataset."""
    if results.metrics["data"]["dataset"] != findings.DATASET:
        return
    yield Heading("Comparison with the original notebook")
    title = "Findings of the notebook and of these results"
    yield Table(title, findings.HEAD, findings.findings(results))
    yield Text(
        "The notebook tested on training images that it had not trained on. This pipeline tests on "
        "the official test set, where errors are about one percentage point higher."
    )


def remaining(charts: dict[str, Chart]) -> Iterator[Block]:
    """Show the charts that no section has shown."""
    if charts:
        yield Heading("Other plots")
    yield from charts.values()
