"""Run the whole pipeline on drawn garments, without a network, in about two minutes.

    python -m tools.demo

The demo runs in a temporary clone. It prints the metrics and writes them and the pictures to
`dvc_plots/demo`. The project, its data and its results stay as they are.
"""

from stages.run import stage
from tools.demo import drawn_garments

if __name__ == "__main__":
    stage.run_tool(lambda _: drawn_garments.run())  # which sets parameters of its own
