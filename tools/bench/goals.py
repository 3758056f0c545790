"""Goals of speed, memory and the record of fits, and whether the measurements reach them."""

import statistics
from typing import Any, NamedTuple

Results = dict[str, Any]

# What `changes.py` measures besides changes of parameters: comments in two modules, and a fresh
# clone's set-up and `make`.
ANY_STAGE = "stages/run/terminal.py"  # which every stage imports, and no fit
OF_CLUSTERS = "stages/learn/clusters.py"
SETUP, MAKE = "setup", "make"


class Goal(NamedTuple):
    """How many times as fast as the notebook a piece of work must be.

    Attributes
    ----------
    bar
        Name of the work in the chart.
    work
        Name in the table, with places for the numbers of images.
    notebook, pipeline
        Names of its measurements in the results.
    step
        The only step that counts, or None if all do.
    """

    bar: str
    work: str
    notebook: list[str]
    pipeline: list[str]
    speedup: float
    step: str | None = None


def measured(side: str, *parts: str) -> list[str]:
    """Parts of a side, as the results name them."""
    return [f"{part}, {side}" for part in parts]


ALL = measured("notebook", "small_networks", "networks", "kernel_search", "svm", "clusters")
GOALS = [
    Goal(
        "SVM: search, fit, scoring",
        "SVM: 21 points of the grid × 5 folds on {kernel_search:,} images, final fit, scoring",
        measured("notebook", "kernel_search", "svm"),
        measured("float64", "kernel_search", "svm"),
        20,
    ),
    Goal(
        "networks",
        "networks: 6 architectures × 5 folds on {networks:,} images, final fit",
        measured("notebook", "networks"),
        measured("float64", "networks"),
        1.1,
    ),
    Goal(
        "networks, float32",
        "… in float32",
        measured("notebook", "networks"),
        measured("float32", "networks"),
        2,
    ),
    Goal(
        "K-means and silhouettes",
        "K-means: 10 and 2 to 15 clusters of {clusters:,} images, silhouettes",
        measured("notebook", "clusters"),
        measured("float64", "clusters"),
        3.5,
    ),
    Goal(
        "the whole pipeline",
        "all of it: `dvc repro`, with start-ups and files, without `noise`",
        ALL,
        measured("float64", "whole"),
        6.5,
    ),
    Goal("the whole pipeline, float32", "… in float32", ALL, measured("float32", "whole"), 8),
    Goal(
        "SVC on all images: fit",
        "SVC on {large_svm:,} images: fit",
        measured("notebook", "large_svm"),
        measured("float64", "large_svm"),
        5,
        "fit",
    ),
    Goal(
        "SVC on all images: scoring",
        "… scoring of 10,000 images",
        measured("notebook", "large_svm"),
        measured("float64", "large_svm"),
        15,
        "score",
    ),
]


