"""Classify image files with a model of the pipeline.

    python -m tools.predict shirt.jpg
    python -m tools.predict *.png --model mlp     # svm, mlp, or mlp-small (few training images)
    python -m tools.predict shoe.png --preview    # also print what the model sees, as ASCII art
    python -m tools.predict *.png --json          # print JSON only
    python -m tools.predict digit.png --as-is     # do not crop: the image is already framed

It is for catalogue pictures, as the models know them: one whole thing on a plain background, light
or dark, in any size, colour or grey. On photos that people take at home it is wrong two times of
three (docs/models.md); where a picture is visibly no catalogue picture, a caution says so. The
command crops the image to the thing, scales it and raises its contrast, as in Fashion-MNIST. If
a file is no image, the command names it, classifies the other files and ends with exit code 1. The
model file must have the hash in dvc.lock.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import stages  # noqa: F401 - before NumPy is loaded

# isort: split
from stages.errors import UserError
from tools.predict import files
from tools.predict.model import KINDS
from tools.shared.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Classify the files and return the exit code."""
    options = parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the terminal may lack characters of a name
    try:
        all_read = files.predict(
            options.files,
            options.model,
            as_is=options.as_is,
            preview=options.preview,
            as_json=options.json,
        )
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"A file could not be read or written: {error}.")
    return 0 if all_read else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", choices=KINDS, default="svm", help="default: svm")
    parser.add_argument("--as-is", action="store_true", help="do not crop the image; only scale it")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--preview", action="store_true", help="print what the model sees as ASCII art"
    )
    form.add_argument("--json", action="store_true", help="print JSON only")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
