"""Git, and the commits of this project."""

import os
import subprocess
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
        return git("commit-tree", git("write-tree"), "-m", "staged", variables=A_COMMITTER)
    return git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def check_out(commit: str, clone: Path) -> None:
    """Check a commit of this project out, in a new repository that holds nothing else."""
    clone.mkdir(parents=True)
    git("init", "--quiet", str(clone), folder=clone)
    # A fetch by its name brings one commit, of a shallow clone or of no branch too.
    git("fetch", "--quiet", "--depth=1", str(Path.cwd()), commit, folder=clone)
    git("checkout", "--quiet", "--detach", commit, folder=clone)
