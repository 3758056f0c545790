"""Draw a small dataset that replaces Fashion-MNIST.

python -m tools.garments DIR              # four IDX files: 3,000 training, 600 test images
python -m tools.garments DIR --train N --test N
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.files import garments
from tools.shared.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the files."""
    parser = Parser(
        prog="garments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder for the IDX files")
    for name, count in (("--train", garments.TRAINING), ("--test", garments.TESTS)):
        parser.add_argument(
            name, metavar="N", type=int, default=count, help=f"number of images; default: {count}"
        )
    options = parser.parse_args(arguments)
    for count in (options.train, options.test):
        if not 10 <= count <= 60000:
            parser.error(f"N must be between 10 and 60000, not {count}.")
    try:
        garments.write(options.folder, options.train, options.test)
    except OSError as problem:
        parser.error(f"cannot write to {options.folder}: {problem.strerror}.")


if __name__ == "__main__":
    main()
