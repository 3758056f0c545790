"""The plots of the pipeline as one page that opens without a network.

    python -m tools.plots                   # the workspace
    python -m tools.plots HEAD~1            # a revision against the workspace
    python -m tools.plots main HEAD -o compare  # two revisions; the page goes to compare/

The page is DVC's own (`dvc plots show`, or `dvc plots diff` of the revisions), in our frame
`.dvc/plots/page.html`, which takes Vega from a file beside it instead of from the web.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import vl_convert
from ruamel.yaml import YAML

FRAME = Path(__file__).parents[1] / ".dvc" / "plots" / "page.html"
# The last of Vega-Lite 5, the version that DVC's templates and ours are written for.
VEGA_LITE = "5.21"


def write_page(revisions: list[str], out: Path) -> Path | None:
    """Write DVC's page of `revisions`, and Vega beside it; None if DVC wrote no page."""
    out.mkdir(parents=True, exist_ok=True)
    subcommand = ["diff", *revisions] if revisions else ["show"]
    # DVC prints the address of a page that it wrote; what went wrong, it says on stderr.
    command = [sys.executable, "-m", "dvc", "plots", *subcommand]
    options = ["--out", str(out), "--html-template", str(FRAME)]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=False)
    if done.returncode or not done.stdout.strip():
        return None
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    (out / "vega.js").write_text(vega, encoding="utf-8")
    return out / "index.html"


def dataset_of_results() -> str | None:
    """Name of the dataset whose results lie in the workspace; None if there are none."""
    path = Path("metrics/data.json")
    return json.loads(path.read_text(encoding="utf-8"))["dataset"] if path.is_file() else None


def dataset_of_params() -> str:
    """Name of the dataset in params.yaml, which DVC writes into the titles."""
    return YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))["data"]["dataset"]


def main() -> int:
    """Read the command line, write the page, print where it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revisions", nargs="*", metavar="REV", help="Git revisions to compare")
    parser.add_argument("-o", "--out", type=Path, default=Path("dvc_plots"), metavar="DIR")
    arguments = parser.parse_args()
    of_results, of_params = dataset_of_results(), dataset_of_params()
    if of_results not in (of_params, None):
        print(
            f"The results are of {of_results}, but params.yaml names {of_params}: dvc repro "
            "first, or git restore params.yaml.",
            file=sys.stderr,
        )
        return 1
    try:
        page = write_page(arguments.revisions, arguments.out)
    except OSError as error:
        print(f"The page cannot be written: {error}", file=sys.stderr)
        return 1
    if page is None:
        return 1
    print(os.path.relpath(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
