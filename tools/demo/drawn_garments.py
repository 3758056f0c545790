"""The whole pipeline on drawn garments, in a temporary clone of the project."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from stages.errors import UserError
from stages.files import artifacts, garments
from stages.files.keys import flat
from stages.run.terminal import print_table, say
from tools.shared.environment import use_this_python
from tools.shared.params import set_params

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


def run() -> None:
    """Clone, draw, run, show; results go to `RESULTS`."""
    use_this_python()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "demo")
        try:
            subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
            garments.write(clone / FOLDER)
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
            for key, value in flat(artifacts.read_json(path))
        ],
    )
    say(f"\nThe pictures are in {RESULTS}/plots, the metrics in {RESULTS}/metrics.")
