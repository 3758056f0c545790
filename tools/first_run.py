"""What `make` does: the pipeline, or, where its images cannot be had, the demo.

    python -m tools.first_run

A first try always ends in something to look at. With CI set nothing is substituted.
"""

import os

from stages import fetch
from stages.common import stage
from stages.common.settings import Settings
from stages.common.terminal import say
from tools import demo


def main(params: Settings) -> None:
    """Bring the images; run the pipeline on them."""
    try:
        fetch.main(params)
    except fetch.NoSourceError as error:
        if os.environ.get("CI"):
            raise
        say(f"{error}\n\n{'*' * 78}\nRUNNING THE DEMO INSTEAD, on drawn garments: none of the")
        say(f"numbers and pictures below are those of the real images.\n{'*' * 78}\n")
        demo.main(params)
    else:
        demo.use_this_python()
        os.execvp("dvc", ["dvc", "repro"])


if __name__ == "__main__":
    stage.run(main)
