"""noise: what do the winners get wrong after they are fitted to other draws?

    data/prepared, metrics/mlp.json, models/svm.skops → metrics/noise.json, plots/draws.csv

    python -m stages.noise

Draws are disjoint blocks of training images, none of them the study's own. A network also gets
other initial weights. What each fit gets wrong on which test image says how far an error moves by
chance, and lets a review compare two revisions draw by draw and image by image.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.svm import SVC

from stages.files import artifacts, models, prepared, tables
from stages.files.settings import Settings
from stages.learn import draws, kernel_search, networks, paired
from stages.run import fits, forecast, records, stage
from stages.run.terminal import print_table


def summary(fitted: paired.Fits) -> dict[str, int | float]:
    """Number of blocks, of draws and of fits; mean and deviation (n - 1) of the draws' errors."""
    errors = fitted.of_blocks().mean(axis=1)
    numbers: dict[str, int | float] = {
        "blocks": fitted.blocks,
        "draws": len(errors),
        "fits": len(fitted.wrong),
    }
    if len(errors):
        numbers["test_error_mean"] = float(np.mean(errors))
    if len(errors) > 1:
        numbers["test_error_std"] = float(np.std(errors, ddof=1))
    return numbers


def main(params: Settings) -> None:
    """Fit the winners again; write what each fit gets wrong, and how far their errors move."""
    dataset, repeats, dtype = prepared.load(), params.noise.repeats, params.data.dtype
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
    forecast.check_draws(dataset, candidates, point, svm_samples, repeats, dtype)
    record = records.of_this_clone("noise")

    network_calls = {
        size: draws.network_fits(dataset, model, samples, repeats, dtype)
        for size, (model, samples) in candidates.items()
    }
    all_networks = [call for calls in network_calls.values() for call in calls]
    svm_calls = draws.svm_fits(dataset, point, svm_samples, repeats)
    svms_to_do = len(record.unknown(draws.svm_mistakes, svm_calls))
    to_do = record.unknown(draws.network_mistakes, [call.arguments for call in all_networks])
    networks_to_do = [all_networks[i] for i in to_do]
    forecast.announce_draws(networks_to_do, svms_to_do, dataset, point, svm_samples)
    of_networks = iter(
        fits.in_processes("noise", record)("networks", draws.network_mistakes, all_networks)
    )

    def compute(numbers: list[int]) -> Iterator[tuple[int, Any]]:
        for i in numbers:
            run = fits.in_threads(f"noise: SVM, draw {i + 1}")
            yield i, draws.svm_mistakes(*svm_calls[i], dataset.labels, run)

    mistakes = {
        "mlp_small": [next(of_networks) for _ in network_calls["small"]],
        "mlp": [next(of_networks) for _ in network_calls["large"]],
        "svm": record.complete("noise: SVM", draws.svm_mistakes, svm_calls, compute),
    }
    wrong = {
        model: draws.table(of_model, len(dataset.test_labels))
        for model, of_model in mistakes.items()
    }
    small, large, of_svm = (
        summary(paired.Fits(wrong[model], len(draws.blocks(dataset.train_labels, samples))))
        for model, samples in (
            ("mlp_small", candidates["small"][1]),
            ("mlp", candidates["large"][1]),
            ("svm", svm_samples),
        )
    )

    artifacts.write_json(
        Path("metrics/noise.json"), {"mlp": {"small": small, "large": large}, "svm": of_svm}
    )
    artifacts.write_table(Path("plots/draws.csv"), tables.draws(wrong))
    rows = {
        f"network, {candidates['small'][1]} images": small,
        f"network, {candidates['large'][1]} images": large,
        f"SVM, {svm_samples} images": of_svm,
    }
    print_table(
        f"noise: {dataset.name}, test errors of the best on other draws",
        ["", "draws", "mean", "standard deviation"],
        [
            [
                name,
                numbers["draws"],
                *(
                    f"{numbers[key]:.4f}" if key in numbers else "–"
                    for key in ("test_error_mean", "test_error_std")
                ),
            ]
            for name, numbers in rows.items()
        ],
    )


if __name__ == "__main__":
    stage.run(main)
