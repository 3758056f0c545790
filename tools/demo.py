"""The whole pipeline on drawn garments, in a temporary clone: no network, under two minutes.

    python -m tools.demo

Prints the metrics, and leaves them and the pictures in `dvc_plots/demo`. The project itself,
its data and its results are not touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.common import artifacts, stage
from stages.common.errors import UserError
from stages.common.settings import Settings
from stages.common.terminal import print_table, say
from tools import differences, garments

RESULTS = Path("dvc_plots/demo")
FOLDER = "data/drawn-garments"  # where params.yaml looks for the drawn images

# Small enough for two minutes, large enough for the pictures to mean something.
PARAMS = {
    "data.dataset": "drawn-garments",
    "mlp.small_samples": 200,
    "mlp.samples": 1500,
    "svm.search_samples": 1500,
    "svm.samples": 1500,
    "kmeans.samples": 500,
}


def set_params(path: Path, values: dict[str, Any]) -> None:
    """Change values in a params.yaml, by dotted key; all else stays as it is."""
    yaml = YAML()
    params = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        *sections, last = key.split(".")
        place = params
        for section in sections:
            place = place[section]
        place[last] = value
    yaml.dump(params, path)


def use_this_python() -> None:
    """Have commands find the `dvc` and `python` of the environment that this runs in."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def main(_: Settings) -> None:
    """Clone, draw, run, show."""
    use_this_python()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "demo")
        try:
            subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
            garments.main([str(clone / FOLDER)])
            set_params(clone / "params.yaml", PARAMS)
            subprocess.run(["dvc", "repro"], cwd=clone, check=True)
        except subprocess.CalledProcessError as error:
            raise UserError(f"The demo ended early: {' '.join(error.cmd)} failed.") from None
        shutil.rmtree(RESULTS, ignore_errors=True)
        for results in ("metrics", "plots"):
            shutil.copytree(clone / results, RESULTS / results)
    print_table(
        f"Results on {PARAMS['data.dataset']}, not on real images",
        ["metric", "value"],
        [
            [f"{path.stem}.{key}", value]
            for path in sorted((RESULTS / "metrics").glob("*.json"))
            for key, value in differences.flat(artifacts.read_json(path))
        ],
    )
    say(f"\nThe pictures are in {RESULTS}/plots, the metrics in {RESULTS}/metrics.")


if __name__ == "__main__":
    stage.run_tool(main)
