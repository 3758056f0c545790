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
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

import stages  # before NumPy is loaded

# isort: split
import numpy as np

from stages.errors import UserError
from stages.files import artifacts, prepared, settings
from stages.files.settings import Settings
from stages.run import concurrency, stage
from stages.run.terminal import say
from tools.bench import compare, measure, report
from tools.bench.notebook import Arrays
from tools.shared import git, machine
from tools.shared.arguments import Parser
from tools.shared.environment import use_this_python
from tools.shared.params import set_params
from tools.verify import __main__ as verify

NOTEBOOK = Path(__file__).with_name("notebook.py").resolve()
QUICK_RESULTS = Path("dvc_plots/bench")
QUICK = {
    "mlp.small_samples": 200,
    "mlp.samples": 1000,
    "svm.search_samples": 1000,
    "svm.samples": 1000,
    "kmeans.samples": 500,
}
QUICK_LARGE = 2500  # images, in the place of all
GROWTH = [2500, 5000, 10_000, 20_000, 60_000]
QUICK_GROWTH = [500, 1000, 2000]
MOST_CLUSTERED = 20_000  # images; the silhouettes of more take minutes
ROUNDS = 3
IDLE_ROUNDS = 5


# What `dvc repro` is asked for. What is in Git and comes out the same would else be taken as done.
REPRODUCED = {
    "whole": ["--force", "compare"],
    "noise": ["--force", "--single-item", "noise"],
}


class Work(NamedTuple):
    """One thing to be measured.

    Attributes
    ----------
    name : str
        A part of `notebook.py` or `parts.py`; `whole`, all of `dvc repro` but the stage `noise`,
        which the notebook has nothing like; or that stage, `noise`.
    side : {"notebook", "contract", "intelex", "float64", "float32"}
        The notebook's code: as a user runs it, under the pipeline's arithmetic contract, with
        scikit-learn-intelex; or the pipeline's, by its dtype.
    samples : int
        Training images; `whole` takes params.yaml's.
    about : tuple of float
        Seconds on two cores, start-up included: in full, and of a quick run.
    rounds : int
        How often.
    part : str
        If it is not the name.
    """

    name: str
    side: str
    samples: int
    about: tuple[float, float] = (0, 0)
    rounds: int = 1
    part: str = ""

    def __str__(self) -> str:
        """Name it as the results do."""
        return f"{self.name}, {self.side}"


# What is compared with what, and how.
COMPARISONS = {
    ("kernel_search, notebook", "kernel_search, float64"): compare.means,
    ("svm, notebook", "svm, float64"): compare.machines,
    ("points, intelex", "points, float64"): compare.means,
    ("networks, notebook", "networks, float64"): compare.scores,
    ("networks, float32", "networks, float64"): compare.scores,
    ("small_networks, contract", "small_networks, float64"): compare.weights,
    ("winner, contract", "networks, float64"): compare.weights,
    ("clusters, notebook", "clusters, float64"): compare.clusters,
    ("clusters, contract", "clusters, float64"): compare.clusters,
    ("clusters, intelex", "clusters, float64"): compare.clusters,
    ("large_svm, notebook", "large_svm, float64"): compare.machines,
}


def plan(params: Settings, large: int) -> list[Work]:
    """What is measured, in the order of a round; `large` images stand for all of them."""
    small, many = params.mlp.small_samples, params.mlp.samples
    searched, fitted = params.svm.search_samples, params.svm.samples
    clustered = params.kmeans.samples
    works = [
        Work("whole", "float64", many, (190, 35)),
        Work("whole", "float32", many, (120, 32)),
        Work("noise", "float64", many, (45, 12), ROUNDS),
        Work("small_networks", "notebook", small, (5, 4), ROUNDS, "networks"),
        Work("small_networks", "float64", small, (7, 5), ROUNDS, "networks"),
        Work("networks", "notebook", many, (133, 8), ROUNDS),
        Work("networks", "float64", many, (108, 8), ROUNDS),
        Work("networks", "float32", many, (70, 7)),
        Work("svm", "notebook", fitted, (30, 3), ROUNDS),
        Work("svm", "float64", fitted, (8, 4), ROUNDS),
        Work("clusters", "notebook", clustered, (13, 5), ROUNDS),
        Work("clusters", "float64", clustered, (6, 4), ROUNDS),
        Work("kernel_search", "float64", searched, (47, 8), ROUNDS),
        Work("kernel_search", "notebook", searched, (853, 14)),
        Work("points", "float64", searched, (22, 5)),
        Work("small_networks", "contract", small, (5, 4), 1, "networks"),
        Work("winner", "contract", many, (16, 3)),
        Work("clusters", "contract", clustered, (17, 5)),
        Work("products", "float64", many, (9, 8)),
        Work("large_svm", "notebook", large, (300, 4)),
        Work("large_svm", "float64", large, (50, 3)),
    ]
    if importlib.util.find_spec("sklearnex"):
        works += [
            Work("points", "intelex", searched, (150, 6)),
            Work("clusters", "intelex", clustered, (8, 5)),
        ]
    return works


