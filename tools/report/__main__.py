"""Report the results of a revision: data, searches, winners, mistakes, clusters.

    python -m tools.report                     # the results in the workspace
    python -m tools.report main                # the results of a branch, tag, commit or experiment
    python -m tools.report --readme            # rewrite the table of results in README.md

The command writes report.md, complete without pictures, report.html, one file with charts and
images, and a model card for each model.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import stages  # noqa: F401 - before NumPy is loaded

# isort: split
from stages.run.terminal import say
from tools.pages import program
from tools.pages.results import Results
from tools.report import cards, findings, page
from tools.shared import generated
from tools.shared.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files, or the table in README.md."""
    options = parse(arguments)
    results = Results(options.revision)
    if options.readme:
        generated.write(findings.COMMAND, findings.markdown_table(results))
        say(str(generated.README))
    else:
        program.write(options.out, "report", page.report(results))
        for name, card in cards.cards(results).items():
            program.save(options.out / name, card)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="REV", nargs="?", help="default: the workspace")
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR")
    parser.add_argument(
        "--readme", action="store_true", help="rewrite the table of results in README.md"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    program.run(main)
