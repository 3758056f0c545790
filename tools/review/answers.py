"""Answer for each model: is a new revision better, worse, or no different for all that matters?

Both revisions fitted their winners to draws of training images, and keep what each fit got wrong.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.files.settings import MOST_DRAWS
from stages.learn import paired
from stages.learn.paired import LEVEL, OPEN, Estimate, Fits
from tools.pages.results import MODELS, Model, Results

UNKNOWN, UNCHANGED = "not known", "unchanged"


class Compared(NamedTuple):
    """A model in two revisions.

    Attributes
    ----------
    old, new
        Its fits to draws.
    same_draws
        Whether draw r of both is to the same training images.
    other_weights
        Whether a second fit to the same images can come out otherwise.
    """

    old: Fits
    new: Fits
    same_draws: bool
    other_weights: bool

    def estimate(self) -> Estimate:
        """Estimate by how much the errors differ."""
        return paired.estimate(self.old.of_blocks(), self.new.of_blocks(), self.same_draws)


class Answer(NamedTuple):
    """What a review says of a model.

    Attributes
    ----------
    verdict
        One of not known, unchanged, better, worse, no change that matters, too close to call.
    more
        Why it is not known, or what would settle what is too close to call.
    estimate
        None if it is not known or unchanged.
    margin, shows
        Half the width of the interval, and the change that would show; of all models that changed.
    """

    verdict: str
    more: str = ""
    estimate: Estimate | None = None
    margin: float = 0.0
    shows: float = 0.0

    @property
    def change(self) -> tuple[float, float] | None:
        """Difference and margin; None if there is no estimate."""
        return (self.estimate.difference, self.margin) if self.estimate else None

    def is_little(self, matters: float) -> bool:
        """Whether it is known that the change is smaller than one that matters."""
        return self.change is not None and abs(self.change[0]) + self.change[1] < matters


def answers(old: Results, new: Sequence[Results], matters: float) -> list[dict[Model, Answer]]:
    """Answer for each model of each new revision; the intervals of all that changed hold together.

    Parameters
    ----------
    old
        Revision to compare with.
    new
        Revisions to answer for.
    matters
        Size of a change of a test error that matters.
    """
    compared = [{model: _compared(old, results, model) for model in MODELS} for results in new]
    distinct = {
        (model, c.estimate())
        for models in compared
        for model, c in models.items()
        if isinstance(c, Compared)
    }
    level = LEVEL / max(len(distinct), 1)
    return [
        {
            model: answer(c, matters, level) if isinstance(c, Compared) else c
            for model, c in models.items()
        }
        for models in compared
    ]


def intervals(found: Sequence[dict[Model, Answer]]) -> int:
    """Count the intervals that hold together; those of the same fits are one."""
    every = ((model, answer.estimate) for models in found for model, answer in models.items())
    return len({(model, estimate) for model, estimate in every if estimate})


def _compared(old: Results, new: Results, model: Model) -> Compared | Answer:
    """Return a model in two revisions, or the answer if there is nothing to estimate."""
    before, after = old.fits(model), new.fits(model)
    why = not_known(old, new, model, before, after)
    if before is None or after is None or why:
        return Answer(UNKNOWN, why)
    same_draws = old.draws(model) == new.draws(model)
    compared = Compared(before, after, same_draws, model.stem != "svm")
    (_, predicted), (_, predicted_now) = old.predictions(model), new.predictions(model)
    same = unchanged(compared) and np.array_equal(predicted, predicted_now)
    return Answer(UNCHANGED) if same else compared


def not_known(
    old: Results, new: Results, model: Model, before: Fits | None, after: Fits | None
) -> str:
    """Say why nothing is known of a model's change; empty if something is."""
    if not same_test_images(old, new):
        return "the test images are not the same"
    for results, fits in ((old, before), (new, after)):
        if fits is None:
            return f"{results.name} has no draws of each image; `dvc repro noise` there"
        if len(fits.of_blocks()) < 2:
            samples = model.of(results.metrics)["samples"]
            return f"{results.name} has fewer than two draws of {samples:,} images"
        if fits.failed(results.predictions(model)[0]):
            return f"a fit of {results.name} failed to learn"
    return ""


