"""Measure how often a review calls chance real, and how often it misses a real change.

    python -m tools.review.calibration    # twenty pairs of each kind; writes docs/seeds.csv

A run repeats what the pipeline does with few images: it searches over architectures, refits the
best one, and fits it to other draws of the training set. The two runs of a pair differ only in the
seed (any real difference is a false positive), or only in a tenth of the training labels, which
the second run flips (any verdict but *real* misses a real change).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from stages.files import idx  # before NumPy is loaded

# isort: split
import numpy as np
import pandas as pd

from stages.files import artifacts
from stages.files.settings import Settings
from stages.learn import draws, images, networks, scores
from stages.learn.images import Bytes, Dataset, Labels
from stages.run import fits, stage
from stages.run.terminal import say
from tools.review import verdicts

TABLE = Path("docs/seeds.csv")
PAIRS = 20
FLIPPED = 0.1


class Run(NamedTuple):
    """Results of a run.

    Attributes
    ----------
    architecture
        Name of the best architecture.
    predicted
        Labels that the refitted network predicts for the test images, shape (n_test_images,).
    draws
        Test errors of the best architecture over other draws, as in `metrics/noise.json`.
    """

    architecture: str
    predicted: Labels
    draws: dict[str, Any]


def run(raw: Dataset, params: Settings, seed: int) -> Run:
    """Search with few images, refit the best architecture, and fit it to other draws.

    Parameters
    ----------
    raw
        Images in the order of their files.
    params
        Parameters of the pipeline; `seed` replaces theirs.
    seed
        Seed of the order of the images, of the initial weights and of the draws.
    """
    params = params.model_copy(update={"seed": seed})
    order = images.order(len(raw.train_labels), seed)
    dataset = raw._replace(
        train_images=raw.train_images[order], train_labels=raw.train_labels[order]
    )
    mlp, dtype = params.mlp, params.data.dtype
    chosen, labels = images.training_set(dataset, mlp.small_samples, "mlp.small_samples", mlp.folds)
    pixels = images.scaled(chosen, dtype)
    candidates = [networks.network(a, seed, **mlp.hyperparameters) for a in mlp.architectures]
    runner = fits.in_processes(f"seed {seed}")
    accuracy, _ = networks.cross_validate(candidates, pixels, labels, mlp.folds, runner)
    best = int(accuracy.mean(axis=1).argmax())
    predicted, _ = networks.fit_and_predict(
        candidates[best], pixels, labels, images.scaled(dataset.test_images, dtype)
    )
    winner = networks.network(mlp.architectures[best], seed, **mlp.hyperparameters)
    (errors,) = draws.network_errors(
        dataset, [(winner, mlp.small_samples)], seed, params.noise.repeats, dtype, runner
    )
    return Run(networks.name(mlp.architectures[best]), predicted, draws.summary(errors))


def flipped(labels: Bytes, classes: int, seed: int) -> Bytes:
    """Return the labels with a random tenth flipped to other classes."""
    random = np.random.default_rng(seed)  # another generator than the one that orders the images
    which = random.permutation(len(labels))[: round(FLIPPED * len(labels))]
    changed = np.array(labels)
    changed[which] = (changed[which] + random.integers(1, classes, size=len(which))) % classes
    return changed


def pairs(raw: Dataset, params: Settings, numbers: Iterable[int]) -> pd.DataFrame:
    """Give the verdict on each pair of runs, of both kinds: one row for each pair."""
    rows = []
    for number in numbers:
        seed, other = 2 * number, 2 * number + 1
        labels = flipped(raw.train_labels, len(raw.labels), seed)
        old = run(raw, params, seed)
        for differs, new_seed, new in (
            ("seed", other, run(raw, params, other)),
            ("labels", seed, run(raw._replace(train_labels=labels), params, seed)),
        ):
            change = verdicts.of_errors(
                raw.test_labels, old.predicted, new.predicted, old.draws, new.draws
            )
            rows.append(
                {
                    "differs": differs,
                    "seed_old": seed,
                    "seed_new": new_seed,
                    "architecture_old": old.architecture,
                    "architecture_new": new.architecture,
                    "error_old": scores.error(raw.test_labels, old.predicted),
                    "error_new": scores.error(raw.test_labels, new.predicted),
                    "draws_old": old.draws["test_error_mean"],
                    "draws_new": new.draws["test_error_mean"],
                    "p_images": change.p_images,
                    "p_draws": change.p_draws,
                    "verdict": verdicts.judge([change])[0],
                }
            )
            say(f"pair {number + 1}, other {differs}: {rows[-1]['verdict']}")
    return pd.DataFrame(rows)


def load(params: Settings) -> Dataset:
    """Read the images from data/raw, in the order of their files."""
    source = params.data.source
    arrays = idx.read_raw(source.files(idx.RAW), len(source.labels))
    return Dataset(params.data.dataset, source.labels, **arrays)


def main(params: Settings) -> None:
    """Run all pairs and write the table."""
    artifacts.write_table(TABLE, pairs(load(params), params, range(PAIRS)))


if __name__ == "__main__":
    stage.run_tool(main)
