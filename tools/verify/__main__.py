"""Do the committed results come from the committed code? Three checks, each on its own.

    python -m tools.verify                    # HEAD
    python -m tools.verify v1 --raw FOLDER    # another revision, its raw files from FOLDER
    python -m tools.verify --quick            # the first two checks alone: a second or two
    python -m tools.verify --quick --staged   # what the next commit would hold: for a hook

1. The metrics and plots in Git have the hashes that dvc.lock states.
2. So have the code, the parameters and the lock of packages.
3. A run from nothing gives both: in a temporary clone of the revision, in an environment built
   from its own requirements/pipeline.txt (with --here: in the current one), with no cache.

What lies in DVC's cache for the revision is hashed too, since DVC trusts it unseen. The
workspace is only read. Exit code 0: identical; 2: same metrics, other bytes; 1: different.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.files import artifacts, idx, sources
from stages.run.lifetime import end_with_parent
from stages.run.terminal import print_table, say
from tools.shared import differences, machine
from tools.shared.arguments import Parser
from tools.shared.git import check_out, commit_of

IN_GIT = ("metrics", "plots")  # folders that hold nothing but results
LOCK_OF_PACKAGES = "requirements/pipeline.txt"
MACHINE = Path(machine.__file__).resolve()


class Verdict(Enum):
    """How close a run came to the committed results; the value is the exit code."""

    IDENTICAL = 0
    SAME_METRICS = 2
    DIFFERENT = 1

    def __str__(self) -> str:
        """Give the words that a person is shown."""
        return VERDICTS[self]


VERDICTS = {
    Verdict.IDENTICAL: "identical",
    Verdict.SAME_METRICS: "same metrics, other bytes",
    Verdict.DIFFERENT: "different",
}


@dataclass(frozen=True)
class Row:
    """One output of a run from nothing, beside the committed one."""

    stage: str
    output: str
    verdict: Verdict
    difference: str


@dataclass(frozen=True)
class Findings:
    """What a check looked at, and what it found wrong there: a sentence each."""

    checked: int
    wrong: list[str]


def md5(content: bytes) -> str:
    """MD5, by which DVC names contents."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def outputs(repo: Repo) -> Iterator[tuple[PipelineStage, Output]]:
    """Every output of a pipeline, with its stage, in the order of dvc.yaml."""
    for stage in repo.index.stages:
        for out in stage.outs:
            yield stage, out


