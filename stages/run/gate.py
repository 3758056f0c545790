"""What must be so before a run: asked once, by `fetch`, before DVC deletes any result.

Whether Python and its packages are the project's, `stages` asks before it loads them.
"""

import os
import subprocess
from pathlib import Path

from stages.errors import UserError
from stages.run import concurrency, records
from stages.run.terminal import say

TO_GIT = "`git init && git add --all && git commit --message copy`"


def check() -> None:
    """Check the variables that a later stage reads, the repository and settings of Git.

    Raises
    ------
    UserError
        If a stage would fail.
    """
    concurrency.at_once_here()
    records.is_off()
    check_repository()
    if _git("config", "--type=bool", "--default=false", "format.signoff") == "true":
        say(
            "`format.signoff` is set in your Git, and DVC's experiments fail with it: run "
            "`git config format.signoff false` in this clone."
        )


def check_repository() -> None:
    """Check that this folder is the top of a Git repository.

    Raises
    ------
    UserError
        If Git knows that it is not.
    """
    top = _git("rev-parse", "--show-toplevel")
    if not Path(top).samefile(Path()):
        raise UserError(f"This copy lies in another repository, {top}: run {TO_GIT} here.")


def check_experiment() -> None:
    """Check what makes DVC lose an experiment; every stage asks, as any may be the first.

    Raises
    ------
    UserError
        If this is an experiment, and DVC would lose it.
    """
    root = os.environ.get("DVC_ROOT", "")
    elsewhere = "DVC_EXP_BASELINE_REV" in os.environ and not Path(root).samefile(Path())
    if elsewhere and _git("-C", root, "rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            "This clone is shallow, and DVC loses experiments of `--temp` and the queue in such a "
            "clone: run `git fetch --unshallow`."
        )


def _git(*command: str) -> str:
    """Output of Git; nothing where there is none, or it fails: DVC's runs need no Git."""
    english = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *command], capture_output=True, env=english, check=False)
    except OSError:
        return ""
    said = os.fsdecode(done.stderr).strip()
    if "not a git repository" in said and Path(".git").exists():
        raise UserError(f"`.git` leads to no repository: {said}")
    if "not a git repository" in said:
        raise UserError(f"This copy is no Git repository, which DVC needs: run {TO_GIT}.")
    if done.returncode:
        say(f"Git says: {said}")
    return os.fsdecode(done.stdout).rstrip("\n")
