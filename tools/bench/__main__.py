"""How fast is the pipeline, and are its results still the notebook's? In one run, on one machine.

    python -m tools.bench             # 50 minutes on two quiet cores; into docs/
    python -m tools.bench --quick     # few images, one round: three minutes; into dvc_plots/bench/
    python -m tools.bench --growth    # seconds, memory and errors from few images to all of them
    python -m tools.bench --report    # the table and charts again, from what was measured

The notebook's work and the pipeline's, in turn, each in processes of its own and in the
environment of a user who set no variables. The pipeline is that of the last commit, in a
temporary clone. What takes long is done once, the rest in three rounds, of which the medians count.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from stages.errors import UserError  # before NumPy is loaded
from stages.files.settings import Settings
from stages.run import stage

# isort: split
from tools.bench import growth, report, rounds
from tools.shared.arguments import Parser
from tools.shared.environment import use_this_python


def main(options: argparse.Namespace, _: Settings) -> None:
    """Measure, or report what was measured."""
    if sys.platform != "linux":
        raise UserError("Memory is measured as Linux accounts for it: the benchmark runs there.")
    out = report.QUICK_RESULTS if options.quick else report.COMMITTED
    if options.report:
        report.write(out)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measure = growth.measure if options.growth else rounds.measure
        measure(Path(folder), out, options.quick)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few images, one round")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--growth", action="store_true", help="from few images to all of them")
    what.add_argument("--report", action="store_true", help="measure nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    use_this_python()
    stage.run_tool(partial(main, parse()))
