"""Write the plots of the pipeline as one page that opens without a network.

    python -m tools.plots                   # the workspace
    python -m tools.plots HEAD~1            # a revision against the workspace
    python -m tools.plots main HEAD -o compare  # two revisions; the page goes to compare/

DVC writes the page (`dvc plots show`, or `dvc plots diff` with revisions) into the template
`.dvc/plots/page.html`. The template loads Vega from a file beside the page instead of from the web.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import stages  # noqa: F401 - before any package is loaded

# isort: split
import vl_convert
from ruamel.yaml import YAML

FRAME = Path(__file__).parents[1] / ".dvc" / "plots" / "page.html"
# The last release of Vega-Lite 5. DVC's templates and ours are written for version 5.
VEGA_LITE = "5.21"


def write_page(revisions: list[str], out: Path) -> Path | None:
    """Write DVC's page of `revisions` and Vega beside it; return None if DVC wrote no page."""
    out.mkdir(parents=True, exist_ok=True)
    subcommand = ["diff", *revisions] if revisions else ["show"]
    # DVC prints the address of the page that it wrote. It prints errors on stderr.
    command = [sys.executable, "-m", "dvc", "plots", *subcommand]
    options = ["--out", str(out), "--html-template", str(FRAME)]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=False)
    if done.returncode or not done.stdout.strip():
        return None
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    (out / "vega.js").write_text(vega, encoding="utf-8")
    return out / "index.html"


def dataset_of_results() -> str | None:
    """Return the name of the dataset of the results in the workspace; None without results."""
    path = Path("metrics/data.json")
    return json.loads(path.read_text(encoding="utf-8"))["dataset"] if path.is_file() else None


def dataset_of_params() -> str:
    """Return the name of the dataset in params.yaml, which DVC writes into the titles."""
    return YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))["data"]["dataset"]


def main() -> int:
    """Read the command line, write the page and print its path."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revisions", nargs="*", metavar="REV", help="Git revisions to compare")
    parser.add_argument("-o", "--out", type=Path, default=Path("dvc_plots"), metavar="DIR")
    arguments = parser.parse_args()
    of_results, of_params = dataset_of_results(), dataset_of_params()
    if of_results not in (of_params, None):
        print(
            f"The results in the workspace come from {of_results}, but params.yaml names "
            f"{of_params}. Run `dvc repro`, or `git restore params.yaml`.",
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
