"""Do the committed results come from the committed code? Three checks, each on its own.

    python -m tools.verify                    # HEAD
    python -m tools.verify main --raw FOLDER  # another revision, its raw files from FOLDER
    python -m tools.verify --quick            # the first two checks alone: a second or two
    python -m tools.verify --quick --staged   # what the next commit would hold: for a hook

1. The metrics and plots in Git have the hashes that dvc.lock states.
2. So have the code, the parameters and the lock of packages; --staged: and Git has all the code.
3. A run from nothing gives both: in a temporary clone of the revision, in an environment built
   from its own lock of packages (with --here: in the current one), with no cache.

What lies in DVC's cache for the revision is hashed too, since DVC trusts it unseen. The
workspace is only read. Exit code 0: identical; 2: same metrics, other bytes; 1: different.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.files import artifacts
from stages.run import repository
from stages.run.terminal import print_table, say
from tools.shared.arguments import Parser
from tools.shared.git import commit_of
from tools.shared.pipeline import lock_of_packages
from tools.verify import checks, fresh_run
from tools.verify.checks import Findings
from tools.verify.fresh_run import Row, Verdict


def overall(findings: dict[str, Findings], rows: Sequence[Row]) -> Verdict:
    """The worst of what was found."""
    if any(of_check.wrong for of_check in findings.values()):
        return Verdict.DIFFERENT
    return fresh_run.worst(rows)


def say_findings(title: str, findings: Findings) -> None:
    """Say that all is well, or what is not."""
    say(f"{title}: {findings.checked} checked, {len(findings.wrong) or 'none'} wrong")
    for sentence in findings.wrong:
        say(f"   {sentence}.")


def say_run(rows: Sequence[Row], machine: dict[str, Any]) -> None:
    """Show the table of outputs, and what they were made on."""
    print_table(
        "3 A run from nothing against Git and dvc.lock",
        ["stage", "output", "verdict"],
        [[row.stage, row.output, row.verdict] for row in rows],
        numbers=False,
    )
    for row in rows:
        if row.difference:
            say(f"{row.output}: {row.difference}")
    instructions = ", ".join(machine["instructions"]) or "unknown instruction sets"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    say(f"It ran on {machine['processor']} ({instructions}),")
    say(f"   {machine['system']}, {machine['libc'] or 'another C library than glibc'};")
    say(f"   {'; '.join(machine['blas'])}; NumPy loops {' '.join(machine['numpy_loops'])};")
    say(f"   threads per fit: {machine['threads_per_fit']}; cores: {machine['cores']};")
    say(f"   Python {machine['python']}, {packages}.")
    if not machine["same_bytes_promised"]:
        say("   The same bytes are promised on x86-64 Linux with AVX2, FMA and glibc only.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("revision", nargs="?", metavar="REV", help="default: HEAD")
    parser.add_argument("--staged", action="store_true", help="what is staged, not a revision")
    parser.add_argument("--quick", action="store_true", help="checks 1 and 2 alone")
    parser.add_argument("--here", action="store_true", help="run in the current environment")
    parser.add_argument("--raw", metavar="DIR", type=Path, help="folder with the raw files")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all of it there too")
    options = parser.parse_args(arguments)
    if options.staged and options.revision:
        parser.error("either REV or --staged, not both.")
    if options.raw and not options.raw.is_dir():
        parser.error(f"--raw: {options.raw} is no folder.")
    return options


def verify(options: argparse.Namespace) -> Verdict:
    """Check, run, compare, report."""
    commit = commit_of(options.revision or "HEAD", options.staged)
    name = "What is staged" if options.staged else f"{options.revision or 'HEAD'}, {commit[:7]}"
    try:
        repo = Repo(".", rev=commit)
        inputs = checks.check_inputs(repo)
        if options.staged:
            inputs.wrong.extend(repository.not_in_git())
        findings = {
            "1 Metrics and plots in Git against dvc.lock": checks.check_results(repo),
            "2 Code, parameters and packages against dvc.lock": inputs,
            "  DVC's cache against the hashes it goes by": checks.check_cache(repo),
        }
    except (DvcException, YAMLError) as error:
        raise UserError(f"{name} is no revision of a DVC pipeline: {error}.") from None
    say(name)
    for title, of_check in findings.items():
        say_findings(title, of_check)
    rows: list[Row] = []
    machine: dict[str, Any] = {}
    if not options.quick:
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            machine = fresh_run.run_from_nothing(commit, Path(folder), options.here, options.raw)
            rows = fresh_run.compare(repo, Repo(str(Path(folder, "project"))))
        if options.here:
            say("3 ran in the current environment, not in one built for the revision.")
        say_run(rows, machine)
    verdict = overall(findings, rows)
    say(conclusion(findings, rows, options.quick))
    if options.json:
        report = {
            "revision": None if options.staged else commit,
            "environment": "the current one" if options.here else lock_of_packages(repo),
            "checks": {title.strip(): asdict(of_check) for title, of_check in findings.items()},
            "outputs": [asdict(row) | {"verdict": str(row.verdict)} for row in rows],
            "machine": machine,
            "verdict": str(verdict),
        }
        artifacts.write_json(options.json, report)
    return verdict


def conclusion(findings: dict[str, Findings], rows: Sequence[Row], quick: bool) -> str:
    """Say in a sentence what the checks come to."""
    wrong = sum(len(of_check.wrong) for of_check in findings.values())
    worst = fresh_run.worst(rows)
    if worst is Verdict.DIFFERENT:
        return "Different: the committed results are not those of the committed code."
    if wrong:
        return f"Different: {wrong} of what was checked against dvc.lock is wrong, as listed above."
    if quick:
        return "In order: results, code, parameters and packages are those of dvc.lock."
    if worst is Verdict.SAME_METRICS:
        return "Same metrics, other bytes: read above how far apart they are."
    return "Identical: the committed code gives the committed results, byte for byte."


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, and give the exit code."""
    options = parse(arguments)
    try:
        verdict = verify(options)
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"A file could not be read or written: {error}.")
    except KeyboardInterrupt:
        sys.exit("Interrupted: nothing was verified.")
    return verdict.value


if __name__ == "__main__":
    sys.exit(main())
