"""Run Git, and read or make commits of this project."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stages.errors import UserError
from stages.files import conflicts

A_COMMITTER = {
    f"GIT_{who}_{what}": "verify" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
# Where a conflict of a merge may be, and DVC says nothing of it.
TEXTS = ("dvc.lock", "dvc.yaml", "params.yaml", "metrics", "plots")
NOBODYS = ("-c", f"core.excludesFile={os.devnull}")  # no ignore file of a person


def git(*command: str, folder: Path | None = None, variables: dict[str, str] | None = None) -> str:
    """Run Git and return its output.

    Raises
    ------
    UserError
        If Git fails.
    """
    inherited = dict(os.environ)
    if folder:  # a Git hook's variables name the project's repository, not this folder's
        inherited = {name: v for name, v in inherited.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *command],
        cwd=folder,
        env=inherited | (variables or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"git {command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit_of(revision: str, staged: bool) -> str:
    """Return the commit that a revision names, or a new commit of what is staged, on no branch."""
    if staged:
        refuse_conflicts()
        return commit_of_index("staged")
    try:
        return git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except UserError as error:
        raise UserError(f"{revision} is no revision here. {error}") from None


def commit_of_index(message: str, variables: dict[str, str] | None = None) -> str:
    """Make a commit of what is staged, on no branch."""
    tree = git("write-tree", variables=variables)
    return git("commit-tree", tree, "-m", message, variables=A_COMMITTER)


def commit_of_workspace(message: str, paths: Iterable[str]) -> str:
    """Make a commit of the workspace, on no branch; the index stays as it is.

    Parameters
    ----------
    message
        Message of the commit.
    paths
        Files and folders whose untracked files the commit includes too.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        shutil.copy(git("rev-parse", "--git-path", "index"), index["GIT_INDEX_FILE"])
        git(*NOBODYS, "add", "--update", ":/", variables=index)
        git(*NOBODYS, "add", *(path for path in paths if Path(path).exists()), variables=index)
        return commit_of_index(message, index)


def refuse_conflicts(commit: str = "") -> None:
    """Refuse conflicts of a merge in a commit, else in the index and the workspace.

    Raises
    ------
    UserError
        If there are any; names the files.
    """
    unmerged = "" if commit else git("ls-files", "--unmerged")
    where = ([commit] if commit else []) + ["--", *TEXTS]
    command = ["git", "grep", "--no-color", "-lE", conflicts.MARK.pattern, *where]
    marked = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if names := [*unmerged.splitlines(), *marked.splitlines()]:
        paths = {name.split("\t")[-1].removeprefix(f"{commit}:") for name in names}
        raise UserError(f"{', '.join(sorted(paths))}: {conflicts.CONFLICT}")


def bring(commit: str) -> None:
    """Have all files of a commit here, without conflicts: a partial clone lacks some of them."""
    git("archive", f"--output={os.devnull}", "--format=tar", commit)
    refuse_conflicts(commit)


@cache
def content_of(commit: str, path: str) -> bytes | None:
    """Read a file of a commit, once for each file; None if there is none."""
    done = subprocess.run(
        ["git", "cat-file", "blob", f"{commit}:{path}"], capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def hashes_of(commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Return Git's hash of each file at these paths of a commit, or in these folders, by path."""
    listing = git("ls-tree", "-r", "-z", "--full-tree", commit, *paths)
    entries = (entry.split("\t", 1) for entry in listing.split("\0") if entry)
    return {path: description.split()[2] for description, path in entries}


def changed_since(text: str, file: str, commit: str, folder: str) -> list[str]:
    """List files of a folder that changed since the first commit whose `file` contains `text`.

    Returns
    -------
    Paths within the folder; empty if no branch of this clone has such a commit.
    """
    log = ("log", "--all", "--no-show-signature", "--format=%H")
    commits = git(*log, f"-S{text}", "--", file).split()
    if not commits:
        return []
    names = git("diff", "-z", "--name-only", "--no-renames", commits[-1], commit, "--", folder)
    return [name.removeprefix(f"{folder}/") for name in names.split("\0") if name]


def check_out(commit: str, clone: Path) -> None:
    """Check out a commit of this project in a new repository that holds nothing else."""
    clone.mkdir(parents=True)
    git("init", "--quiet", str(clone), folder=clone)
    # Fetching by hash brings one commit, even from a shallow clone or on no branch.
    git("fetch", "--quiet", "--depth=1", str(Path.cwd()), commit, folder=clone)
    git("checkout", "--quiet", "--detach", commit, folder=clone)
