"""The report's first picture: the test error of each model, and how far it moves by chance."""

from typing import Any

from tools.pages import colours
from tools.pages.blocks import Chart, chart
from tools.pages.results import MODELS, Results
from tools.report.findings import sample_count

TITLE = "Test errors"


def of_models(results: Results) -> Chart:
    """Draw the test errors of the study's fits with their intervals, and those on other draws."""
    values: list[dict[str, Any]] = []
    for model in MODELS:
        metrics, fits = model.of(results.metrics), results.fits(model)
        error, margin = (100 * metrics[key] for key in ("test_error", "test_error_margin95"))
        family = "network" if model.stem != "svm" else "SVM"
        values.append(
            {
                "model": f"{family}, {sample_count(metrics)} images",
                "error": error,
                "low": error - margin,
                "high": error + margin,
                "words": f"{error:.1f} %",
                "draws": [] if fits is None else (100 * fits.wrong.mean(axis=1)).tolist(),
            }
        )
    x = {
        "type": "quantitative",
        "title": "misclassified test images, %",
        "axis": {"grid": False, "tickCount": 8},
        "scale": {"domain": [0, 1.1 * max(value["high"] for value in values)], "nice": False},
    }
    blue = colours.SERIES[0]
    subtitle = (
        "Point and bar: the study's fit, with its interval at 95 %. "
        "Ticks: fits to other training images"
    )
    plot = {
        "width": 640,
        "height": {"step": 48},
        "encoding": {
            "y": {
                "field": "model",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"ticks": False, "domain": False, "labelLimit": 240},
            }
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": 4, "color": blue},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "transform": [{"flatten": ["draws"], "as": ["draw"]}],
                "mark": {"type": "tick", "color": colours.INK, "thickness": 2, "height": 16},
                "encoding": {"x": {**x, "field": "draw"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 120, "color": blue},
                "encoding": {"x": {**x, "field": "error"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 12},
                "encoding": {
                    "x": {**x, "field": "high"},
                    "text": {"field": "words"},
                },
            },
        ],
    }
    return chart(TITLE, subtitle, values, plot)
