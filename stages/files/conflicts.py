"""Marks that Git leaves in a file where two branches changed the same lines."""

import re

MARK = re.compile("^<<<<<<< ", re.MULTILINE)
CONFLICT = (
    "a merge conflict. Settle params.yaml and the code, restore your results (`git restore "
    "--source=HEAD --staged --worktree dvc.lock metrics plots`), then run `dvc repro` and commit."
)
