"""A review says of each model one thing, and what would settle it where it cannot."""

import numpy as np
import pytest

from stages.learn import paired
from stages.learn.paired import Fits
from tools.review import answers
from tools.review.answers import Compared

IMAGES = 2000


def fits(
    seed: int, count: int, blocks: int, *, block: float = 0.0, weights: float = 0.0, at: float = 1.0
) -> Fits:
    """Fits that miss hard images, more of them in bad blocks and with bad first weights."""
    hard = np.random.default_rng(0).normal(0, 1, IMAGES)
    random = np.random.default_rng(seed)
    of_blocks = random.normal(0, block, blocks)
    scores = np.array(
        [
            hard + of_blocks[i % blocks] + random.normal(0, weights) + random.normal(0, 0.3, IMAGES)
            for i in range(count)
        ]
    )
    return Fits(scores > at, blocks)


def test_more_draws_are_advised_where_draws_vary_and_there_are_more() -> None:
    compared = Compared(
        fits(1, 5, 119, block=0.06), fits(2, 5, 119, block=0.06), True, other_weights=True
    )
    answer = answers.answer(compared, 0.01, paired.LEVEL)
    assert answer.verdict == paired.OPEN
    assert answer.estimate is not None
    repeats = answers.settling(compared, answer.estimate, 0.01, paired.LEVEL)
    assert repeats is not None
    assert 5 < repeats <= 50
    assert (
        answer.more
        == f"more draws may settle it: `dvc exp run -S noise.repeats={repeats}` for both"
    )
    longer = Compared(
        fits(1, repeats, 119, block=0.06), fits(2, repeats, 119, block=0.06), True, True
    )
    assert answers.answer(longer, 0.01, paired.LEVEL).margin < answer.margin / 1.5


def test_other_first_weights_are_advised_where_every_block_has_its_fit() -> None:
    compared = Compared(fits(3, 5, 5, weights=0.06), fits(4, 5, 5, weights=0.06), True, True)
    answer = answers.answer(compared, 0.01, paired.LEVEL)
    assert answer.verdict == paired.OPEN
    assert answer.more.startswith(
        "other first weights may settle it: `dvc exp run -S noise.repeats="
    )
    of_svm = compared._replace(other_weights=False)
    assert (
        answers.answer(of_svm, 0.01, paired.LEVEL).more
        == "the 5 draws that there are cannot settle it"
    )


def test_nothing_is_advised_where_blocks_vary_whatever_the_weights() -> None:
    compared = Compared(fits(5, 10, 5, block=0.1), fits(6, 10, 5, block=0.1), True, True)
    answer = answers.answer(compared, 0.005, paired.LEVEL)
    assert answer.verdict == paired.OPEN
    assert answer.more == "the 5 draws that there are cannot settle it"


def test_fits_that_get_the_same_images_wrong_are_unchanged_however_many_there_are() -> None:
    few, many = fits(7, 5, 119), fits(7, 9, 119)
    few = few._replace(wrong=many.wrong[:5])
    assert answers.unchanged(Compared(few, many, True, True))
    assert not answers.unchanged(Compared(few, many, False, True))
    assert not answers.unchanged(Compared(few, fits(8, 5, 119), True, True))


@pytest.mark.parametrize("moved", [0.02, -0.02])
def test_a_change_that_every_draw_shows_is_better_or_worse(moved: float) -> None:
    old, new = fits(9, 5, 119, block=0.02), fits(9, 5, 119, block=0.02, at=1 - 5 * moved)
    answer = answers.answer(Compared(old, new, True, True), 0.01, paired.LEVEL)
    assert answer.verdict == (paired.WORSE if moved > 0 else paired.BETTER)
    assert answer.more == ""
