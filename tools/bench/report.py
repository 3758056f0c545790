"""Tables and charts of what was measured, made again at any time from the file of results."""

import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stages.files import artifacts
from tools.shared import readme

COMMITTED = Path("docs")
RESULTS = "bench.json"
GROWTH = "growth.json"
CHART = "bench.svg"
GROWTH_CHART = "growth.svg"
CHART_TITLE = "Times as fast as the notebook"
GROWTH_TITLE = "Seconds, memory and test error by number of images"
COMMAND = "python -m tools.bench --report"
PAGE = COMMITTED / "speed.md"
HERE, GOAL, OTHER = "#1f6feb", "#d1242f", "#9aa4b1"

# Names of what is compared, and of what grows, for people.
EQUAL = {
    "kernel_search, notebook": "kernel search, notebook and pipeline",
    "svm, notebook": "SVM, final fit",
    "networks, notebook": "networks (a last bit decides where one of two layers ends)",
    "networks, float32": "networks, float32 beside float64",
    "small_networks, contract": "networks, few images, the notebook's code under our arithmetic",
    "winner, contract": "the network that won, the notebook's code under our arithmetic",
    "clusters, notebook": "K-means",
    "clusters, contract": "K-means, the notebook's code under our arithmetic",
    "large_svm, notebook": "SVC on many images",
    "points, intelex": "scikit-learn-intelex and pipeline, three points of each kernel",
    "clusters, intelex": "scikit-learn-intelex and pipeline, K-means",
}
GROWN = {
    "winner": "network, one hidden layer of 100",
    "large_svm": "SVC, rbf, C = 10, gamma = 0.01",
    "ten_clusters": "K-means, ten clusters and their silhouettes",
}

QUIET = 0.7  # load of a machine with nothing else to do, a minute after something was done

Results = dict[str, Any]


class Goal(NamedTuple):
    """How many times as fast as the notebook a work is meant to be.

    Attributes
    ----------
    bar : str
        Its name in the chart.
    work : str
        Its name in the table; numbers of images are filled in.
    notebook, here : list of str
        What was measured of it.
    step : str or None
        The step that counts, if not all do.
    gain : float
    """

    bar: str
    work: str
    notebook: list[str]
    here: list[str]
    gain: float
    step: str | None = None


def of(side: str, *parts: str) -> list[str]:
    """Parts of a side, as the results name them."""
    return [f"{part}, {side}" for part in parts]


ALL = of("notebook", "small_networks", "networks", "kernel_search", "svm", "clusters")
GOALS = [
    Goal(
        "SVM: search, fit, scoring",
        "SVM: 21 kernels × 5 folds on {kernel_search:,} images, final fit, scoring",
        of("notebook", "kernel_search", "svm"),
        of("float64", "kernel_search", "svm"),
        20,
    ),
    Goal(
        "networks",
        "networks: 6 architectures × 5 folds on {networks:,} images, final fit",
        of("notebook", "networks"),
        of("float64", "networks"),
        1.25,
    ),
    Goal(
        "networks, float32",
        "… in float32",
        of("notebook", "networks"),
        of("float32", "networks"),
        1.7,
    ),
    Goal(
        "K-means and silhouettes",
        "K-means: 10 and 2 to 15 clusters of {clusters:,} images, silhouettes",
        of("notebook", "clusters"),
        of("float64", "clusters"),
        3.5,
    ),
    Goal(
        "the whole pipeline",
        "all of it: `dvc repro`, with start-ups and files, without `noise`",
        ALL,
        of("float64", "whole"),
        6.5,
    ),
    Goal("the whole pipeline, float32", "… in float32", ALL, of("float32", "whole"), 8),
    Goal(
        "SVC on all images: fit",
        "SVC on {large_svm:,} images: fit",
        of("notebook", "large_svm"),
        of("float64", "large_svm"),
        5,
        "fit",
    ),
    Goal(
        "SVC on all images: scoring",
        "… scoring of 10,000",
        of("notebook", "large_svm"),
        of("float64", "large_svm"),
        15,
        "score",
    ),
]


class Row(NamedTuple):
    """A goal, and what was measured: seconds, or None if it was not measured."""

    goal: Goal
    notebook: float | None
    here: float | None

    @property
    def gain(self) -> float | None:
        """How many times as fast as the notebook."""
        return self.notebook / self.here if self.notebook and self.here else None


class Limit(NamedTuple):
    """Something that is meant to stay below a bound."""

    what: str
    value: float | None
    bound: float
    unit: str


def seconds(results: Results, *names: str, step: str | None = None) -> float | None:
    """Seconds of works, of each the median of its rounds; None if one was not measured."""
    total = 0.0
    for name in names:
        if name not in results["measured"]:
            return None
        steps = results["measured"][name]["seconds"]
        rounds = [steps[step]] if step else list(steps.values())
        total += statistics.median(map(sum, zip(*rounds, strict=True)))
    return total


