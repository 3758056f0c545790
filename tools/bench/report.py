"""Write the tables and charts of docs/speed.md from the measured results."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stages.files import artifacts
from tools.bench import charts, goals
from tools.bench.goals import Limit, Results, seconds_of
from tools.shared import generated

COMMITTED = Path("docs")
QUICK_RESULTS = Path("dvc_plots/bench")
COMMAND = "python -m tools.bench --report"
PAGE = COMMITTED / "speed.md"

# Kinds of processors. The pipeline computes alike on both; the notebook uses AVX-512 where it can.
KINDS = {"avx512": "with AVX-512", "no-avx512": "without AVX-512"}

WITH_SETTINGS = "the notebook's code with the pipeline's settings of BLAS and threads"
# Names of the comparisons in the page. Where numbers are listed, they are in the order of the name.
EQUAL = {
    "kernel_search, notebook": "kernel search, notebook and pipeline",
    "svm, notebook": "SVM, final fit",
    "networks, notebook": "networks, notebook beside pipeline (rounding in the last bit changes "
    "when the training of a network with two layers stops)",
    "networks, float32": "networks, float32 beside float64",
    "small_networks, contract": f"networks, few images, {WITH_SETTINGS}",
    "winner, contract": f"the best network, {WITH_SETTINGS}",
    "clusters, notebook": "K-means",
    "clusters, contract": f"K-means, {WITH_SETTINGS}",
    "large_svm, notebook": "SVC on many images",
    "points, intelex": "scikit-learn-intelex and pipeline, three points of each kernel",
    "clusters, intelex": "scikit-learn-intelex and pipeline, K-means",
}

QUIET = 0.7  # load of a machine with nothing else to do, a minute after something was done


def kind_of(results: Results) -> str:
    """The kind of processor that results are of."""
    return "avx512" if "avx512f" in results["machine"]["instructions"] else "no-avx512"


def beside_the_notebook(results: Results) -> list[str]:
    """The tables of notebook and pipeline, and the conditions."""
    judged = not results["quick"]
    lines = caveats(results)
    lines += ["| | notebook | here | speed-up | goal |", "|---|---|---|---|---|"]
    for row in goals.rows(results):
        missed = judged and row.speedup is not None and row.speedup < row.goal.speedup
        cells = [
            row.goal.work.format_map(results["samples"]),
            rounded(row.notebook, " s"),
            rounded(row.pipeline, " s"),
            f"**{rounded(row.speedup)}**" if row.speedup else "",
            f"≥ {row.goal.speedup:g}" + ", missed" * missed,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| | here | goal |", "|---|---|---|"]
    lines += [_limit(limit, judged) for limit in goals.limits(results)]
    lines += ["", *_intelex(results), "", "Are the results equal?", ""]
    equal = results["equal"]
    lines += [f"- {what}: {equal[name]}" for name, what in EQUAL.items() if name in equal]
    conditions = (
        "Seconds are medians of up to three rounds, in which notebook and pipeline took turns: "
        f"{_machine(results)}. {_settings(results)}"
    )
    return [*lines, "", conditions]


def after_a_change(results: Results) -> list[str]:
    """The tables of changes and of a fresh clone, and the conditions."""
    judged = not results["quick"]
    lines = caveats(results)
    lines += ["| change | all fits | new fits | fraction | goal |", "|---|---|---|---|---|"]
    for row in goals.costs(results):
        missed = judged and row.fraction is not None and row.fraction > row.goal.fraction
        cells = [
            row.goal.what,
            rounded(row.without, " s"),
            rounded(row.with_record, " s"),
            f"**{rounded(row.fraction)}**" if row.fraction else "",
            f"≤ {row.goal.fraction:g}" + ", missed" * missed,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| | here | goal |", "|---|---|---|"]
    lines += [_limit(limit, judged) for limit in goals.limits_of_costs(results)]
    return [*lines, "", f"Seconds are medians of up to three rounds: {_machine(results)}."]


def _limit(limit: Limit, judged: bool) -> str:
    """A row of a measured value and its bound."""
    missed = judged and limit.value is not None and limit.value > limit.bound
    goal = f"≤ {limit.bound:g}{limit.unit}" + ", missed" * missed
    return f"| {limit.what} | {rounded(limit.value, limit.unit)} | {goal} |"


def caveats(results: Results) -> list[str]:
    """Why the numbers are not to be relied on, if they are not."""
    lines = []
    if results["quick"]:
        lines.append(
            "This was a quick run, on few images in one round. The goals do not apply to it."
        )
    if results["load"] > QUIET:
        lines.append(
            f"Other programs were running (load {results['load']} when it began). They slow down "
            "the notebook's threads most, so do not rely on these numbers."
        )
    return [*lines, ""] if lines else []


def rounded(value: float | None, unit: str = "") -> str:
    """A number, to two or three digits."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}{unit}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}{unit}"