def same_test_images(old: Results, new: Results) -> bool:
    """Whether both revisions were tested on the same images, in the same order."""
    (labels, _), (labels_now, _) = old.predictions(MODELS[0]), new.predictions(MODELS[0])
    return old.file_of("test_images") == new.file_of("test_images") and np.array_equal(
        labels, labels_now
    )


def unchanged(compared: Compared) -> bool:
    """Whether every fit that both revisions made gets the same images wrong."""
    old, new = compared.old.wrong, compared.new.wrong
    fewest = min(len(old), len(new))
    return compared.same_draws and np.array_equal(old[:fewest], new[:fewest])


def answer(compared: Compared, matters: float, level: float) -> Answer:
    """Answer for a model that changed, with an interval of this level."""
    found = compared.estimate()
    verdict = found.verdict(matters, level)
    more = advice(compared, found, matters, level) if verdict == OPEN else ""
    return Answer(verdict, more, found, found.margin(level), found.shows(level))


def advice(compared: Compared, found: Estimate, matters: float, level: float) -> str:
    """Say what would settle a change that is too close to call, and how."""
    repeats = settling(compared, found, matters, level)
    blocks = min(compared.old.blocks, compared.new.blocks)
    if repeats:
        what = "more draws" if repeats <= blocks else "other first weights"
        return f"{what} may settle it: `dvc exp run -S noise.repeats={repeats}` for both"
    of_images_alone = found._replace(variance=found.of_images, freedom=np.inf, of_draws=0.0)
    if of_images_alone.margin(level) >= _half(found, matters):
        return "these test images cannot settle it"
    return f"the {min(blocks, MOST_DRAWS)} draws that there are cannot settle it"


def _half(found: Estimate, matters: float) -> float:
    """Half the width that settles a difference: as zero or what matters is then outside."""
    return max(abs(found.difference), matters - abs(found.difference))


def settling(compared: Compared, found: Estimate, matters: float, level: float) -> int | None:
    """How many fits to draws would settle it, if the estimate stays; None if none would.

    Notes
    -----
    Of the variance, the part of the images stays. The rest falls with the number of blocks. When
    every block has its fit, only the part of the first weights falls, with the number of fits to a
    block; as long as no block has two, nothing is known against it being all of the rest.
    """
    half = _half(found, matters)
    blocks = min(compared.old.blocks, compared.new.blocks)
    rest = found.variance - found.of_images
    for draws in range(found.draws + 1, min(blocks, MOST_DRAWS) + 1):
        fewer, freer = found.draws / draws, (draws - 1) / (found.draws - 1)
        more = found._replace(
            variance=found.of_images + rest * fewer,
            freedom=found.freedom * freer,
            of_draws=found.of_draws * fewer,
            freedom_of_draws=found.freedom_of_draws * freer,
        )
        if more.margin(level) < half:
            return draws
    if not compared.other_weights:
        return None
    fits = max(1, min(len(compared.old.wrong), len(compared.new.wrong)) // blocks)
    of_weights = rest if fits == 1 else min(rest, variance_of_weights(compared, blocks, fits))
    for each in range(fits + 1, MOST_DRAWS // blocks + 1):
        gone = of_weights * (1 - fits / each)
        more = found._replace(
            variance=found.variance - gone, of_draws=max(found.of_draws - gone, 0.0)
        )
        if more.margin(level) < half:
            return each * blocks
    return None


def variance_of_weights(compared: Compared, blocks: int, fits: int) -> float:
    """Part of the variance of the mean difference that other first weights make."""
    sides = (compared.old.wrong, compared.new.wrong)
    errors = [side[: fits * blocks].mean(axis=1).reshape(fits, blocks) for side in sides]
    tables = [errors[1] - errors[0]] if compared.same_draws else errors
    variances = [float(table.var(axis=0, ddof=1).mean()) / table.size for table in tables]
    return sum(variances)
