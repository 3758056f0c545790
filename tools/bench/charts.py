"""Draw the charts of the benchmark as SVG."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tools.bench import goals
from tools.bench.goals import Results

SPEEDUPS_TITLE = "Times as fast as the notebook"
GROWTH_TITLE = "Seconds, memory and test error by number of images"
BLUE, RED, GREY = "#1f6feb", "#d1242f", "#9aa4b1"

# Names of the measured work in chart and table.
GROWN = {
    "winner": "network, one hidden layer of 100",
    "large_svm": "SVC, rbf, C = 10, gamma = 0.01",
    "ten_clusters": "K-means, ten clusters and their silhouettes",
}


def exponent(numbers: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of log values against log numbers: 2 is quadratic growth."""
    return float(np.polyfit(np.log(numbers), np.log(values), 1)[0])


@contextmanager
def _defaults() -> Iterator[None]:
    """Use Matplotlib's default settings, and the same ids in each SVG."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "bench"
        yield


@_defaults()
def speedups(results: Results) -> bytes:
    """Draw speed-ups and goals."""
    bars = [(row.goal, row.speedup) for row in goals.rows(results) if row.speedup]
    measured = [speedup for _, speedup in bars]
    figure = Figure(figsize=(8.5, 0.42 * len(bars) + 1.1))
    axes = figure.add_subplot()
    places = range(len(bars))
    axes.barh(places, measured, color=BLUE, height=0.62)
    for place, (goal, speedup) in zip(places, bars, strict=True):
        axes.plot([goal.speedup] * 2, [place - 0.42, place + 0.42], color=RED, linewidth=2.2)
        # The number must not cover the mark of a goal that was barely missed.
        barely_missed = speedup < goal.speedup < 1.2 * speedup
        beside = (goal.speedup if barely_missed else speedup, place)
        axes.annotate(f"{speedup:.3g}", beside, (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, [goal.bar for goal, _ in bars])
    axes.invert_yaxis()
    axes.set_xscale("log")
    ticks = [1, 2, 5, 10, 20, 50]
    axes.set_xlim(min(1, *measured), 1.5 * max(*measured, *(goal.speedup for goal, _ in bars)))
    axes.set_xticks(ticks, [f"{tick}×" for tick in ticks])
    axes.minorticks_off()
    quick = ", a quick run on few images" * results["quick"]
    _plain(axes, f"{SPEEDUPS_TITLE}{quick}")
    axes.plot([], [], color=RED, linewidth=2.2, label="goal")
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


@_defaults()
def growth(results: Results) -> bytes:
    """Draw time, memory and test error against the number of images."""
    figure = Figure(figsize=(11, 3.6))
    panels = figure.subplots(1, 3)
    for axes, key, title in zip(
        panels,
        ("seconds", "memory_gb", "test_error"),
        ("seconds", "memory, GB", "test error"),
        strict=True,
    ):
        for (name, what), colour in zip(GROWN.items(), (BLUE, RED, GREY), strict=True):
            points = results["growth"][name]
            if key in points:
                label = what.split(",")[0]
                if key == "seconds":
                    label += f", n^{exponent(points['images'], points[key]):.2f}"
                axes.plot(points["images"], points[key], "o-", color=colour, label=label)
        axes.set_xscale("log")
        if key == "seconds":
            axes.set_yscale("log")
        elif key == "memory_gb":
            axes.set_ylim(bottom=0)
        numbers = results["growth"]["winner"]["images"]
        axes.set_xticks(numbers, [f"{number:,}" for number in numbers], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel("training images")
        axes.legend(frameon=False, fontsize=8)
        _plain(axes, title)
    return _svg(figure)


def _plain(axes: Axes, title: str) -> None:
    """Set the title at the left and remove the frame."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _svg(figure: Figure) -> bytes:
    """Encode a figure as SVG, with the same bytes for the same numbers."""
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(
        file, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
    )
    return file.getvalue()