def memory(results: Results, *names: str) -> float | None:
    """Gigabytes at the peak of any of these works."""
    peaks = [max(of["memory_gb"]) for n in names if (of := results["measured"].get(n))]
    return max(peaks, default=None)


def rows(results: Results) -> list[Row]:
    """The goals, and what was measured."""
    return [
        Row(goal, *(seconds(results, *side, step=goal.step) for side in (goal.notebook, goal.here)))
        for goal in GOALS
    ]


def limits(results: Results) -> list[Limit]:
    """What is meant to stay below a bound."""
    floor = results.get("floor")
    networks = seconds(results, "networks, float64")
    own = seconds(results, "nothing, trivial")
    speed = (
        f" ({floor['seconds']:.3g} s, at {floor['gigaflops']:.3g} Gflop/s a core)" if floor else ""
    )
    return [
        Limit(
            f"networks: time, in times of what their matrix products alone take{speed}",
            networks / floor["seconds"] if networks and floor else None,
            1.9,
            "×",
        ),
        Limit(
            "`noise`: the winners on other draws, which the notebook has nothing like",
            seconds(results, "noise, float64"),
            60,
            " s",
        ),
        Limit(
            "`dvc repro` with nothing to do, beyond what DVC takes in a project of one stage"
            + (f" ({own:.2g} s)" if own else ""),
            (seconds(results, "nothing, float64") or own or 0) - own if own else None,
            0.5,
            " s",
        ),
        Limit(
            "memory, all processes: `dvc repro`",
            memory(results, "whole, float64", "whole, float32"),
            1.5,
            " GB",
        ),
        Limit(
            f"… SVC on {results['samples'].get('large_svm', 0):,} images",
            memory(results, "large_svm, float64"),
            5,
            " GB",
        ),
        Limit(
            "time left as it is shown: the worst is off by a factor of",
            results.get("time_left", {}).get("worst_factor"),
            2,
            "×",
        ),
    ]


