"""Write the tables and charts of docs/speed.md from the measured results."""

from pathlib import Path

from stages.files import artifacts
from tools.bench import charts, goals
from tools.bench.goals import Results, seconds_of
from tools.shared import generated

COMMITTED = Path("docs")
QUICK_RESULTS = Path("dvc_plots/bench")
RESULTS = "bench.json"
GROWTH = "growth.json"
CHART = "bench.svg"
GROWTH_CHART = "growth.svg"
COMMAND = "python -m tools.bench --report"
PAGE = COMMITTED / "speed.md"

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


def section(results: Results, growth: Results | None) -> str:
    """The tables of the page, and the conditions."""
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
    for limit in goals.limits(results):
        missed = judged and limit.value is not None and limit.value > limit.bound
        goal = f"≤ {limit.bound:g}{limit.unit}" + ", missed" * missed
        lines.append(f"| {limit.what} | {rounded(limit.value, limit.unit)} | {goal} |")
    lines += ["", *_intelex(results), "", "Are the results equal?", ""]
    equal = results["equal"]
    lines += [f"- {what}: {equal[name]}" for name, what in EQUAL.items() if name in equal]
    lines += ["", _conditions(results), "", f"![{charts.SPEEDUPS_TITLE}]({CHART})"]
    if growth:
        lines += ["", *_growth_table(growth), "", f"![{charts.GROWTH_TITLE}]({GROWTH_CHART})"]
    return "\n".join(lines) + "\n"


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


def _conditions(results: Results) -> str:
    """What it ran on, and how."""
    machine, packages = results["machine"], results["machine"]["packages"]
    versions = ", ".join(f"{n} {packages[n]}" for n in ("scikit-learn", "numpy", "scipy", "dvc"))
    return (
        "Seconds are medians of up to three rounds, in which notebook "
        f"and pipeline took turns: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}, {machine['libc']}, Python "
        f"{machine['python']}, {versions}. The notebook ran with default settings: "
        f"{results['notebook_blas']}. The pipeline fixes its own settings: "
        f"{'; '.join(machine['blas'])}, one thread for each fit, {machine['fit_processes']} fits "
        "at once."
    )


def _growth_table(growth: Results) -> list[str]:
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


def write(out: Path) -> None:
    """Write charts of the results in a folder, and tables in it or, if committed, in the page."""
    results = artifacts.read_json(out / RESULTS) if (out / RESULTS).exists() else None
    growth = artifacts.read_json(out / GROWTH) if (out / GROWTH).exists() else None
    if growth:
        artifacts.write(out / GROWTH_CHART, charts.growth(growth))
    if not results:
        return
    artifacts.write(out / CHART, charts.speedups(results))
    text = section(results, growth)
    if out != COMMITTED:
        artifacts.write(out / "bench.md", text.encode())
        return
    generated.write(COMMAND, text, PAGE)
