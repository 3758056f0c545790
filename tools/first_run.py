"""What `make` does: the pipeline, or, where its images cannot be had, the demo.

    python -m tools.first_run

A first try always ends in something to look at. With CI set nothing is substituted.
"""

import os
import sys

from stages import fetch
from stages.common import settings
from stages.common.errors import UserError
from tools import demo


def main() -> None:
    """Bring the images; run the pipeline on them."""
    try:
        fetch.collect(settings.load().data.source, fetch.RAW)
    except fetch.NoSourceError as error:
        if os.environ.get("CI"):
            sys.exit(str(error))
        print(f"{error}\n\n{'*' * 78}\nRUNNING THE DEMO INSTEAD, on drawn garments: none of the")
        print(f"numbers and pictures below are those of the real images.\n{'*' * 78}\n", flush=True)
        demo.main()
    except UserError as error:
        sys.exit(str(error))
    else:
        os.execvp("dvc", ["dvc", "repro"])


if __name__ == "__main__":
    main()
