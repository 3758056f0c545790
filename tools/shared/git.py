"""Git, and the commits of this project."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stages.errors import UserError

A_COMMITTER = {
    f"GIT_{who}_{what}": "verify" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(*command: str, folder: Path | None = None, variables: dict[str, str] | None = None) -> str:
    """Run Git, and give what it prints.

    Raises
    ------
    UserError
        If Git refuses.
    """
    inherited = dict(os.environ)
    if folder:  # a hook's variables speak of the project's own repository
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
        raise UserError(f"git {command[0]}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()


def commit_of(revision: str, staged: bool) -> str:
    """The commit that a revision names; of what is staged, one that no branch knows of."""
    if staged:
        return commit_of_index("staged")
    return git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def commit_of_index(message: str, variables: dict[str, str] | None = None) -> str:
    """A commit of what is staged, that no branch knows of."""
    tree = git("write-tree", variables=variables)
    return git("commit-tree", tree, "-m", message, variables=A_COMMITTER)


def commit_of_workspace(message: str, paths: Iterable[str]) -> str:
    """A commit of the workspace, that no branch knows of; the index stays as it is.

    Parameters
    ----------
    message
        What the commit is called.
    paths
        Files and folders of which it has also what Git does not know yet.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        shutil.copy(git("rev-parse", "--git-path", "index"), index["GIT_INDEX_FILE"])
        git("add", "--update", ":/", variables=index)
        git("add", *(path for path in paths if Path(path).exists()), variables=index)
        return commit_of_index(message, index)


@cache
def content_of(commit: str, path: str) -> bytes | None:
    """A file of a commit, asked of Git once; None if there is none."""
    done = subprocess.run(
        ["git", "cat-file", "blob", f"{commit}:{path}"], capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def hashes_of(commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Git's hash of each file of a commit at these paths, or in folders there, by path."""
    listing = git("ls-tree", "-r", "-z", "--full-tree", commit, *paths)
    entries = (entry.split("\t", 1) for entry in listing.split("\0") if entry)
    return {path: description.split()[2] for description, path in entries}


def changed_since(text: str, file: str, commit: str, folder: str) -> list[str]:
    """Files that changed in a folder since the first commit, of any branch, with a text in a file.

    Returns
    -------
    Their paths in the folder; nothing if Git has no such commit here.
    """
    commits = git("log", "--all", "--format=%H", f"-S{text}", "--", file).split()
    if not commits:
        return []
    names = git("diff", "-z", "--name-only", "--no-renames", commits[-1], commit, "--", folder)
    return [name.removeprefix(f"{folder}/") for name in names.split("\0") if name]


def check_out(commit: str, clone: Path) -> None:
    """Check a commit of this project out, in a new repository that holds nothing else."""
    clone.mkdir(parents=True)
    git("init", "--quiet", str(clone), folder=clone)
    # A fetch by its name brings one commit, of a shallow clone or of no branch too.
    git("fetch", "--quiet", "--depth=1", str(Path.cwd()), commit, folder=clone)
    git("checkout", "--quiet", "--detach", commit, folder=clone)
