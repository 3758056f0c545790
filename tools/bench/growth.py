"""Measure how time, memory and error grow with the number of training images."""

from pathlib import Path

import numpy as np

from stages.files import prepared
from stages.run.terminal import say
from tools.bench import report
from tools.bench.plan import Work
from tools.bench.session import Session

SAMPLES = [2500, 5000, 10_000, 20_000, 60_000]
QUICK_SAMPLES = [500, 1000, 2000]
MOST_CLUSTERED = 20_000  # images; silhouettes of more images take minutes
MEASURED = {"winner": "contract", "large_svm": "float64", "ten_clusters": "float64"}  # work: side


def measure(folder: Path, out: Path, quick: bool) -> None:
    """Measure with each number of images; write results and chart.

    Parameters
    ----------
    folder
        Folder for a clone.
    out
        Folder for the results.
    quick
        Whether to measure with few images only.
    """
    session = Session(folder, quick, {})
    clone = session.clone("float64")
    session.repro(clone, "prepare")
    test_labels = np.load(clone / prepared.FOLDER / "test_labels.npy")
    growth: dict[str, dict[str, list[float]]] = {}
    for samples in QUICK_SAMPLES if quick else SAMPLES:
        for name, side in MEASURED.items():
            if name == "ten_clusters" and samples > MOST_CLUSTERED:
                continue
            measured, seconds, arrays = session.measure_part(Work(name, side, samples))
            point = {
                "images": samples,
                "seconds": round(seconds.get("fit") or seconds["all"], 3),
                "memory_gb": round(measured.memory / 1e9, 3),
            }
            if "predicted" in arrays:
                point["test_error"] = float((arrays["predicted"] != test_labels).mean())
            say(f"{name}: " + ", ".join(f"{key} {value}" for key, value in point.items()))
            for key, value in point.items():
                growth.setdefault(name, {}).setdefault(key, []).append(value)
    conditions = {key: session.results[key] for key in ("quick", "machine")}
    report.keep(report.GROWTH, {**conditions, "growth": growth}, out)
