"""A benchmark under way: its clones of the last commit, and what has been measured in them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import stages
from stages.files import settings
from stages.run import concurrency
from stages.run.terminal import say
from tools.bench import measure
from tools.bench.notebook import Arrays
from tools.bench.plan import COMPARISONS, REPRODUCED, Work
from tools.shared import git, machine
from tools.shared.params import set_params

NOTEBOOK = Path(__file__).with_name("notebook.py").resolve()
IDLE_ROUNDS = 5


class Session:
    """A benchmark under way.

    Parameters
    ----------
    folder
        For the clones.
    changes
        Parameters to be set in the clones.
    """

    def __init__(self, folder: Path, quick: bool, changes: Mapping[str, Any]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.changes = changes
        self.commit = git.commit_of("HEAD", staged=False)
        self.arrays: dict[str, Arrays] = {}
        self.times_left: list[tuple[float, float]] = []
        self.results: dict[str, Any] = {
            "quick": quick,
            "load": round(os.getloadavg()[0], 1),
            "machine": {
                **machine.describe(),
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

    def _command(self, work: Work) -> tuple[list[str], Path, dict[str, str]]:
        """The command of a part, the folder where it runs, and its environment."""
        is_pipeline = work.side.startswith("float")
        folder = self.clone(work.side if is_pipeline else "float64")
        environment = measure.user_environment(folder)
        if work.side == "contract":
            environment |= stages.CONTRACT
        code = {"intelex": ["-P", "-m", "sklearnex", str(NOTEBOOK)]}.get(
            work.side, ["-m", "tools.bench.parts"] if is_pipeline else ["-P", str(NOTEBOOK)]
        )
        options = ["--samples", str(work.samples), "--results", str(self.folder / "results.npz")]
        return [sys.executable, *code, work.part or work.name, *options], folder, environment

    def repro(self, folder: Path, *arguments: str) -> measure.Measured:
        """Run the pipeline in a clone; its raw files come from here."""
        environment = measure.pipeline_environment(folder)
        return measure.run(["dvc", "repro", *arguments], folder, environment)

    def measure_work(self, work: Work, number: int) -> None:
        """Measure a work for the first, second, … time, and keep what came out."""
        if work.name in REPRODUCED:
            number = number if work.name == "whole" else 1
            measured = self.repro(self.clone(work.side, number), *REPRODUCED[work.name])
            seconds = {"all": measured.seconds}
            self.times_left += measure.times_left(measured.stderr)
        else:
            measured, seconds, arrays = self.measure_part(work)
            self.arrays[str(work)] = arrays
            if "is_point" in arrays:
                seconds_of_points = arrays["seconds"] @ arrays["is_point"]
                self.results["points_of_notebook"] = float(seconds_of_points)
        self.results["samples"][work.name] = work.samples
        self._record(str(work), seconds, measured.memory)
        self._compare()

    def measure_part(self, work: Work) -> tuple[measure.Measured, dict[str, float], Arrays]:
        """Measure a part: as a whole, its steps in seconds, what came out."""
        measured = measure.run(*self._command(work))
        with np.load(self.folder / "results.npz") as arrays:
            return measured, json.loads(measured.output.splitlines()[-1]), dict(arrays)

    def _record(self, name: str, seconds: dict[str, float], memory: int) -> None:
        """Add to what has been measured."""
        record = self.results["measured"].setdefault(name, {"seconds": {}, "memory_gb": []})
        for step, duration in seconds.items():
            record["seconds"].setdefault(step, []).append(round(duration, 3))
        record["memory_gb"].append(round(memory / 1e9, 3))
        say(f"   {name}: {sum(seconds.values()):.2f} s, {memory / 1e9:.2f} GB")

    def _compare(self) -> None:
        """Compare what can be compared by now, and say what has not been said."""
        for (one, other), compare in COMPARISONS.items():
            if one not in self.results["equal"] and {one, other} <= self.arrays.keys():
                sentence = compare(self.arrays[one], self.arrays[other])
                self.results["equal"][one] = sentence
                say(f"   {one} and {other}: {sentence}")

    def measure_idle(self) -> None:
        """Measure `dvc repro` with nothing to do, and DVC's own start-up beside it."""
        trivial = self.folder / "nothing"
        trivial.mkdir()
        git.git("init", "--quiet", folder=trivial)
        environment = measure.user_environment(trivial)
        for command in (
            ["dvc", "init", "--quiet"],
            ["dvc", "config", "core.analytics", "false"],
            ["dvc", "stage", "add", "--quiet", "--run", "--name", "nothing", "true"],
        ):
            subprocess.run(command, cwd=trivial, env=environment, check=True, capture_output=True)
        for _ in range(IDLE_ROUNDS):
            for name, folder in (("trivial", trivial), ("float64", self.clone("float64"))):
                measured = self.repro(folder)
                self._record(f"nothing, {name}", {"all": measured.seconds}, measured.memory)

    def conclude(self) -> None:
        """Reckon the floor of the networks, and how good the estimates of time left were."""
        networks, products = (self.arrays[f"{name}, float64"] for name in ("networks", "products"))
        samples, folds = self.results["samples"]["networks"], networks["epochs"].shape[1]
        # Of each architecture: batches in the search, and in the last fit.
        batches_of_epoch = samples / products["batch"]
        search = networks["epochs"].sum(axis=1) * batches_of_epoch * (folds - 1) / folds
        last = np.zeros_like(search)
        last[networks["best"]] = networks["final_epochs"] * batches_of_epoch
        seconds_of_batch = products["seconds"]
        # The search keeps all processes busy, the last fit one.
        seconds = search @ seconds_of_batch / concurrency.at_once() + last @ seconds_of_batch
        batches = search + last
        speed = batches @ products["operations"] / (batches @ seconds_of_batch)
        self.results["floor"] = {"seconds": round(seconds, 3), "gigaflops": round(speed / 1e9, 1)}
        if (worst := measure.worst_factor(self.times_left)) is not None:
            count = sum(true > measure.SOON for _, true in self.times_left)
            self.results["time_left"] = {"estimates": count, "worst_factor": round(worst, 2)}


def notebook_blas(folder: Path) -> str:
    """Kernels and threads of the BLAS that a user's NumPy has."""
    command = [sys.executable, "-m", "threadpoolctl", "-i", "numpy"]
    libraries = json.loads(measure.run(command, folder, measure.user_environment(folder)).output)
    (blas,) = (library for library in libraries if library["user_api"] == "blas")
    return f"{blas['internal_api']} {blas['version']}, {blas['architecture']} kernels, " + (
        f"{blas['num_threads']} threads"
    )
