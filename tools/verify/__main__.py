"""Verify with three independent checks that the committed results come from the committed code.

    python -m tools.verify                    # HEAD
    python -m tools.verify main --raw FOLDER  # another revision, with raw files from FOLDER
    python -m tools.verify --quick            # checks 1 and 2 only, in a second or two
    python -m tools.verify --quick --staged   # what the next commit would contain, for a Git hook

1. The metrics and plots in Git have the hashes in dvc.lock.
2. Code, parameters and packages (requirements/pipeline.txt) are those that dvc.lock states. With
   --staged: all code is in Git.
3. A run from scratch reproduces the committed files and the hashes. It runs without a cache in a
   temporary clone of the revision, in an environment of the revision's own packages (with --here:
   in the current environment).

The command also hashes the revision's files in DVC's cache, because DVC does not check them. It
does not change the workspace. Exit code 0: identical; 2: same metrics, other bytes; 1: different.
"""

import argparse
import sys

import stages  # noqa: F401 - before any package is loaded

# isort: split
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from pygit2 import GitError
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.files import artifacts
from stages.run import gate, repository
from stages.run.terminal import print_table, say
from tools.shared import scratch
from tools.shared.arguments import Parser
from tools.shared.git import bring, commit_of
from tools.shared.pipeline import lock_of_packages
from tools.verify import checks, fresh_run
from tools.verify.checks import Findings
from tools.verify.fresh_run import Row, Verdict


def overall(findings: dict[str, Findings], rows: Sequence[Row]) -> Verdict:
    """Return the worst verdict of all checks."""
    if any(of_check.wrong for of_check in findings.values()):
        return Verdict.DIFFERENT
    return fresh_run.worst(rows)


def say_findings(title: str, findings: Findings) -> None:
    """Print how many things a check looked at, and what is wrong."""
    say(f"{title}: {findings.checked} checked, {len(findings.wrong) or 'none'} wrong")
    for sentence in findings.wrong:
        say(f"   {sentence}.")


def say_run(rows: Sequence[Row], machine: dict[str, Any]) -> None:
    """Print the table of outputs, their differences, and the machine of the run."""
    print_table(
        "3 A run from scratch against Git and dvc.lock",
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
    say(f"   {machine['system']}, {machine['libc'] or 'a C library that is not glibc'};")
    say(f"   {'; '.join(machine['blas'])}; NumPy loops {' '.join(machine['numpy_loops'])};")
    say(f"   threads per fit: {machine['threads_per_fit']}; cores: {machine['cores']};")
    say(f"   Python {machine['python']}, {packages}.")
    if not machine["same_bytes_promised"]:
        say("   It is not x86-64 Linux with AVX2, FMA and glibc: the same bytes are not promised.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("revision", nargs="?", metavar="REV", help="default: HEAD")
    parser.add_argument(
        "--staged", action="store_true", help="verify what is staged instead of a revision"
    )
    parser.add_argument("--quick", action="store_true", help="checks 1 and 2 only")
    parser.add_argument("--here", action="store_true", help="run in the current environment")
    parser.add_argument("--raw", metavar="DIR", type=Path, help="folder with the raw files")
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="also write a JSON report to FILE"
    )
    options = parser.parse_args(arguments)
    if options.staged and options.revision:
        parser.error("give either REV or --staged, not both.")
    if options.raw and not options.raw.is_dir():
        parser.error(f"--raw: {options.raw} is no folder.")
    return options


def verify(options: argparse.Namespace) -> Verdict:
    """Run all checks and print their findings."""
    gate.check_repository()
    commit = commit_of(options.revision or "HEAD", options.staged)
    name = "What is staged" if options.staged else f"{options.revision or 'HEAD'}, {commit[:7]}"
    bring(commit)
    try:
        repo = Repo(".", rev=commit)
        inputs = checks.check_inputs(repo)
        if options.staged:
            inputs.wrong.extend(repository.not_in_git())
        findings = {
            "1 Metrics and plots in Git against dvc.lock": checks.check_results(repo),
            "2 Code, parameters and packages against dvc.lock": inputs,
            "  Files in DVC's cache against the hashes in their names": checks.check_cache(repo),
        }
    except (DvcException, GitError, YAMLError) as error:
        raise UserError(f"{name} is no revision of a DVC pipeline: {error}.") from None
    say(name)
    for title, of_check in findings.items():
        say_findings(title, of_check)
    rows: list[Row] = []
    machine: dict[str, Any] = {}
    if not options.quick:
        with scratch.folder("verify-") as folder:
            machine = fresh_run.run_from_scratch(commit, folder, options.here, options.raw)
            rows = fresh_run.compare(repo, Repo(str(folder / "project")))
        if options.here:
            say("Check 3 ran in the current environment, not in one built for the revision.")
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
    """Return the overall result as one sentence."""
    wrong = sum(len(of_check.wrong) for of_check in findings.values())
    worst = fresh_run.worst(rows)
    if worst is Verdict.DIFFERENT:
        return "Different: the committed code does not give the committed results."
    if wrong:
        disagree = "1 entry disagrees" if wrong == 1 else f"{wrong} entries disagree"
        return f"Different: {disagree} with dvc.lock, as listed above."
    if quick:
        return "OK: results, code, parameters and packages agree with dvc.lock."
    if worst is Verdict.SAME_METRICS:
        return "Same metrics, other bytes: the differences are listed above."
    return "Identical: the committed code gives the committed results, byte for byte."


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify and return the exit code."""
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
