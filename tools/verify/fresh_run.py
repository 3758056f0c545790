"""Run a revision from scratch, and compare its outputs with the committed ones."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from dvc.output import Output
from dvc.repo import Repo

from stages.errors import UserError
from stages.files import idx, sources
from stages.run import records
from stages.run.lifetime import end_with_parent
from stages.run.terminal import say
from tools import install
from tools.shared import differences, machine
from tools.shared.git import check_out
from tools.shared.pipeline import lock_of_packages, outputs
from tools.verify.checks import content_in_git, hashes_of_files, intact_in_cache

MACHINE = Path(machine.__file__).resolve()


class Verdict(Enum):
    """How close a run is to the committed results; the value is the exit code."""

    IDENTICAL = 0
    SAME_METRICS = 2
    DIFFERENT = 1

    def __str__(self) -> str:
        """Return the words that the command prints."""
        return VERDICTS[self]


VERDICTS = {
    Verdict.IDENTICAL: "identical",
    Verdict.SAME_METRICS: "same metrics, other bytes",
    Verdict.DIFFERENT: "different",
}


@dataclass(frozen=True)
class Row:
    """Verdict on one output of a run from scratch."""

    stage: str
    output: str
    verdict: Verdict
    difference: str


def run_from_scratch(commit: str, folder: Path, here: bool, raw: Path | None) -> dict[str, Any]:
    """Run a revision's pipeline in a new clone, and describe the machine.

    Parameters
    ----------
    commit
        Commit of this project.
    folder
        Empty folder; its subfolder `project` becomes the clone.
    here
        Whether to use the current environment instead of one built for the revision.
    raw
        Folder with the raw files.

    Raises
    ------
    UserError
        If the pipeline fails.
    """
    clone = folder / "project"
    check_out(commit, clone)
    variables = {**environment(clone, here), **mirror(raw), records.VARIABLE: "off"}
    # On Windows, a program that is to start is sought in the PATH of this process.
    dvc, python = (shutil.which(name, path=variables["PATH"]) or name for name in ("dvc", "python"))
    for command in (
        [dvc, "config", "--local", "cache.dir", str(folder / "cache")],
        [dvc, "repro", "--force", "--no-run-cache"],
    ):
        done = subprocess.run(
            command,
            cwd=clone,
            env=variables,
            stdout=sys.stderr,
            check=False,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
        if done.returncode:
            raise UserError("The pipeline failed: the error message is above.")
    description = subprocess.run(
        [python, str(MACHINE)],
        cwd=clone,
        env={**variables, "PYTHONPATH": str(clone)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(description.stdout)


def environment(clone: Path, here: bool) -> dict[str, str]:
    """Return environment variables for the clone's own packages, or with `here` the current ones.

    Raises
    ------
    UserError
        If the packages cannot be installed.
    """
    python = Path(sys.executable) if here else _own_python(clone)
    of_git_and_python = ("GIT_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(of_git_and_python)}
    return {
        **inherited,
        "PATH": os.pathsep.join([str(python.parent), inherited.get("PATH", os.defpath)]),
        "DVC_SITE_CACHE_DIR": str(clone.parent / "site"),
    }


def _own_python(clone: Path) -> Path:
    """Build an environment from the clone's lock file; return the path of its Python."""
    with Repo(str(clone)) as repo:
        lock = lock_of_packages(repo)
    if lock is None or not (clone / lock).is_file():
        raise UserError(f"This revision has no {lock or 'lock file of packages'}: use --here.")
    say(f"Building an environment from the revision's {lock}")
    try:
        return install.make(clone.parent / "environment", [clone / lock])
    except install.InstallError as error:
        raise UserError(f"{error} Or use --here.") from None


def mirror(raw: Path | None) -> dict[str, str]:
    """Return the first mirror of a run: --raw, else $FASHION_MNIST_MIRROR, else data/raw."""
    preset = os.environ.get(sources.MIRROR, "")
    if raw is None and "://" in preset:
        return {sources.MIRROR: preset}
    return {sources.MIRROR: str(Path(raw or preset or idx.RAW).expanduser().absolute())}


def compare(repo: Repo, run: Repo) -> list[Row]:
    """Check 3: compare the outputs of a run with the committed ones and with dvc.lock."""
    folder = Path(run.root_dir)
    hashes = {out.def_path: out.hash_info.value for _, out in outputs(run)}
    rows, stages_with_other_metrics = [], set()
    for stage, out in outputs(repo):
        committed, fresh = _committed(repo, out), _fresh(folder, out.def_path)
        same_hash = hashes[out.def_path] == out.hash_info.value
        if same_hash and (out.use_cache or committed == fresh):
            rows.append(Row(stage.name, out.def_path, Verdict.IDENTICAL, ""))
            continue
        if out.metric:
            stages_with_other_metrics.add(stage.name)
        difference = _difference(committed, fresh)
        rows.append(Row(stage.name, out.def_path, Verdict.SAME_METRICS, difference))
    return [
        replace(row, verdict=Verdict.DIFFERENT)
        if row.verdict is not Verdict.IDENTICAL and row.stage in stages_with_other_metrics
        else row
        for row in rows
    ]


def worst(rows: Sequence[Row]) -> Verdict:
    """Return the worst verdict on an output."""
    verdicts = {row.verdict for row in rows}
    for verdict in (Verdict.DIFFERENT, Verdict.SAME_METRICS):
        if verdict in verdicts:
            return verdict
    return Verdict.IDENTICAL


def _committed(repo: Repo, out: Output) -> dict[str, bytes | None]:
    """Contents of a committed output, by path; None if only the hash is known here."""
    if not out.use_cache:
        return {out.def_path: content_in_git(repo, out.def_path)}
    return {path: intact_in_cache(repo, name) for path, name in hashes_of_files(repo, out).items()}


def _fresh(folder: Path, path: str) -> dict[str, bytes]:
    """Contents of an output of the run, by path."""
    place = folder / path
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()
    }


def _difference(committed: dict[str, bytes | None], fresh: dict[str, bytes]) -> str:
    """Describe the first difference between the committed output and that of the run."""
    for path in {**committed, **fresh}:
        old, new = committed.get(path), fresh.get(path)
        if new is None:
            return f"the run did not write {path}"
        if committed and path not in committed:
            return f"the run wrote {path}, which is not committed"
        if old is not None and old != new:
            inside = f"{path}, " if len(fresh) > 1 else ""
            return inside + differences.describe(path, old, new)
    if committed and all(old is not None for old in committed.values()):
        return "the file is the committed one, but its hash in dvc.lock differs"
    return "its hash is not the one in dvc.lock; the committed file is not in DVC's cache here"
