"""Build the page of a sweep: many experiments against one base, the best first."""

from collections.abc import Iterator, Sequence
from typing import Any

from stages.learn.paired import BETTER, OPEN, WORSE
from tools.pages import colours
from tools.pages.blocks import Block, Caution, Chart, Folded, Heading, Table, Text, Verdict, chart
from tools.pages.forest import POINTS, Row
from tools.pages.forest import forest as of_rows
from tools.pages.results import MODELS, Model, Results, plots
from tools.review import metrics, page
from tools.review.answers import UNCHANGED, UNKNOWN, Answer, intervals
from tools.review.answers import answers as of_models
from tools.review.metrics import Answers, as_written

WIDTH, HEIGHT = 480, 260  # pixels of a chart
TRAINING = ("alpha", "learning_rate_init", "max_iter", "tol")  # numbers of all networks
ERROR = ("error", "low", "high")
Settings = dict[str, Any]


def review(old: Results, experiments: Sequence[Results], matters: float) -> list[Block]:
    """Return all blocks of the review of a sweep.

    Parameters
    ----------
    old
        Revision to compare with.
    experiments
        Revisions to review.
    matters
        Size of a change of a test error that matters.
    """
    found = of_models(old, experiments, matters)
    order = sorted(range(len(found)), key=lambda i: rank(found[i]))
    experiments, found = [experiments[i] for i in order], [found[i] for i in order]
    names = [f"{results.name} ({differences(old, results)})" for results in experiments]
    specs, together = plots([old, *experiments]), intervals(found)
    return [
        Heading(f"Review: {old.name} → {len(experiments)} experiments", 1),
        *(
            Caution(f"{results.name}: {caution.text}")
            for results in experiments
            for caution in page.cautions(old, results)
        ),
        Verdict(best(old.name, names, found, matters)),
        *forest(old.name, names, found, matters),
        *table(old, experiments, found),
        *by_setting(old, experiments, found),
        *(
            Folded(
                name,
                [
                    Text(metrics.overall(answers, matters)),
                    *map(_lower, page.details(old, results, answers, matters, together, specs)),
                ],
                2,
            )
            for name, results, answers in zip(names, experiments, found, strict=True)
        ),
    ]


def _lower(block: Block) -> Block:
    """Return a block of a review as a part of a page: its headings are one level lower."""
    if isinstance(block, Heading | Folded) and block.level:
        return block._replace(level=block.level + 1)
    return block


def differences(old: Results, new: Results) -> str:
    """Name the parameters that differ, with their new values: DVC's own names tell nothing."""
    keys = [
        key for key in {**old.params, **new.params} if old.params.get(key) != new.params.get(key)
    ]
    differ = (f"{_short(key, keys)} = {as_written(new.params.get(key))}" for key in keys)
    return ", ".join(differ) or "the same parameters"


def _short(key: str, keys: Sequence[str]) -> str:
    """Return the shortest end of a key that no other key has."""
    parts = key.split(".")
    ends = (".".join(parts[i:]) for i in reversed(range(len(parts))))
    return next((e for e in ends if sum(f".{other}".endswith(f".{e}") for other in keys) == 1), key)


def rank(answers: Answers) -> tuple[int, float]:
    """Order experiments: better, neither, worse, not known; then the sum of the changes decides."""
    verdicts = [answer.verdict for answer in answers.values()]
    changes = [answer.change[0] for answer in answers.values() if answer.change]
    groups = [WORSE in verdicts, BETTER in verdicts, UNKNOWN not in verdicts, True]
    return [2, 0, 1, 3][groups.index(True)], sum(changes)


def best(base: str, names: Sequence[str], found: Sequence[Answers], matters: float) -> str:
    """Say which experiment to keep, if one makes a model better and none worse."""
    if rank(found[0])[0] == 0:
        begin = f"Keep {names[0]}"
        if all(a.is_little(matters) for a in found[0].values() if a.verdict == BETTER):
            begin = f"The best is {names[0]}: better than {base}, but by less than matters"
        return f"{begin}. {metrics.overall(found[0], matters)}"
    reasons = dict.fromkeys(
        answer.more for answers in found for answer in answers.values() if answer.verdict == UNKNOWN
    )
    some = f" Not known: {'; '.join(reasons)}." if reasons else ""
    close = [
        name
        for name, answers in zip(names, found, strict=True)
        if any(answer.verdict == OPEN for answer in answers.values())
    ]
    open_ = f" Too close to call: {'; '.join(close)}." if close else ""
    return f"Keep {base}: of no experiment it is known to be better.{some}{open_}"


def shown(found: Sequence[Answers]) -> list[Model]:
    """Return the models that are not unchanged in every experiment."""
    return [
        model for model in MODELS if any(answers[model].verdict != UNCHANGED for answers in found)
    ]


def forest(
    base: str, names: Sequence[str], found: Sequence[Answers], matters: float
) -> Iterator[Chart]:
    """Draw the changes of each model, a line for each experiment; nothing if none changed."""
    rows = [
        Row(model.name, name, answers[model].verdict, answers[model].change)
        for model in shown(found)
        for name, answers in zip(names, found, strict=True)
    ]
    if any(row.change for row in rows):
        yield of_rows(f"Change of the test errors from {base}; the best first", rows, matters)


