"""What `make` does: the pipeline, or, where its images cannot be had, the demo.

    python -m tools.demo.first_run

A first try ends in something to look at. Nothing is substituted where a mirror was named, or CI
is set.
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
    """Bring the images; run the pipeline on them."""
    try:
        fetch.main(params)
    except sources.NoSourceError as error:
        # A mirror that was named should have been right.
        if os.environ.get("CI") or os.environ.get(sources.MIRROR):
            raise
        say(f"{error}\n\n{'*' * 78}\nRUNNING THE DEMO INSTEAD, on drawn garments: none of the")
        say(f"numbers and pictures below are those of the real images.\n{'*' * 78}\n")
        drawn_garments.run()
        say(f"For the real images: make {sources.MIRROR}=FOLDER-OR-URL, or with a network, make.")
    else:
        use_this_python()
        os.execvp("dvc", ["dvc", "repro"])


if __name__ == "__main__":
    stage.run_tool(main)
