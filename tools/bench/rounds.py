"""Run the benchmark's plan in rounds, and write the results."""

import time
from collections.abc import Sequence
from pathlib import Path

from stages.files import artifacts, settings
from stages.run.terminal import say
from tools.bench import report
from tools.bench.plan import QUICK, REPRODUCED, ROUNDS, Work, plan
from tools.bench.session import Session

IDLE_SECONDS = 12  # estimated time of all runs of `dvc repro` with nothing to do


def measure(folder: Path, out: Path, quick: bool) -> None:
    """Measure all planned work; write results, table and chart.

    Parameters
    ----------
    folder
        Folder for clones.
    out
        Folder for the results.
    quick
        Whether to measure with few images in one round.
    """
    session = Session(folder, quick, QUICK if quick else {})
    works = plan(settings.load(session.clone("float64") / settings.PARAMS), quick)
    estimated = sum(work.estimated_seconds[quick] * work.rounds for work in works) + IDLE_SECONDS
    _say_plan(works, quick, estimated / 60)
    for caveat in report.caveats(session.results):
        say(caveat)
    start = time.monotonic()
    for number in range(1, ROUNDS + 1):
        for work in works:
            if number <= work.rounds:
                passed = (time.monotonic() - start) / 60
                images = "" if work.name in REPRODUCED else f", {work.samples} images"
                say(f"{passed:.0f} of {estimated / 60:.0f} min, round {number}: {work}{images}")
                session.measure_work(work, number)
                artifacts.write_json(report.QUICK_RESULTS / "latest.json", session.results)
    say("dvc repro with nothing to do")
    session.measure_idle()
    session.conclude()
    session.results["minutes"] = round((time.monotonic() - start) / 60, 1)
    report.keep(report.NOTEBOOK, session.results, out)
    say(f"\nThe table and the chart are in {out}.")


def _say_plan(works: Sequence[Work], quick: bool, minutes: float) -> None:
    """Print the planned work and its expected time."""
    say(f"Timing notebook and last commit: about {minutes:.0f} minutes on two idle cores.")
    for work in works:
        say(f"   {work}: {work.rounds} x {work.estimated_seconds[quick]:.0f} s")
    if not any(work.side == "intelex" for work in works):
        say("   without scikit-learn-intelex, which is not installed")
