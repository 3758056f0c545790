"""What do image files show? Classify them with a model of the pipeline.

    python -m tools.predict shirt.jpg
    python -m tools.predict *.png --model mlp     # svm, mlp, or mlp-small, which saw few images
    python -m tools.predict shoe.png --preview    # also, in letters, what the model sees of it
    python -m tools.predict *.png --json          # for a program
    python -m tools.predict digit.png --as-is     # framed as the dataset's images are: only scale

One thing in each, on a plain background, light or dark; any size, colour or grey. It is cut out,
fills the image and has a white pixel, as things in Fashion-MNIST. What is no image is named, and
the others are classified; the exit code is 1 then. The model has to be the one that dvc.lock names.
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
    """Classify, and give the exit code."""
    options = parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # letters of a name that a terminal lacks
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
    parser.add_argument("--as-is", action="store_true", help="cut nothing off, only scale")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--preview", action="store_true", help="draw what the model sees, in letters")
    form.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