def section(results: Results, growth: Results | None) -> str:
    """The tables of the page, and the conditions."""
    judged = not results["quick"]
    lines = caveats(results)
    lines += ["| | notebook | here | times as fast | goal |", "|---|---|---|---|---|"]
    for row in rows(results):
        missed = judged and row.gain is not None and row.gain < row.goal.gain
        goal = f"≥ {row.goal.gain:g}" + ", missed" * missed
        gain = f"**{shown(row.gain)}**" if row.gain else ""
        cells = [
            row.goal.work.format_map(results["samples"]),
            shown(row.notebook, " s"),
            shown(row.here, " s"),
            gain,
            goal,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| | here | goal |", "|---|---|---|"]
    for limit in limits(results):
        missed = judged and limit.value is not None and limit.value > limit.bound
        goal = f"≤ {limit.bound:g}{limit.unit}" + ", missed" * missed
        lines.append(f"| {limit.what} | {shown(limit.value, limit.unit)} | {goal} |")
    lines += ["", *intelex(results), "", "Are the results equal?", ""]
    equal = results["equal"]
    lines += [f"- {what}: {equal[name]}" for name, what in EQUAL.items() if name in equal]
    lines += ["", conditions(results), "", f"![{CHART_TITLE}]({CHART})"]
    if growth:
        lines += ["", *growth_table(growth), "", f"![{GROWTH_TITLE}]({GROWTH_CHART})"]
    return "\n".join(lines) + "\n"


def caveats(results: Results) -> list[str]:
    """Why the numbers are not to be relied on, if they are not."""
    lines = []
    if results["quick"]:
        lines.append("This was a quick run, on few images in one round: the goals are not for it.")
    if results["load"] > QUIET:
        lines.append(
            f"Other programs were at work (load {results['load']} when it began), which slows the "
            "notebook's threads most: do not rely on these numbers."
        )
    return [*lines, ""] if lines else []


def shown(value: float | None, unit: str = "") -> str:
    """A number, to two or three digits."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}{unit}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}{unit}"


def intelex(results: Results) -> list[str]:
    """Beside scikit-learn-intelex, which a user of the notebook gets by one more line."""
    lines = ["| | notebook | with scikit-learn-intelex | here |", "|---|---|---|---|"]
    for work, name, notebook in (
        ("three points of each kernel", "points", results.get("points_of_notebook")),
        ("K-means", "clusters", seconds(results, "clusters, notebook")),
    ):
        patched, here = (seconds(results, f"{name}, {side}") for side in ("intelex", "float64"))
        cells = [shown(notebook, " s"), shown(patched, " s"), shown(here, " s")]
        if patched is None:
            cells[1] = "not installed"
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return lines


def conditions(results: Results) -> str:
    """What it ran on, and how."""
    on, packages = results["machine"], results["machine"]["packages"]
    versions = ", ".join(f"{n} {packages[n]}" for n in ("scikit-learn", "numpy", "scipy", "dvc"))
    return (
        "Seconds are medians of up to three rounds, in which notebook "
        f"and pipeline took turns: {on['processor']}, {on['cores']} cores, {on['memory_gb']} GB, "
        f"{on['system']}, {on['libc']}, Python {on['python']}, {versions}. The notebook ran as a "
        f"user has it, with no variables set: {results['notebook_blas']}. The pipeline sets its "
        f"own: {'; '.join(on['blas'])}, one thread to a fit, {on['fit_processes']} fits at once."
    )


def exponent(numbers: Sequence[float], values: Sequence[float]) -> float:
    """Slope of values against numbers, both as logarithms: 2 is quadratic growth."""
    return float(np.polyfit(np.log(numbers), np.log(values), 1)[0])


def growth_table(growth: Results) -> list[str]:
    """Seconds, memory and test error, for each number of images."""
    lines = [
        "| | images | seconds | memory | test error | time grows as |",
        "|---|---|---|---|---|---|",
    ]
    for name, what in GROWN.items():
        of = growth["growth"][name]
        slope = f"n^{exponent(of['images'], of['seconds']):.2f}"
        for i, samples in enumerate(of["images"]):
            error = f"{of['test_error'][i]:.4f}" if "test_error" in of else ""
            cells = [f"{samples:,}", shown(of["seconds"][i]), f"{of['memory_gb'][i]:.2f} GB", error]
            first = i == 0
            lines.append(f"| {what * first} | {' | '.join(cells)} | {slope * first} |")
    return lines


def chart(results: Results) -> bytes:
    """Draw how many times as fast everything is, and the goals."""
    drawn = [row for row in rows(results) if row.gain]
    figure = Figure(figsize=(8.5, 0.42 * len(drawn) + 1.1))
    axes = figure.add_subplot()
    gains = [row.gain or 1 for row in drawn]
    places = range(len(drawn))
    axes.barh(places, gains, color=HERE, height=0.62)
    for place, row, gain in zip(places, drawn, gains, strict=True):
        axes.plot([row.goal.gain] * 2, [place - 0.42, place + 0.42], color=GOAL, linewidth=2.2)
        # Not over the mark of a goal that was barely missed.
        beside = (row.goal.gain if gain < row.goal.gain < 1.2 * gain else gain, place)
        axes.annotate(f"{gain:.3g}", beside, (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, [row.goal.bar for row in drawn])
    axes.invert_yaxis()
    axes.set_xscale("log")
    ticks = [1, 2, 5, 10, 20, 50]
    axes.set_xlim(min(1, *gains), 1.5 * max(*gains, *(row.goal.gain for row in drawn)))
    axes.set_xticks(ticks, [f"{tick}×" for tick in ticks])
    axes.minorticks_off()
    quick = ", a quick run on few images" * results["quick"]
    plain(axes, f"{CHART_TITLE}{quick}")
    axes.plot([], [], color=GOAL, linewidth=2.2, label="goal")
    axes.legend(frameon=False, loc="lower right")
    return svg(figure)


def growth_chart(growth: Results) -> bytes:
    """Draw how seconds, memory and test error grow."""
    figure = Figure(figsize=(11, 3.6))
    panels = figure.subplots(1, 3)
    for axes, key, title in zip(
        panels,
        ("seconds", "memory_gb", "test_error"),
        ("seconds", "memory, GB", "test error"),
        strict=True,
    ):
        for (name, what), colour in zip(GROWN.items(), (HERE, GOAL, OTHER), strict=True):
            of = growth["growth"][name]
            if key in of:
                slope = f", n^{exponent(of['images'], of[key]):.2f}" if key == "seconds" else ""
                label = what.split(",")[0] + slope
                axes.plot(of["images"], of[key], "o-", color=colour, label=label)
        axes.set_xscale("log")
        if key == "seconds":
            axes.set_yscale("log")
        elif key == "memory_gb":
            axes.set_ylim(bottom=0)
        numbers = growth["growth"]["winner"]["images"]
        axes.set_xticks(numbers, [f"{number:,}" for number in numbers], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel("training images")
        axes.legend(frameon=False, fontsize=8)
        plain(axes, title)
    return svg(figure)


def plain(axes: Axes, title: str) -> None:
    """Title at the left, and no frame."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def svg(figure: Figure) -> bytes:
    """A figure as SVG, with the same bytes for the same numbers."""
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(
        file, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
    )
    return file.getvalue()


def write(out: Path) -> None:
    """Write charts of the results in a folder, and tables in it or, if committed, in the page."""
    results = artifacts.read_json(out / RESULTS) if (out / RESULTS).exists() else None
    growth = artifacts.read_json(out / GROWTH) if (out / GROWTH).exists() else None
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "bench"
        if results:
            artifacts.write(out / CHART, chart(results))
        if growth:
            artifacts.write(out / GROWTH_CHART, growth_chart(growth))
    if not results:
        return
    text = section(results, growth)
    if out != COMMITTED:
        artifacts.write(out / "bench.md", text.encode())
        return
    readme.write(COMMAND, text, PAGE)
