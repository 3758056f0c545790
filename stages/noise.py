"""noise: how far do test errors move by chance?

    data/prepared, metrics/mlp.json, models/svm.skops → metrics/noise.json

    python -m stages.noise

Each winner is refitted to random draws of as many training images; a network also gets other
initial weights. If a change of the pipeline moves a test error by less than these errors spread,
chance explains the move.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn.svm import SVC

from stages.files import artifacts, models, prepared
from stages.files.settings import Settings
from stages.learn import draws, kernel_search, networks
from stages.run import fits, forecast, records, stage
from stages.run.terminal import print_table


def main(params: Settings) -> None:
    """Fit the winners again; write how far their errors move."""
    dataset, repeats = prepared.load(), params.noise.repeats
    searched = artifacts.read_json(Path("metrics/mlp.json"))
    candidates = {
        size: (
            networks.network(
                networks.widths(searched[size]["architecture"]),
                params.seed,
                **params.mlp.hyperparameters,
            ),
            searched[size]["samples"],
        )
        for size in ("small", "large")
    }
    # The metrics round numbers; the model does not.
    svm = models.read(Path("models/svm.skops"), SVC, dataset.test_images[0].size)
    point, svm_samples = kernel_search.point_of(svm), params.svm.samples
    forecast.check_draws(dataset, candidates, point, svm_samples, repeats, params.data.dtype)
    record = records.of_this_clone("noise")

    arrays = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    svm_calls = [(point, (svm_samples, params.seed, i), *arrays) for i in range(repeats)]
    network_calls = draws.network_fits(
        dataset, list(candidates.values()), params.seed, repeats, params.data.dtype
    )
    svms_to_do = len(record.unknown(draws.svm_mistakes, svm_calls))
    to_do = record.unknown(draws.network_mistakes, [call.arguments for call in network_calls])
    networks_to_do = [network_calls[i] for i in to_do]
    forecast.announce_draws(networks_to_do, svms_to_do, dataset, point, svm_samples)
    network_errors = draws.network_errors(
        dataset,
        list(candidates.values()),
        params.seed,
        repeats,
        params.data.dtype,
        fits.in_processes("noise", record),
    )

    def compute(numbers: list[int]) -> Iterator[tuple[int, Any]]:
        for i in numbers:
            run = fits.in_threads(f"noise: SVM, draw {i + 1}")
            yield i, draws.svm_mistakes(*svm_calls[i], dataset.labels, run)

    svm_errors = [
        len(wrong) / len(dataset.test_labels)
        for wrong in record.complete("noise: SVM", draws.svm_mistakes, svm_calls, compute)
    ]
    networks_noise = {
        size: draws.summary(errors) for size, errors in zip(candidates, network_errors, strict=True)
    }
    svm_noise = draws.summary(svm_errors)

    artifacts.write_json(Path("metrics/noise.json"), {"mlp": networks_noise, "svm": svm_noise})
    rows = {
        **{
            f"network, {samples} images": networks_noise[size]
            for size, (_, samples) in candidates.items()
        },
        f"SVM, {svm_samples} images": svm_noise,
    }
    print_table(
        f"noise: {dataset.name}, test errors of the best on {repeats} other draws",
        ["", "mean", "standard deviation"],
        [
            [name, f"{errors['test_error_mean']:.4f}", f"{errors['test_error_std']:.4f}"]
            for name, errors in rows.items()
        ],
    )


if __name__ == "__main__":
    stage.run(main)