def in_git(repo: Repo, path: str) -> bytes | None:
    """Content of a file of the revision; None if there is none."""
    try:
        with repo.fs.open(f"/{path}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def in_cache(repo: Repo, name: str) -> bytes | None:
    """What lies in DVC's cache under a hash; None if nothing does."""
    path = Path(repo.cache.local.oid_to_path(name))
    return path.read_bytes() if path.is_file() else None


def members(content: bytes) -> dict[str, str]:
    """MD5 of each file of a folder, from what DVC keeps of the folder."""
    return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def check_results(repo: Repo) -> Findings:
    """Check 1: the metrics and plots in Git have the hashes that dvc.lock states."""
    checked, wrong = 0, []
    written = {}
    for stage, out in outputs(repo):
        path, stated = out.def_path, out.hash_info.value
        written[path] = stated
        if not stated:
            wrong.append(f"{path} has no hash in dvc.lock: {stage.name} has not been run")
        elif not out.use_cache:
            checked += 1
            content = in_git(repo, path)
            if content is None:
                wrong.append(f"{path} is not in Git, though dvc.lock has its hash")
            elif md5(content) != stated:
                wrong.append(f"{path} in Git is not what {stage.name} wrote: its hash differs")
    # What one stage wrote, the next one read.
    for stage in repo.index.stages:
        for dep in stage.deps:
            read = dep.hash_info.value
            if read and read != written.get(dep.def_path, read):
                wrong.append(f"{stage.name} read another {dep.def_path} than dvc.lock says it is")
    for folder in IN_GIT:
        for path in repo.fs.find(f"/{folder}") if repo.fs.exists(f"/{folder}") else []:
            if path.lstrip("/") not in written:
                wrong.append(f"{path.lstrip('/')} is in Git, but no stage writes it")
    return Findings(checked, wrong)


def check_inputs(repo: Repo) -> Findings:
    """Check 2: code, parameters and packages have the hashes and values in dvc.lock."""
    checked = set()
    wrong: dict[str, list[str]] = {}
    results = {out.def_path for _, out in outputs(repo)}
    for stage in repo.index.stages:
        if stage.cmd_changed:
            wrong.setdefault("its command in dvc.yaml", []).append(stage.name)
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                stated, now = dep.hash_info.value or {}, dep.read_params()
                checked |= {f"{dep.def_path} {key}" for key in now}
                if stated != now:
                    change = differences.first_difference(
                        dict(differences.flat(stated)), dict(differences.flat(now))
                    )
                    wrong.setdefault(f"{dep.def_path}, {change}", []).append(stage.name)
            elif dep.def_path not in results:
                checked.add(dep.def_path)
                content = in_git(repo, dep.def_path)
                if content is None or md5(content) != dep.hash_info.value:
                    wrong.setdefault(dep.def_path, []).append(stage.name)
    return Findings(
        len(checked),
        [f"{what} changed after {', '.join(of)} had been run" for what, of in wrong.items()],
    )


def agrees(content: bytes, name: str) -> bool:
    """Whether a content of DVC's cache has the hash that it lies under."""
    return md5(content) == name.removesuffix(".dir")


def sound(repo: Repo, name: str) -> bytes | None:
    """What lies in DVC's cache under a hash, if it has that hash."""
    content = in_cache(repo, name)
    return content if content is not None and agrees(content, name) else None


def hashes(repo: Repo, out: Output) -> dict[str, str]:
    """Hash of each file of a cached output, by path; none of a folder not in the cache here."""
    if not out.hash_info.isdir:
        return {out.def_path: out.hash_info.value}
    listing = sound(repo, out.hash_info.value)
    files = members(listing) if listing else {}
    return {f"{out.def_path}/{name}": of for name, of in files.items()}


def check_cache(repo: Repo) -> Findings:
    """Beside check 1: what DVC's cache holds for the revision is what its names say."""
    checked, wrong = 0, []
    for _, out in outputs(repo):
        if not (out.use_cache and out.hash_info.value):
            continue
        objects = {out.def_path: out.hash_info.value} | hashes(repo, out)
        for path, name in objects.items():
            content = in_cache(repo, name)
            if content is None:
                continue
            checked += 1
            if not agrees(content, name):
                place = os.path.relpath(repo.cache.local.oid_to_path(name))
                wrong.append(f"{path} was replaced or damaged in DVC's cache: delete {place}")
    return Findings(checked, wrong)


def committed(repo: Repo, out: Output) -> dict[str, bytes | None]:
    """Contents of an output as committed, by path; None where only the hash is known here."""
    if not out.use_cache:
        return {out.def_path: in_git(repo, out.def_path)}
    return {path: sound(repo, name) for path, name in hashes(repo, out).items()}


def made(folder: Path, path: str) -> dict[str, bytes]:
    """Contents of an output that a run made, by path."""
    place = folder / path
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def compare(repo: Repo, run: Repo) -> list[Row]:
    """Check 3: what a run gave, beside what is committed and what dvc.lock states."""
    folder = Path(run.root_dir)
    found = {out.def_path: out.hash_info.value for _, out in outputs(run)}
    rows, other_metrics = [], set()
    for stage, out in outputs(repo):
        was, now = committed(repo, out), made(folder, out.def_path)
        same = found[out.def_path] == out.hash_info.value
        if same and (out.use_cache or was == now):
            rows.append(Row(stage.name, out.def_path, Verdict.IDENTICAL, ""))
            continue
        if out.metric:
            other_metrics.add(stage.name)
        rows.append(Row(stage.name, out.def_path, Verdict.SAME_METRICS, difference(was, now)))
    return [
        replace(row, verdict=Verdict.DIFFERENT)
        if row.verdict is not Verdict.IDENTICAL and row.stage in other_metrics
        else row
        for row in rows
    ]


def difference(was: dict[str, bytes | None], now: dict[str, bytes]) -> str:
    """Say what differs first between an output as committed and as made."""
    for path in {**was, **now}:
        old, new = was.get(path), now.get(path)
        if new is None:
            return f"{path} is not made"
        if was and path not in was:
            return f"{path} is new"
        if old is not None and old != new:
            inside = f"{path}, " if len(now) > 1 else ""
            return inside + differences.describe(path, old, new)
    if all(old is not None for old in was.values()) and was:
        return "as committed; the hash in dvc.lock is another"
    return "another hash than in dvc.lock; the committed file is not in DVC's cache here"


def environment(clone: Path, here: bool) -> dict[str, str]:
    """Variables under which a clone's own packages run, or with `here` the current ones.

    Raises
    ------
    UserError
        If the packages cannot be installed.
    """
    python = Path(sys.executable)
    if not here:
        if not (clone / LOCK_OF_PACKAGES).is_file():
            raise UserError(f"This revision has no {LOCK_OF_PACKAGES}: use --here.")
        say(f"Building its own environment from its {LOCK_OF_PACKAGES}: about a minute")
        place = clone.parent / "environment"
        python = place / "bin" / "python"
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), *pip, "--require-hashes", "-r", str(clone / LOCK_OF_PACKAGES)],
        ):
            if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
                raise UserError("Its packages could not be installed: try --here.")
    of_git_and_python = ("GIT_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(of_git_and_python)}
    return {
        **kept,
        "PATH": os.pathsep.join([str(python.parent), kept.get("PATH", os.defpath)]),
        "DVC_SITE_CACHE_DIR": str(clone.parent / "site"),
    }


def mirror(raw: Path | None) -> dict[str, str]:
    """Where a run gets its raw files first: --raw, else $FASHION_MNIST_MIRROR, else data/raw."""
    given = os.environ.get(sources.MIRROR, "")
    if raw is None and "://" in given:
        return {sources.MIRROR: given}
    return {sources.MIRROR: str(Path(raw or given or idx.RAW).expanduser().absolute())}


def run_from_nothing(commit: str, folder: Path, here: bool, raw: Path | None) -> dict[str, Any]:
    """Run a revision's pipeline in a new clone, and describe what it ran on.

    Parameters
    ----------
    commit : str
    folder : Path
        Empty; the clone will be its `project`.
    here : bool
        Use the current environment, not one of the revision's own.
    raw : Path or None
        Folder with the raw files.

    Raises
    ------
    UserError
        If the pipeline does not come to its end.
    """
    clone = folder / "project"
    check_out(commit, clone)
    variables = {**environment(clone, here), **mirror(raw)}
    for command in (
        ["dvc", "config", "--local", "cache.dir", str(folder / "cache")],
        ["dvc", "repro", "--force", "--no-run-cache"],
    ):
        done = subprocess.run(
            command,
            cwd=clone,
            env=variables,
            stdout=sys.stderr,
            check=False,
            preexec_fn=end_with_parent,
        )
        if done.returncode:
            raise UserError("The pipeline did not run to its end: what stopped it stands above.")
    described = subprocess.run(
        ["python", str(MACHINE)],
        cwd=clone,
        env={**variables, "PYTHONPATH": str(clone)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(described.stdout)


def overall(checks: dict[str, Findings], rows: Sequence[Row]) -> Verdict:
    """Give the worst of what was found."""
    found = {row.verdict for row in rows}
    if any(findings.wrong for findings in checks.values()) or Verdict.DIFFERENT in found:
        return Verdict.DIFFERENT
    return Verdict.SAME_METRICS if Verdict.SAME_METRICS in found else Verdict.IDENTICAL


def say_findings(what: str, findings: Findings) -> None:
    """Say that all is well, or what is not."""
    say(f"{what}: {findings.checked} checked, {len(findings.wrong) or 'none'} wrong")
    for sentence in findings.wrong:
        say(f"   {sentence}.")


def say_run(rows: Sequence[Row], about: dict[str, Any]) -> None:
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
    sets = ", ".join(about["instructions"]) or "unknown instruction sets"
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    say(f"It ran on {about['processor']} ({sets}),")
    say(f"   {about['system']}, {about['libc'] or 'another C library than glibc'};")
    say(f"   {'; '.join(about['blas'])}; NumPy loops {' '.join(about['numpy_loops'])};")
    say(f"   threads per fit: {about['threads_per_fit']}; cores: {about['cores']};")
    say(f"   Python {about['python']}, {packages}.")
    if not about["same_bytes_promised"]:
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
        checks = {
            "1 Metrics and plots in Git against dvc.lock": check_results(repo),
            "2 Code, parameters and packages against dvc.lock": check_inputs(repo),
            "  DVC's cache against the hashes it goes by": check_cache(repo),
        }
    except (DvcException, YAMLError) as error:
        raise UserError(f"{name} is no revision of a DVC pipeline: {error}.") from None
    say(name)
    for what, findings in checks.items():
        say_findings(what, findings)
    rows: list[Row] = []
    about: dict[str, Any] = {}
    if not options.quick:
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            about = run_from_nothing(commit, Path(folder), options.here, options.raw)
            rows = compare(repo, Repo(str(Path(folder, "project"))))
        if options.here:
            say("3 ran in the current environment, not in one built for the revision.")
        say_run(rows, about)
    verdict = overall(checks, rows)
    say(conclusion(checks, rows, options.quick))
    if options.json:
        report = {
            "revision": None if options.staged else commit,
            "environment": "the current one" if options.here else LOCK_OF_PACKAGES,
            "checks": {what.strip(): asdict(findings) for what, findings in checks.items()},
            "outputs": [asdict(row) | {"verdict": str(row.verdict)} for row in rows],
            "machine": about,
            "verdict": str(verdict),
        }
        artifacts.write_json(options.json, report)
    return verdict


def conclusion(checks: dict[str, Findings], rows: Sequence[Row], quick: bool) -> str:
    """Say in a sentence what the checks come to."""
    wrong = sum(len(findings.wrong) for findings in checks.values())
    worst = overall({}, rows)
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
