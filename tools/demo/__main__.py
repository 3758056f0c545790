"""The whole pipeline on drawn garments, in a temporary clone: no network, under two minutes.

    python -m tools.demo

Prints the metrics, and leaves them and the pictures in `dvc_plots/demo`. The project itself,
its data and its results are not touched.
"""

from stages.files.settings import Settings
from stages.run import stage
from tools.demo import drawn_garments


def main(_: Settings) -> None:
    """Run the demo: its numbers are its own, whatever params.yaml says."""
    drawn_garments.run()


if __name__ == "__main__":
    stage.run_tool(main)
