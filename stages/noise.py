"""noise: how far do test errors move when nothing changes but the draw?

    data/prepared, metrics/mlp.json, models/svm.skops → metrics/noise.json

    python -m stages.noise

Each winner is fitted again to other draws of as many training images, a network from other first
weights too. How far their test errors lie apart is chance: a change of the pipeline that moves an
error less than that shows nothing.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from stages import mlp_search, svm_eval
from stages.files import artifacts, models, prepared
from stages.files.settings import Mlp, Settings
from stages.learn import images, one_against_one, scores
from stages.learn.images import Bytes, Dataset, Labels
from stages.run import fits, memory, stage
from stages.run.terminal import print_table


def draw(labels: Bytes, samples: int, seed: int, repeat: int) -> tuple[Labels, int]:
    """Draw training images and a seed, other ones for each repeat.

    Parameters
    ----------
    labels : uint8 array of shape (n_images,)
        Of all training images.
    samples : int
        Images to be drawn: with some of every class, as a fit needs them.
    seed, repeat : int

    Returns
    -------
    rows : int64 array of shape (samples,)
        Which images.
    seed : int
        For the first weights and the order of the batches.
    """
    random = np.random.RandomState([seed, repeat])
    classes = len(np.unique(labels))
    while True:
        rows = random.permutation(len(labels))[:samples]
        if len(np.unique(labels[rows])) == classes:
            return rows, int(random.randint(2**31))


def network_error(
    network: MLPClassifier,
    drawn: tuple[int, int, int],
    dtype: str,
    pixels: Bytes,
    labels: Bytes,
    test_pixels: Bytes,
    test_labels: Bytes,
) -> float:
    """Test error of a network that is fitted to drawn images.

    Parameters
    ----------
    network : MLPClassifier
        Not yet fitted; gets the seed that is drawn.
    drawn : tuple of int
        Samples, seed and repeat, for `draw`.
    dtype : {"float64", "float32"}
    pixels, test_pixels : uint8 arrays of shape (n, height, width)
    labels, test_labels : uint8 arrays of shape (n,)
    """
    rows, seed = draw(labels, *drawn)
    model = mlp_search.fit(
        network.set_params(random_state=seed),
        images.scaled(pixels[rows], dtype),
        labels[rows].astype(np.int64),
    )
    with np.errstate(over="raise", invalid="raise"):
        error = scores.error(test_labels, model.predict(images.scaled(test_pixels, dtype)))
    memory.give_back()  # the process goes on, with another fit or none
    return error


def seconds(dataset: Dataset, winner: dict[str, Any], mlp: Mlp) -> float:
    """About how long a network is fitted; see `mlp_search.seconds`."""
    size, classes = dataset.test_images[0].size, len(dataset.labels)
    architecture = mlp_search.widths(winner["architecture"])
    return mlp_search.seconds(architecture, mlp, winner["samples"], size, classes)


def network_errors(
    dataset: Dataset, winners: dict[str, dict[str, Any]], params: Settings
) -> dict[str, list[float]]:
    """Test errors of the networks on other draws, by their sizes.

    Parameters
    ----------
    dataset : Dataset
    winners : dict of dict
        From `metrics/mlp.json`: the architecture and the samples of each size.
    params : Settings
    """
    tasks = [
        fits.Task(
            f"{winner['architecture']}, {winner['samples']} images, draw {repeat + 1}",
            (
                mlp_search.network(
                    mlp_search.widths(winner["architecture"]), params.mlp, params.seed
                ),
                (winner["samples"], params.seed, repeat),
                params.data.dtype,
                dataset.train_images,
                dataset.train_labels,
                dataset.test_images,
                dataset.test_labels,
            ),
            seconds(dataset, winner, params.mlp),
        )
        for winner in winners.values()
        for repeat in range(params.noise.repeats)
    ]
    with mlp_search.within_bounds(params.mlp):
        errors = fits.run("noise: networks", network_error, tasks)
    return dict(zip(winners, np.reshape(errors, (len(winners), -1)).tolist(), strict=True))


def machine_errors(dataset: Dataset, point: dict[str, Any], params: Settings) -> list[float]:
    """Test errors of a support vector machine on other draws.

    Parameters
    ----------
    dataset : Dataset
    point : dict
        Its kernel, C and so on, as SVC calls them.
    params : Settings
    """
    errors = []
    for repeat in range(params.noise.repeats):
        rows, _ = draw(dataset.train_labels, params.svm.samples, params.seed, repeat)
        chosen, labels = dataset.train_images[rows], dataset.train_labels[rows].astype(np.int64)
        title = f"noise: SVM, draw {repeat + 1}"
        with svm_eval.beyond_bounds():
            model = one_against_one.fit(point, chosen, labels, dataset.labels, title)
        predicted = one_against_one.predict(model, dataset.test_images, f"{title}: test images")
        errors.append(scores.error(dataset.test_labels, predicted))
    return errors


def summary(errors: list[float]) -> dict[str, float]:
    """How many test errors, their mean, and their standard deviation, with n - 1."""
    return {
        "draws": len(errors),
        "test_error_mean": float(np.mean(errors)),
        "test_error_std": float(np.std(errors, ddof=1)),
    }


def taken_by_networks(
    samples: int, tests: int, architecture: list[int], params: Settings, pixels: int, classes: int
) -> float:
    """Bytes that the networks take, at most.

    Notes
    -----
    For each fit at a time its images as they are, and twice while they are scaled, be it those it
    fits or the test images; or the latter with what all units of two layers say of them.
    """
    at_once = min(fits.here(), 2 * params.noise.repeats)
    alone = fits.here() == 1  # joblib then starts no process
    units = max(map(sum, pairwise([*architecture, classes])))
    weights = mlp_search.weights(architecture, pixels, classes)
    numbers = max(2 * pixels * max(samples, tests), tests * (pixels + units))
    numbers += mlp_search.COPIES[params.mlp.solver] * weights
    each = numbers * np.dtype(params.data.dtype).itemsize + samples * pixels
    return at_once * (each + (0 if alone else fits.PROCESS))


def check_memory(
    dataset: Dataset, networks: dict[str, dict[str, Any]], point: dict[str, Any], params: Settings
) -> None:
    """Check that there is memory for all fits.

    Raises
    ------
    UserError
    """
    tests, size, classes = len(dataset.test_images), dataset.test_images[0].size, dataset.labels
    memory.check(
        networks["large"]["samples"],
        "mlp.samples",
        lambda samples: max(
            taken_by_networks(
                samples, tests, mlp_search.widths(found["architecture"]), params, size, len(classes)
            )
            for found in networks.values()
        ),
    )
    labels = dataset.train_labels
    memory.check(
        params.svm.samples,
        "svm.samples",
        lambda samples: svm_eval.taken_by_fit(
            np.bincount(labels[:samples], minlength=len(classes)).tolist(), size, [point]
        ),
    )


def announce(
    dataset: Dataset, networks: dict[str, dict[str, Any]], point: dict[str, Any], params: Settings
) -> None:
    """Say about how long all fits will take."""
    samples = params.svm.samples
    once = svm_eval.expected(
        dataset.train_images[:samples], dataset.train_labels[:samples], [point], 1
    ) + sum(seconds(dataset, found, params.mlp) for found in networks.values())
    fits.announce("noise", params.noise.repeats * once)


def main(params: Settings) -> None:
    """Fit the winners again; write how far their errors move."""
    dataset = prepared.load()
    searched = artifacts.read_json(Path("metrics/mlp.json"))
    networks = {size: searched[size] for size in ("small", "large")}
    # In the metrics numbers are rounded.
    machine = models.read(Path("models/svm.skops"), SVC, dataset.test_images[0].size)
    point = svm_eval.point_of(machine)
    check_memory(dataset, networks, point, params)
    announce(dataset, networks, point, params)
    errors = network_errors(dataset, networks, params)
    of_networks = {size: summary(of_size) for size, of_size in errors.items()}
    of_machine = summary(machine_errors(dataset, point, params))

    artifacts.write_json(Path("metrics/noise.json"), {"mlp": of_networks, "svm": of_machine})
    rows = {
        **{f"network, {networks[size]['samples']} images": of_networks[size] for size in networks},
        f"SVM, {params.svm.samples} images": of_machine,
    }
    print_table(
        f"noise: {dataset.name}, test errors of the best on {params.noise.repeats} other draws",
        ["", "mean", "standard deviation"],
        [
            [name, f"{of['test_error_mean']:.4f}", f"{of['test_error_std']:.4f}"]
            for name, of in rows.items()
        ],
    )


if __name__ == "__main__":
    stage.run(main)
