"""Does a review call chance real, and a real change chance? Pairs of runs that show it.

    python -m tools.review.calibration    # twenty pairs of each kind; into docs/seeds.csv

A run is what the pipeline does with few images: the search over networks, the best fitted again,
and fitted to other draws. A pair of runs differs in nothing but its seeds, or in nothing but a
tenth of the training labels, which are flipped in one of them.
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
    """What came of a run.

    Attributes
    ----------
    architecture
        The best.
    predicted
        Labels of the test images, shape (n_test_images,).
    draws
        Test errors of the best on other draws, as in `metrics/noise.json`.
    """

    architecture: str
    predicted: Labels
    draws: dict[str, Any]


def run(raw: Dataset, params: Settings, seed: int) -> Run:
    """Search with few images, fit the best again, and to other draws.

    Parameters
    ----------
    raw
        Images in the order of their files.
    params
        All but the seed counts.
    seed
        Of the order of the images, the first weights and the draws.
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
    """Labels of which a tenth are flipped, drawn with a seed."""
    random = np.random.default_rng(seed)  # not the generator that orders the images
    which = random.permutation(len(labels))[: round(FLIPPED * len(labels))]
    changed = np.array(labels)
    changed[which] = (changed[which] + random.integers(1, classes, size=len(which))) % classes
    return changed


def pairs(raw: Dataset, params: Settings, numbers: Iterable[int]) -> pd.DataFrame:
    """Verdicts on pairs of runs of both kinds, a row for each."""
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
    """The images in the order of their files, from data/raw."""
    source = params.data.source
    arrays = idx.read_raw(source.files(idx.RAW), len(source.labels))
    return Dataset(params.data.dataset, source.labels, **arrays)


def main(params: Settings) -> None:
    """Run all pairs; write the table."""
    artifacts.write_table(TABLE, pairs(load(params), params, range(PAIRS)))


if __name__ == "__main__":
    stage.run_tool(main)
