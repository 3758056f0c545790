"""A running benchmark: its clones of the last commit, and their measurements."""

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
    """A running benchmark.

    Parameters
    ----------
    folder
        Folder for the clones.
    changes
        Parameters to set in the clones.
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
        """Return a clone of the last commit with this dtype in params.yaml."""
        folder = self.folder / f"{dtype}-{number}"
        if not folder.exists():
            git.check_out(self.commit, folder)
            set_params(folder / settings.PARAMS, {**self.changes, "data.dtype": dtype})
        return folder

    def _command(self, work: Work) -> tuple[list[str], Path, dict[str, str]]:
        """Return the command of a part, its folder and its environment."""
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
        """Run the pipeline in a clone, with the raw files of this project."""
        environment = measure.pipeline_environment(folder)
        return measure.run(["dvc", "repro", *arguments], folder, environment)

    def measure_work(self, work: Work, number: int) -> None:
        """Measure a piece of work in a round, and keep its results."""
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
        """Measure a part; return its measurements, the seconds of its steps, and its arrays."""
        measured = measure.run(*self._command(work))
        with np.load(self.folder / "results.npz") as arrays:
            return measured, json.loads(measured.output.splitlines()[-1]), dict(arrays)

    def _record(self, name: str, seconds: dict[str, float], memory: int) -> None:
        """Add a measurement to the results."""
        record = self.results["measured"].setdefault(name, {"seconds": {}, "memory_gb": []})
        for step, duration in seconds.items():
            record["seconds"].setdefault(step, []).append(round(duration, 3))
        record["memory_gb"].append(round(memory / 1e9, 3))
        say(f"   {name}: {sum(seconds.values()):.2f} s, {memory / 1e9:.2f} GB")

    def _compare(self) -> None:
        """Make each comparison once, as soon as both of its results exist, and print it."""
        for (one, other), compare in COMPARISONS.items():
            if one not in self.results["equal"] and {one, other} <= self.arrays.keys():
                sentence = compare(self.arrays[one], self.arrays[other])
                self.results["equal"][one] = sentence
                say(f"   {one} and {other}: {sentence}")

    def measure_idle(self) -> None:
        """Measure `dvc repro` with nothing to do, here and in a trivial project."""
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
        """Compute the time of the networks' matrix products, and the error of the times left."""
        networks, products = (self.arrays[f"{name}, float64"] for name in ("networks", "products"))
        samples, folds = self.results["samples"]["networks"], networks["epochs"].shape[1]
        # Count the batches of each architecture, in the search and in the refit.
        batches_of_epoch = samples / products["batch"]
        search = networks["epochs"].sum(axis=1) * batches_of_epoch * (folds - 1) / folds
        last = np.zeros_like(search)
        last[networks["best"]] = networks["final_epochs"] * batches_of_epoch
        seconds_of_batch = products["seconds"]
        # The search uses all processes, the refit only one.
        seconds = search @ seconds_of_batch / concurrency.at_once() + last @ seconds_of_batch
        batches = search + last
        speed = batches @ products["operations"] / (batches @ seconds_of_batch)
        self.results["floor"] = {"seconds": round(seconds, 3), "gigaflops": round(speed / 1e9, 1)}
        if (worst := measure.worst_factor(self.times_left)) is not None:
            count = sum(true > measure.SOON for _, true in self.times_left)
            self.results["time_left"] = {"estimates": count, "worst_factor": round(worst, 2)}


def notebook_blas(folder: Path) -> str:
    """Describe kernels and threads of the BLAS that a user's NumPy has."""
    command = [sys.executable, "-m", "threadpoolctl", "-i", "numpy"]
    libraries = json.loads(measure.run(command, folder, measure.user_environment(folder)).output)
    (blas,) = (library for library in libraries if library["user_api"] == "blas")
    return f"{blas['internal_api']} {blas['version']}, {blas['architecture']} kernels, " + (
        f"{blas['num_threads']} threads"
    )
