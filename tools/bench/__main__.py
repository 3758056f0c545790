"""Time the original notebook and the pipeline on one machine, and compare their results.

    python -m tools.bench             # an hour on two idle cores; writes docs/
    python -m tools.bench --quick     # few images, three minutes; writes dvc_plots/bench/
    python -m tools.bench --growth    # time, memory and error with 2,500 to 60,000 images
    python -m tools.bench --changes   # what a change costs, with and without the record of fits
    python -m tools.bench --report    # rewrite tables and charts from the measurements

The benchmark alternates between work of the notebook and of the pipeline. Each piece of work runs
in its own processes, with the environment of a user who set no variables. The pipeline is that of
the last commit, in a temporary clone. Long work runs once. The rest runs three times, and the
tables show medians.
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
from tools.bench import changes, growth, report, rounds
from tools.shared.arguments import Parser
from tools.shared.environment import use_this_python


def main(options: argparse.Namespace, _: Settings) -> None:
    """Measure, or rewrite the report of the last measurement."""
    if sys.platform != "linux":
        raise UserError(
            "The benchmark runs on Linux only, because it measures memory through /proc."
        )
    out = report.QUICK_RESULTS if options.quick else report.COMMITTED
    if options.report:
        report.write(out)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        what = growth if options.growth else changes if options.changes else rounds
        what.measure(Path(folder), out, options.quick)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few images, one round")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--growth", action="store_true", help="measure with 2,500 to 60,000 images")
    what.add_argument("--changes", action="store_true", help="measure what a change costs")
    what.add_argument("--report", action="store_true", help="rewrite tables and charts only")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    use_this_python()
    stage.run_tool(partial(main, parse()))
