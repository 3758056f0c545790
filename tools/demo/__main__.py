"""Run the whole pipeline on drawn garments, without a network, in about two minutes.

    python -m tools.demo

The demo runs in a temporary clone. It prints the metrics and writes them and the pictures to
`dvc_plots/demo`. The project, its data and its results stay as they are.
"""

from stages.files.settings import Settings
from stages.run import stage
from tools.demo import drawn_garments


def main(_: Settings) -> None:
    """Run the demo, which sets its own parameters."""
    drawn_garments.run()


if __name__ == "__main__":
    stage.run_tool(main)
