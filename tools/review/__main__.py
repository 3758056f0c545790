"""Review a change before it is merged: compare the results of two revisions.

    python -m tools.review main                # the workspace against main
    python -m tools.review main feature        # two branches, tags, commits or experiments
    python -m tools.review main --matters 0.02 # where only a change of two points matters
    python -m tools.review main exp-1 exp-2    # a sweep: many experiments on one page
    python -m tools.review main --experiments  # all experiments that are based on main

The command writes review.md, complete without pictures, and review.html, one file with charts and
images, and prints the cautions and the verdict.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import stages  # noqa: F401 - before NumPy is loaded

# isort: split
from stages.run.terminal import say
from tools.pages import program
from tools.pages.blocks import Caution, Verdict
from tools.pages.results import Results, experiments_of
from tools.review import page, sweep
from tools.shared.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Review revisions, write both files, print the cautions and the verdict."""
    options = parse(arguments)
    old = Results(options.base)
    new = [Results(name) for name in options.head or [None]]
    if options.experiments:
        new = experiments_of(old)
    new = list({results.commit: results for results in new}.values())
    of_params = (results.params.get("noise.matters") for results in (*new, old))
    # Where no revision has it, none has draws, and nothing is known of any size.
    matters = options.matters or next(filter(None, of_params), 0.0)
    blocks = sweep.review(old, new, matters) if new[1:] else page.review(old, new[0], matters)
    program.write(options.out, "review", blocks)
    for block in blocks:
        if isinstance(block, Caution | Verdict):
            say(block.text.replace("`", ""))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", metavar="BASE", help="revision to compare with")
    parser.add_argument(
        "head", metavar="HEAD", nargs="*", help="revisions to review; default: the workspace"
    )
    parser.add_argument(
        "--experiments", action="store_true", help="review all experiments based on BASE"
    )
    parser.add_argument(
        "--matters",
        type=size,
        metavar="SIZE",
        help="size of a change of a test error that matters; default: noise.matters in params.yaml",
    )
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR")
    return parser.parse_args(arguments)


def size(text: str) -> float:
    """Read the size of a change that matters."""
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError
    return value


if __name__ == "__main__":
    program.run(main)