class Bench:
    """A benchmark under way: its temporary clones, and what has been measured.

    Parameters
    ----------
    folder : Path
        For the clones.
    quick : bool
    changes : dict
        Parameters to be set in the clones.
    """

    def __init__(self, folder: Path, quick: bool, changes: dict[str, Any]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.changes = changes
        self.commit = git.commit_of("HEAD", staged=False)
        self.arrays: dict[str, Arrays] = {}
        self.estimates: list[tuple[float, float]] = []
        self.results: dict[str, Any] = {
            "quick": quick,
            "load": round(os.getloadavg()[0], 1),
            "machine": {
                **machine.about(),
                "memory_gb": round(psutil.virtual_memory().total / 1e9),
                "fit_processes": concurrency.at_once(),
            },
            "notebook_blas": notebook_blas(folder),
            "samples": {},
            "measured": {},
            "equal": {},
        }

    def clone(self, dtype: str, number: int = 1) -> Path:
        """A clone of the last commit, with the dtype set."""
        folder = self.folder / f"{dtype}-{number}"
        if not folder.exists():
            git.check_out(self.commit, folder)
            set_params(folder / settings.PARAMS, {**self.changes, "data.dtype": dtype})
        return folder

    def command(self, work: Work) -> tuple[list[str], Path, dict[str, str]]:
        """The command of a part, the folder where it runs, and its environment."""
        ours = work.side.startswith("float")
        folder = self.clone(work.side if ours else "float64")
        environment = measure.user_environment(folder)
        if work.side == "contract":
            environment |= stages.CONTRACT
        code = {"intelex": ["-P", "-m", "sklearnex", str(NOTEBOOK)]}.get(
            work.side, ["-m", "tools.bench.parts"] if ours else ["-P", str(NOTEBOOK)]
        )
        options = ["--samples", str(work.samples), "--results", str(self.folder / "results.npz")]
        return [sys.executable, *code, work.part or work.name, *options], folder, environment

    def repro(self, folder: Path, *arguments: str) -> measure.Measured:
        """Run the pipeline in a clone; its raw files come from here."""
        environment = measure.user_environment(folder) | verify.mirror(None)
        return measure.run(["dvc", "repro", *arguments], folder, environment)

    def do(self, work: Work, number: int) -> None:
        """Measure a work for the first, second, … time, and keep what came out."""
        if work.name in REPRODUCED:
            number = number if work.name == "whole" else 1
            found = self.repro(self.clone(work.side, number), *REPRODUCED[work.name])
            seconds = {"all": found.seconds}
            self.estimates += measure.estimates(found.said)
        else:
            found, seconds, self.arrays[str(work)] = self.part(work)
            if "is_point" in self.arrays[str(work)]:
                of = self.arrays[str(work)]
                self.results["points_of_notebook"] = float(of["seconds"] @ of["is_point"])
        self.results["samples"][work.name] = work.samples
        self.keep(str(work), seconds, found.memory)
        self.compare()

    def part(self, work: Work) -> tuple[measure.Measured, dict[str, float], Arrays]:
        """Measure a part: as a whole, its steps in seconds, what came out."""
        found = measure.run(*self.command(work))
        with np.load(self.folder / "results.npz") as arrays:
            return found, json.loads(found.output.splitlines()[-1]), dict(arrays)

    def keep(self, name: str, seconds: dict[str, float], memory: int) -> None:
        """Add to what has been measured."""
        of_work = self.results["measured"].setdefault(name, {"seconds": {}, "memory_gb": []})
        for step, took in seconds.items():
            of_work["seconds"].setdefault(step, []).append(round(took, 3))
        of_work["memory_gb"].append(round(memory / 1e9, 3))
        say(f"   {name}: {sum(seconds.values()):.2f} s, {memory / 1e9:.2f} GB")

    def compare(self) -> None:
        """Compare what can be compared by now, and say what has not been said."""
        for (one, other), how in COMPARISONS.items():
            if one not in self.results["equal"] and {one, other} <= self.arrays.keys():
                sentence = how(self.arrays[one], self.arrays[other])
                self.results["equal"][one] = sentence
                say(f"   {one} and {other}: {sentence}")

    def idle(self) -> None:
        """Measure `dvc repro` with nothing to do, and DVC's own start-up beside it."""
        nothing = self.folder / "nothing"
        nothing.mkdir()
        git.git("init", "--quiet", folder=nothing)
        environment = measure.user_environment(nothing)
        for command in (
            ["dvc", "init", "--quiet"],
            ["dvc", "config", "core.analytics", "false"],
            ["dvc", "stage", "add", "--quiet", "--run", "--name", "nothing", "true"],
        ):
            subprocess.run(command, cwd=nothing, env=environment, check=True, capture_output=True)
        for _ in range(IDLE_ROUNDS):
            for name, folder in (("trivial", nothing), ("float64", self.clone("float64"))):
                found = self.repro(folder)
                self.keep(f"nothing, {name}", {"all": found.seconds}, found.memory)

    def conclude(self) -> None:
        """Reckon the floor of the networks, and how good the estimates of time left were."""
        found, products = (self.arrays[f"{name}, float64"] for name in ("networks", "products"))
        samples, folds = self.results["samples"]["networks"], found["epochs"].shape[1]
        batches = samples / products["batch"]
        search = found["epochs"].sum(axis=1) * batches * (folds - 1) / folds
        last = np.zeros_like(search)
        last[found["best"]] = found["final_epochs"] * batches
        of_batch = products["seconds"]
        # The search keeps all processes busy, the last fit one.
        seconds = search @ of_batch / concurrency.at_once() + last @ of_batch
        speed = (search + last) @ products["operations"] / ((search + last) @ of_batch)
        self.results["floor"] = {"seconds": round(seconds, 3), "gigaflops": round(speed / 1e9, 1)}
        if (worst := measure.worst_factor(self.estimates)) is not None:
            count = sum(true > measure.SOON for _, true in self.estimates)
            self.results["time_left"] = {"estimates": count, "worst_factor": round(worst, 2)}


def notebook_blas(folder: Path) -> str:
    """Kernels and threads of the BLAS that a user's NumPy has."""
    command = [sys.executable, "-m", "threadpoolctl", "-i", "numpy"]
    found = json.loads(measure.run(command, folder, measure.user_environment(folder)).output)
    (blas,) = (library for library in found if library["user_api"] == "blas")
    return f"{blas['internal_api']} {blas['version']}, {blas['architecture']} kernels, " + (
        f"{blas['num_threads']} threads"
    )


def bench(folder: Path, out: Path, quick: bool) -> None:
    """Measure everything in the plan, and write results, table and chart."""
    run = Bench(folder, quick, QUICK if quick else {})
    params = settings.load(run.clone("float64") / settings.PARAMS)
    works = plan(params, QUICK_LARGE if quick else GROWTH[-1])
    if quick:
        works = [work._replace(rounds=1) for work in works]
    total = sum(work.about[quick] * work.rounds for work in works) + 12
    say_plan(works, quick, total)
    for caveat in report.caveats(run.results):
        say(caveat)
    start = time.monotonic()
    for number in range(1, ROUNDS + 1):
        for work in works:
            if number <= work.rounds:
                passed = (time.monotonic() - start) / 60
                images_of = "" if work.name in REPRODUCED else f", {work.samples} images"
                say(f"{passed:.0f} of {total / 60:.0f} min, round {number}: {work}{images_of}")
                run.do(work, number)
                artifacts.write_json(QUICK_RESULTS / "latest.json", run.results)
    say("dvc repro with nothing to do")
    run.idle()
    run.conclude()
    run.results["minutes"] = round((time.monotonic() - start) / 60, 1)
    artifacts.write_json(out / report.RESULTS, run.results)
    report.write(out)
    say(f"\nTable and chart are in {out}.")


def say_plan(works: list[Work], quick: bool, total: float) -> None:
    """Say what will be done, and how long it will take."""
    say(f"The last commit beside the notebook: about {total / 60:.0f} minutes on two quiet cores.")
    for work in works:
        say(f"   {work}: {work.rounds} x {work.about[quick]:.0f} s")
    if not any(work.side == "intelex" for work in works):
        say("   scikit-learn-intelex is not installed here, and left out")


def grow(folder: Path, out: Path, quick: bool) -> None:
    """Measure how time, memory and errors grow with the number of images."""
    run = Bench(folder, quick, {})
    clone = run.clone("float64")
    run.repro(clone, "prepare")
    test_labels = np.load(clone / prepared.FOLDER / "test_labels.npy")
    growth: dict[str, dict[str, list[float]]] = {}
    for samples in QUICK_GROWTH if quick else GROWTH:
        for name, side in (
            ("winner", "contract"),
            ("large_svm", "float64"),
            ("ten_clusters", "float64"),
        ):
            if name == "ten_clusters" and samples > MOST_CLUSTERED:
                continue
            work = Work(name, side, samples)
            found, seconds, arrays = run.part(work)
            point = {
                "images": samples,
                "seconds": round(seconds.get("fit") or seconds["all"], 3),
                "memory_gb": round(found.memory / 1e9, 3),
            }
            if "predicted" in arrays:
                point["test_error"] = float((arrays["predicted"] != test_labels).mean())
            say(f"{name}: " + ", ".join(f"{key} {value}" for key, value in point.items()))
            for key, value in point.items():
                growth.setdefault(name, {}).setdefault(key, []).append(value)
    about = {key: run.results[key] for key in ("quick", "machine")}
    artifacts.write_json(out / report.GROWTH, {**about, "growth": growth})
    report.write(out)


def main(options: argparse.Namespace, _: Settings) -> None:
    """Measure, or report what was measured."""
    if sys.platform != "linux":
        raise UserError("Memory is measured as Linux accounts for it: the benchmark runs there.")
    out = QUICK_RESULTS if options.quick else report.COMMITTED
    if options.report:
        report.write(out)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (grow if options.growth else bench)(Path(folder), out, options.quick)


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
