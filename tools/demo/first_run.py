"""Run the pipeline, or the demo if the images cannot be downloaded; `make` runs this.

    python -m tools.demo.first_run

A first try should end with results to look at. If FASHION_MNIST_MIRROR or CI is set, the demo does
not replace the pipeline.
"""

import os

from stages import fetch
from stages.files import sources
from stages.files.settings import Settings
from stages.run import stage
from stages.run.terminal import say
from tools.demo import drawn_garments
from tools.shared.environment import use_this_python


def main(params: Settings) -> None:
    """Fetch the images and run the pipeline on them."""
    try:
        fetch.main(params)
    except sources.NoSourceError as error:
        # Whoever names a mirror wants results on its images, not the demo.
        if os.environ.get("CI") or os.environ.get(sources.MIRROR):
            raise
        say(f"{error}\n\n{'*' * 78}\nRUNNING THE DEMO INSTEAD, on drawn garments:")
        say(f"no number or picture below comes from the real images.\n{'*' * 78}\n")
        drawn_garments.run()
        say(
            f"To use the real images, run `make {sources.MIRROR}=FOLDER-OR-URL`, or connect to the "
            "internet and run `make`."
        )
    else:
        use_this_python()
        os.execvp("dvc", ["dvc", "repro"])


if __name__ == "__main__":
    stage.run_tool(main)