class Row(NamedTuple):
    """A goal, and what was measured: seconds, or None if it was not measured."""

    goal: Goal
    notebook: float | None
    pipeline: float | None

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the notebook."""
        return self.notebook / self.pipeline if self.notebook and self.pipeline else None


class Limit(NamedTuple):
    """A measured value, and the bound that it must not exceed."""

    what: str
    value: float | None
    bound: float
    unit: str


def seconds_of(results: Results, *names: str, step: str | None = None) -> float | None:
    """Seconds of works, of each the median of its rounds; None if one was not measured."""
    total = 0.0
    for name in names:
        if name not in results["measured"]:
            return None
        steps = results["measured"][name]["seconds"]
        rounds = [steps[step]] if step else list(steps.values())
        total += statistics.median(map(sum, zip(*rounds, strict=True)))
    return total


def peak_memory(results: Results, *names: str) -> float | None:
    """Gigabytes at the peak of any of these works."""
    records = [results["measured"][name] for name in names if name in results["measured"]]
    peaks = [max(record["memory_gb"]) for record in records]
    return max(peaks, default=None)


def rows(results: Results) -> list[Row]:
    """The goals, and what was measured."""
    return [
        Row(
            goal,
            seconds_of(results, *goal.notebook, step=goal.step),
            seconds_of(results, *goal.pipeline, step=goal.step),
        )
        for goal in GOALS
    ]


def limits(results: Results) -> list[Limit]:
    """Measured values that must not exceed a bound."""
    floor = results.get("floor")
    networks = seconds_of(results, "networks, float64")
    idle = seconds_of(results, "nothing, float64")
    idle_dvc = seconds_of(results, "nothing, trivial")
    speed = (
        f" ({floor['seconds']:.3g} s, at {floor['gigaflops']:.3g} Gflop/s a core)" if floor else ""
    )
    return [
        Limit(
            f"networks: total time divided by the time of their matrix products alone{speed}",
            networks / floor["seconds"] if networks and floor else None,
            1.9,
            "×",
        ),
        Limit(
            "`noise`: refit of the winners on other draws (the notebook has no such step)",
            seconds_of(results, "noise, float64"),
            60,
            " s",
        ),
        Limit(
            "`dvc repro` with nothing to do: time above that of a trivial project with one stage"
            + (f" ({idle_dvc:.2g} s)" if idle_dvc else ""),
            idle - idle_dvc if idle and idle_dvc else None,
            0.5,
            " s",
        ),
        Limit(
            "memory, all processes: `dvc repro`",
            peak_memory(results, "whole, float64", "whole, float32"),
            1.5,
            " GB",
        ),
        Limit(
            f"… SVC on {results['samples'].get('large_svm', 0):,} images",
            peak_memory(results, "large_svm, float64"),
            5,
            " GB",
        ),
        Limit(
            "remaining time that a stage shows: largest error, as a factor",
            results.get("time_left", {}).get("worst_factor"),
            2,
            "×",
        ),
    ]


class CostGoal(NamedTuple):
    """Which fraction of its time a change may cost with the record of fits.

    Attributes
    ----------
    change
        Name in the results.
    what
        Name in the table.
    """

    change: str
    what: str
    fraction: float


COST_GOALS = [
    CostGoal("svm.grid.rbf.C", "one more value of `svm.grid.rbf.C`", 0.3),
    CostGoal("mlp.architectures", "one more of `mlp.architectures`, which does not win", 0.3),
    CostGoal("noise.repeats", "`noise.repeats` doubled", 0.6),
    CostGoal("kmeans.k", "one more value of `kmeans.k`", 0.7),
    CostGoal(ANY_STAGE, f"a comment in `{ANY_STAGE}`, which every stage imports", 0.3),
]


class Cost(NamedTuple):
    """A change, and what was measured: seconds, or None if it was not measured."""

    goal: CostGoal
    without: float | None
    with_record: float | None

    @property
    def fraction(self) -> float | None:
        """Which fraction of the time is left."""
        return self.with_record / self.without if self.with_record and self.without else None


def costs(results: Results) -> list[Cost]:
    """The changes, and what was measured."""
    return [
        Cost(goal, median(results, goal.change, "without"), median(results, goal.change, "with"))
        for goal in COST_GOALS
    ]


def median(results: Results, what: str, how: str) -> float | None:
    """Median of the seconds of a change; None if it was not measured."""
    rounds = results["seconds"].get(what, {}).get(how)
    return statistics.median(rounds) if rounds else None


def limits_of_costs(results: Results) -> list[Limit]:
    """Measured seconds of changes and of a fresh clone that must not exceed a bound."""
    whole, known = (median(results, ANY_STAGE, how) or 0.0 for how in ("without", "with"))
    pip = median(results, SETUP, "pip")
    return [
        Limit(
            f"a comment in `{OF_CLUSTERS}`: goal is the line on a comment above + 15 s",
            median(results, OF_CLUSTERS, "with"),
            round(known + 15),
            " s",
        ),
        Limit(
            "set-up of `.venv` in a fresh clone, no package cached"
            + (f" (with pip: {pip:.0f} s)" if pip else ""),
            median(results, SETUP, "uv"),
            20,
            " s",
        ),
        Limit(
            "`make` in a fresh clone, set-up included: goal is all fits of the pipeline + 30 s",
            median(results, MAKE, "with"),
            round(whole + 30),
            " s",
        ),
    ]
