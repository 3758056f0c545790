"""Run the whole pipeline on drawn garments, in a temporary clone of the project."""

import shutil
import subprocess
from pathlib import Path

from stages.errors import UserError
from stages.files import artifacts
from stages.files.keys import flat
from stages.run import gate
from stages.run.terminal import print_table, say
from tools.shared import scratch
from tools.shared.environment import use_this_python
from tools.shared.git import check_out, commit_of
from tools.shared.params import set_params

RESULTS = Path("dvc_plots/demo")

# Small enough to run in two minutes, large enough for meaningful pictures.
PARAMS = {
    "data.dataset": "drawn-garments",
    "mlp.small_samples": 200,
    "mlp.samples": 1500,
    "svm.search_samples": 1500,
    "svm.samples": 1500,
    "kmeans.samples": 500,
}


def run() -> None:
    """Run the pipeline on drawn garments, copy the results to `RESULTS`, print the metrics."""
    gate.check_repository()
    use_this_python()
    with scratch.folder("demo-") as folder:
        clone = folder / "demo"
        check_out(commit_of("HEAD", staged=False), clone)
        set_params(clone / "params.yaml", PARAMS)
        if subprocess.run(["dvc", "repro"], cwd=clone, check=False).returncode:
            raise UserError("The demo stopped: `dvc repro` failed.")
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
