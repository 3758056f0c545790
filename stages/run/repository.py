"""Find files in the rooms that Git does not have: DVC hashes them as code."""

import os
import subprocess
from pathlib import Path

IN_ROOMS = "stages/*/*"  # in Git's pathspecs `*` matches `/` too
DVCIGNORE = ".dvcignore"


def not_in_git() -> list[str]:
    """Say of each file in the rooms that DVC counts, and Git does not have, what to do.

    Returns
    -------
    A sentence each, without its full stop. There is none where there is no Git, or no repository.
    """
    # Not --exclude-standard: what .gitignore hides, DVC counts.
    ignored = [f"--exclude-from={DVCIGNORE}"] if Path(DVCIGNORE).is_file() else []
    try:
        listing = subprocess.run(
            ["git", "ls-files", "--others", "-z", *ignored, "--", IN_ROOMS],
            capture_output=True,
            check=False,
        ).stdout
    except OSError:
        return []
    return [
        f"{path} is not in Git, but DVC counts it as code: `git add` it, or remove it"
        for path in os.fsdecode(listing).split("\0")
        if path
    ]