def table(
    old: Results, experiments: Sequence[Results], found: Sequence[Answers]
) -> Iterator[Block]:
    """Show a row for each experiment: the change of each model that is not unchanged in all."""
    models = shown(found)

    def cell(answer: Answer) -> str:
        if not answer.change:
            return ": ".join(filter(None, [answer.verdict, answer.more]))
        return f"{metrics.in_points(answer)}: {answer.verdict}"

    yield Table(
        f"Change of the test errors from {old.name}, in points; the best first",
        ["experiment", "differs in", *(model.name for model in models)],
        [
            [results.name, differences(old, results), *(cell(answers[model]) for model in models)]
            for results, answers in zip(experiments, found, strict=True)
        ],
    )
    yield Text(
        f"Each experiment is compared with {old.name}; all {intervals(found)} intervals hold "
        "together at 95 %, and experiments with the same fits of a model share one. Experiments "
        "are not compared with each other: a review of two of them does that."
    )


def settings(results: Results, model: Model) -> Settings:
    """Return what a model was fitted with, by name: numbers, and words where there is no number."""
    metrics_of_model = model.of(results.metrics)
    of_model: Settings = {
        key: metrics_of_model[key]
        for key in ("kernel", "C", "gamma", "degree", "samples")
        if key in metrics_of_model
    }
    if "architecture" in metrics_of_model:
        units = str(metrics_of_model["architecture"])
        of_model["units"] = int(units) if units.isdecimal() else units
        of_model |= {key: results.params[f"mlp.{key}"] for key in TRAINING}
    return of_model | {"seed": results.params["seed"]}


def by_setting(
    old: Results, experiments: Sequence[Results], found: Sequence[Answers]
) -> list[Chart]:
    """Draw each model's test error against the settings that vary: two of them in one chart."""
    fitted = {
        model: _fitted(model, old, experiments, found)
        for model in MODELS
        if any(answers[model].change for answers in found)
    }
    height = max((_ends(rows)[1] - _ends(rows)[0] for rows in fitted.values()), default=0)
    charts = []
    for model, rows in fitted.items():
        names = list(dict.fromkeys(key for row in rows for key in row if key not in ERROR))
        keys = [key for key in names if len({row.get(key) for row in rows}) > 1]
        if len(keys) == 2:
            # The one with more values becomes the axis, numbers before words.
            keys.sort(key=lambda key: (_of_words(rows, key), -len({row.get(key) for row in rows})))
            charts.append(_chart(model, rows, height, keys[0], keys[1]))
        else:
            charts += [_chart(model, rows, height, key, join=len(keys) == 1) for key in keys]
    return charts


def _of_words(rows: Sequence[Settings], key: str) -> bool:
    """Whether a setting has values that are no numbers, or has none for some models."""
    return any(not isinstance(row.get(key), int | float) for row in rows)


def _ends(rows: Sequence[Settings]) -> tuple[float, float]:
    """Return the lowest and the highest end of the intervals."""
    return min(row["low"] for row in rows), max(row["high"] for row in rows)


def _fitted(
    model: Model, old: Results, experiments: Sequence[Results], found: Sequence[Answers]
) -> list[Settings]:
    """Return what each revision fitted a model with, its test error, and the interval's ends."""
    base = error(old, model)
    answered = [(old, 0.0, 0.0)]
    for results, answers in zip(experiments, found, strict=True):
        if answers[model].verdict != UNKNOWN:
            answered.append((results, *(answers[model].change or (0.0, 0.0))))
    return [
        settings(results, model)
        | {
            "error": POINTS * (base + change),
            "low": POINTS * (base + change - margin),
            "high": POINTS * (base + change + margin),
        }
        for results, change, margin in answered
    ]


def error(results: Results, model: Model) -> float:
    """Return a model's mean test error on its draws."""
    fits = results.fits(model)
    return float(fits.of_blocks().mean()) if fits else float("nan")


def _chart(
    model: Model,
    rows: Sequence[Settings],
    height: float,
    x: str,
    lines: str = "",
    join: bool = True,
) -> Chart:
    """Draw test errors with intervals against one setting, with a line for each value of another.

    All charts show as many points of error in height, so that they can be compared.
    """
    rows = [row for row in rows if x in row]
    words = x == "seed" or _of_words(rows, x)
    values = sorted({row[x] for row in rows}, key=str if words else None)
    wide = not words and values[0] > 0 and values[-1] >= 10 * values[0]
    middle = sum(_ends(rows)) / 2
    y = {
        "type": "quantitative",
        "title": "test error, %",
        "scale": {"domain": [middle - 0.55 * height, middle + 0.55 * height]},
    }
    encoding: dict[str, Any] = {
        "x": {
            "field": x,
            "type": "ordinal" if words else "quantitative",
            "title": x,
            "scale": {}
            if words
            else {"type": "log" if wide else "linear", "zero": False, "nice": False, "padding": 20},
            "axis": {"values": values, "grid": False, "labelAngle": 0},
        }
    }
    shape: dict[str, Any] = {}
    if lines:
        series = {"field": lines, "type": "nominal", "title": lines, "sort": None}
        of_ink = {"symbolFillColor": colours.INK, "symbolStrokeColor": colours.INK}
        encoding["color"] = {**series, "scale": {"range": colours.SERIES}, "legend": None}
        shape = {"shape": {**series, "scale": {"range": colours.SHAPES}, "legend": of_ink}}
    mark = {"color": colours.SERIES[0]}
    layers = [
        {
            "mark": {"type": "line", "opacity": 0.5, **mark},
            "encoding": {"y": {**y, "field": "error"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2, **mark},
            "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, **mark},
            "encoding": {"y": {**y, "field": "error"}} | shape,
        },
    ]
    title = f"{model.name}: test error on other draws, by {x}{f' and {lines}' if lines else ''}"
    subtitle = "Bars: the interval of the difference from the base"
    plot = {"width": WIDTH, "height": HEIGHT, "encoding": encoding}
    return chart(title, subtitle, rows, plot | {"layer": layers if join else layers[1:]})