def _intelex(results: Results) -> list[str]:
    """Beside scikit-learn-intelex, which a user of the notebook gets by one more line."""
    lines = ["| | notebook | with scikit-learn-intelex | here |", "|---|---|---|---|"]
    for work, name, notebook in (
        ("three points of each kernel", "points", results.get("points_of_notebook")),
        ("K-means", "clusters", seconds_of(results, "clusters, notebook")),
    ):
        intelex, pipeline = (
            seconds_of(results, f"{name}, {side}") for side in ("intelex", "float64")
        )
        cells = [rounded(notebook, " s"), rounded(intelex, " s"), rounded(pipeline, " s")]
        if intelex is None:
            cells[1] = "not installed"
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return lines


def _machine(results: Results) -> str:
    """What it ran on."""
    machine, packages = results["machine"], results["machine"]["packages"]
    versions = ", ".join(f"{n} {packages[n]}" for n in ("scikit-learn", "numpy", "scipy", "dvc"))
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, {machine['libc']}, Python {machine['python']}, {versions}"
    )


def _settings(results: Results) -> str:
    """What notebook and pipeline compute with."""
    machine = results["machine"]
    return (
        f"The notebook ran with default settings: {results['notebook_blas']}. The pipeline fixes "
        f"its own settings: {'; '.join(machine['blas'])}, one thread for each fit, "
        f"{machine['fit_processes']} fits at once."
    )


def with_more_images(growth: Results) -> list[str]:
    """Seconds, memory and test error, for each number of images."""
    lines = [
        "| | images | seconds | memory | test error | time grows as |",
        "|---|---|---|---|---|---|",
    ]
    for name, what in charts.GROWN.items():
        measured = growth["growth"][name]
        slope = f"n^{charts.exponent(measured['images'], measured['seconds']):.2f}"
        for i, samples in enumerate(measured["images"]):
            error = f"{measured['test_error'][i]:.4f}" if "test_error" in measured else ""
            cells = [
                f"{samples:,}",
                rounded(measured["seconds"][i]),
                f"{measured['memory_gb'][i]:.2f} GB",
                error,
            ]
            first = i == 0
            lines.append(f"| {what * first} | {' | '.join(cells)} | {slope * first} |")
    return lines


class Topic(NamedTuple):
    """A kind of measurement.

    Attributes
    ----------
    name
        Of its files.
    title
        Of its section in the page.
    tables
        Makes the lines of the section from results.
    draw
        Makes a chart from results.
    caption
        Of the chart.
    """

    name: str
    title: str
    tables: Callable[[Results], list[str]]
    draw: Callable[[Results], bytes] | None = None
    caption: str = ""

    def path(self, out: Path, kind: str, ending: str) -> Path:
        """Where its results, or the chart, of a kind of processor lie."""
        return out / f"{self.name}-{kind}.{ending}"


NOTEBOOK = Topic(
    "bench",
    "The notebook beside the pipeline",
    beside_the_notebook,
    charts.speedups,
    charts.SPEEDUPS_TITLE,
)
CHANGES = Topic("changes", "After a change, and in a fresh clone", after_a_change)
GROWTH = Topic("growth", "With more images", with_more_images, charts.growth, charts.GROWTH_TITLE)
TOPICS = (NOTEBOOK, CHANGES, GROWTH)


def keep(topic: Topic, results: Results, out: Path) -> None:
    """Write results, charts and page."""
    artifacts.write_json(topic.path(out, kind_of(results), "json"), results)
    write(out)


def write(out: Path) -> None:
    """Write charts of the results in a folder, and tables in it or, if committed, in the page."""
    for topic in TOPICS:
        for kind, results in found(topic, out).items():
            if topic.draw:
                artifacts.write(topic.path(out, kind, "svg"), topic.draw(results))
    if out == COMMITTED:
        generated.write(COMMAND, sections(out), PAGE)
    else:
        artifacts.write(out / "bench.md", sections(out).encode())


def found(topic: Topic, out: Path) -> dict[str, Results]:
    """Results of a folder, by kind of processor."""
    paths = {kind: topic.path(out, kind, "json") for kind in KINDS}
    return {kind: artifacts.read_json(path) for kind, path in paths.items() if path.exists()}


def sections(out: Path) -> str:
    """The generated part of the page: for each topic, a section of each kind of processor."""
    lines = []
    for topic in TOPICS:
        for kind, results in found(topic, out).items():
            lines += [f"## {topic.title}, {KINDS[kind]}", ""]
            lines += [*topic.tables(results), ""]
            if topic.draw:
                lines += [f"![{topic.caption}]({topic.path(Path(), kind, 'svg')})", ""]
    return "\n".join(lines[:-1]) + "\n"
