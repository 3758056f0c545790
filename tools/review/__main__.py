"""Review a change before it is merged: compare the results of two revisions.

    python -m tools.review main                # the workspace against main
    python -m tools.review main feature        # two branches, tags, commits or experiments

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
from tools.pages.results import Results
from tools.review import page
from tools.shared.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Review two revisions, write both files, print the cautions and the verdict."""
    options = parse(arguments)
    blocks = page.review(Results(options.base), Results(options.head))
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
        "head", metavar="HEAD", nargs="?", help="revision to review; default: the workspace"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    program.run(main)
