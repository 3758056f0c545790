"""Measure what a change costs in a clone that has run the pipeline, with and without the record."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import stages
from stages.errors import UserError
from stages.files import artifacts, settings
from stages.files.settings import Settings
from stages.run import records
from stages.run.terminal import say
from tools.bench import report
from tools.bench.goals import ANY_STAGE, MAKE, OF_CLUSTERS, SETUP
from tools.bench.measure import pipeline_environment, run
from tools.bench.plan import QUICK, ROUNDS
from tools.bench.session import Session
from tools.shared import git
from tools.shared.params import set_params

MINUTES = (60, 5)  # estimated time on two cores, of a full and of a quick run
WITH_RECORD = {records.VARIABLE: ""}
PYTHON = str(Path(sys.base_prefix, "bin", "python3"))  # that of a new user


class Change(NamedTuple):
    """A change that somebody makes.

    Attributes
    ----------
    name
        Name in the results.
    make
        Makes the change in a project's folder.
    """

    name: str
    make: Callable[[Path], None]


def changed(name: str, value: Callable[[Settings], Any]) -> Change:
    """A change of one parameter, to what a function of the parameters gives."""

    def make(folder: Path) -> None:
        set_params(folder / settings.PARAMS, {name: value(settings.load(folder / settings.PARAMS))})

    return Change(name, make)


def commented(path: str) -> Change:
    """A comment at the end of a file."""

    def make(folder: Path) -> None:
        with (folder / path).open("a", encoding="utf-8") as file:
            file.write("\n# A comment.\n")

    return Change(path, make)


CHANGES = [
    changed("svm.grid.rbf.C", lambda params: sorted([*params.svm.grid.kernels["rbf"]["C"], 5])),
    changed("mlp.architectures", lambda params: [*params.mlp.architectures, [20]]),
    changed("noise.repeats", lambda params: 2 * params.noise.repeats),
    changed("kmeans.k", lambda params: [*params.kmeans.k, max(params.kmeans.k) + 1]),
    commented(ANY_STAGE),
    commented(OF_CLUSTERS),
]


def measure(folder: Path, out: Path, quick: bool) -> None:
    """Measure every change in rounds, each in a fresh clone; write results and table.

    Parameters
    ----------
    folder
        Folder for clones.
    out
        Folder for the results.
    quick
        Whether to measure with few images in one round.

    Raises
    ------
    UserError
        If there is no record on this machine.
    """
    if not stages.SAME_BYTES:
        raise UserError("Fits are recorded only where the same bytes are promised: not here.")
    session = Session(folder, quick, QUICK if quick else {})
    conditions = {key: session.results[key] for key in ("quick", "load", "machine")}
    seconds: dict[str, dict[str, list[float]]] = {}
    start = time.monotonic()

    def keep(what: str, how: str, measured: float) -> None:
        seconds.setdefault(what, {}).setdefault(how, []).append(round(measured, 2))
        passed = (time.monotonic() - start) / 60
        say(f"{passed:.0f} of {MINUTES[quick]} min: {what}, {how}: {measured:.1f} s")
        results = {**conditions, "seconds": seconds}
        artifacts.write_json(report.QUICK_RESULTS / "latest-changes.json", results)

    for number in range(1, (1 if quick else ROUNDS) + 1):
        clone, setup, rest = made(session, number)
        keep(SETUP, "uv", setup)
        keep(MAKE, "with", setup + rest)
        for change in CHANGES:
            if change.name != OF_CLUSTERS:  # every stage runs in full for a comment in any module
                keep(change.name, "without", cost(change, clone, pipeline_environment(clone)))
            with_record = pipeline_environment(clone) | WITH_RECORD
            keep(change.name, "with", cost(change, clone, with_record))
    # What uv cannot install for want of a network of its own, pip does.
    shutil.rmtree(clone / ".venv")
    keep(SETUP, "pip", set_up(clone, {"UV_OFFLINE": "1"}))
    report.keep(report.CHANGES, {**conditions, "seconds": seconds}, out)


def made(session: Session, number: int) -> tuple[Path, float, float]:
    """Make a fresh clone as a new user does, then run what that skips; time set-up and `make`."""
    clone = session.clone("float64", number)
    setup = set_up(clone, {})
    whole = run(["make", f"PYTHON={PYTHON}"], clone, of_a_new_user(clone) | WITH_RECORD)
    # A fresh clone skips this stage, since Git holds its results: its fits are not known yet.
    noise = ["dvc", "repro", "--force", "--single-item", "noise"]
    run(noise, clone, pipeline_environment(clone) | WITH_RECORD)
    git.git("add", "--all", folder=clone)
    message = ["--quiet", "--allow-empty", "--message=made"]
    git.git("commit", *message, folder=clone, variables=git.A_COMMITTER)
    return clone, setup, whole.seconds


def set_up(clone: Path, variables: dict[str, str]) -> float:
    """Make a clone's environment with no package cached; return the seconds."""
    command = [PYTHON, "-m", "tools.install", "pipeline"]
    with tempfile.TemporaryDirectory() as cache:
        caches = {f"{tool}_CACHE_DIR": cache for tool in ("UV", "PIP")}
        return run(command, clone, of_a_new_user(clone) | caches | variables).seconds


def of_a_new_user(clone: Path) -> dict[str, str]:
    """Environment without the programs of this environment."""
    variables = pipeline_environment(clone)
    folders = variables["PATH"].split(os.pathsep)
    others = [folder for folder in folders if Path(folder) != Path(sys.prefix, "bin")]
    return variables | {"PATH": os.pathsep.join(others)}


def cost(change: Change, folder: Path, environment: dict[str, str]) -> float:
    """Make a change in a project that has run, run the pipeline, and take the change back.

    Parameters
    ----------
    change
        The change.
    folder
        The project's folder. Afterwards it holds what it held before, and so does the record.
    environment
        Of `dvc repro`.

    Returns
    -------
    float
        Seconds that `dvc repro` took.
    """
    record, before = folder / records.FOLDER, folder / ".dvc/tmp/record-before"
    shutil.copytree(record, before)
    change.make(folder)
    repro = run(["dvc", "repro", "--no-run-cache"], folder, environment)
    git.git("checkout", "--quiet", "--", ".", folder=folder)
    run(["dvc", "checkout", "--quiet", "--force"], folder, environment)
    shutil.rmtree(record)
    before.rename(record)
    return repro.seconds
