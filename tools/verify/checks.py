"""Check a revision's files in Git and in DVC's cache against its dvc.lock, without a run.

The functions take the revision as DVC's `Repo` of a commit, which reads its files from Git.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from dvc.dependency import Dependency
from dvc.dependency.param import ParamsDependency
from dvc.output import Output
from dvc.repo import Repo

from stages.files.keys import flat
from tools.shared import differences
from tools.shared.git import changed_since
from tools.shared.pipeline import LOCK, outputs

RESULTS = ("metrics", "plots")  # folders in Git that hold only results


@dataclass(frozen=True)
class Findings:
    """How many things a check looked at, and a sentence for each that is wrong."""

    checked: int
    wrong: list[str]


def md5(content: bytes) -> str:
    """Return the MD5 hash, by which DVC identifies contents."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_in_git(repo: Repo, path: str) -> bytes | None:
    """Read a file of the revision; None if there is none."""
    try:
        with repo.fs.open(f"/{path}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def check_results(repo: Repo) -> Findings:
    """Check 1: the metrics and plots in Git have the hashes in dvc.lock."""
    checked, wrong = 0, []
    written = {}
    for stage, out in outputs(repo):
        path, stated = out.def_path, out.hash_info.value
        written[path] = stated
        if not stated:
            wrong.append(f"{path} has no hash in dvc.lock: {stage.name} has not been run")
        elif not out.use_cache:
            checked += 1
            content = content_in_git(repo, path)
            if content is None:
                wrong.append(f"{path} is not in Git, though dvc.lock has its hash")
            elif md5(content) != stated:
                wrong.append(f"{path} in Git is not what {stage.name} wrote: its hash differs")
    # Each stage must have read the version that an earlier stage wrote.
    for stage in repo.index.stages:
        for dep in stage.deps:
            read = dep.hash_info.value
            if read and read != written.get(dep.def_path, read):
                wrong.append(
                    f"{stage.name} read another version of {dep.def_path} than was written"
                )
    for folder in RESULTS:
        for path in repo.fs.find(f"/{folder}") if repo.fs.exists(f"/{folder}") else []:
            if path.lstrip("/") not in written:
                wrong.append(f"{path.lstrip('/')} is in Git, but no stage writes it")
    return Findings(checked, wrong)


def check_inputs(repo: Repo) -> Findings:
    """Check 2: code, parameters and packages have the hashes and values in dvc.lock."""
    parameters: set[str] = set()
    hashes: dict[str, str | None] = {}
    run_before: dict[str, list[str]] = {}  # stages that ran before a change, by what changed
    written = {out.def_path for _, out in outputs(repo)}
    for stage in repo.index.stages:
        if stage.cmd_changed:
            run_before.setdefault("its command in dvc.yaml", []).append(stage.name)
        for dep in stage.deps:
            path, stated = dep.def_path, dep.hash_info.value
            if isinstance(dep, ParamsDependency):
                stated, current = stated or {}, dep.read_params()
                parameters |= {f"{path} {key}" for key in current}
                if stated != current:
                    change = differences.first_difference(dict(flat(stated)), dict(flat(current)))
                    run_before.setdefault(f"{path}, {change}", []).append(stage.name)
            elif path not in written:
                if path not in hashes:
                    hashes[path] = _hash_in_git(dep)
                if stated is None or hashes[path] != stated:
                    change = f"{path}{_files_of_change(repo, dep)}"
                    run_before.setdefault(change, []).append(stage.name)
    return Findings(
        len(parameters) + len(hashes),
        [f"{what} changed after {', '.join(of)} had been run" for what, of in run_before.items()],
    )


def _hash_in_git(dep: Dependency) -> str | None:
    """Compute DVC's hash of a file or folder of the revision; None if there is none."""
    return dep.get_hash().value if dep.exists else None


def _files_of_change(repo: Repo, dep: Dependency) -> str:
    """List in brackets the files of a folder that changed since its hash in dvc.lock, if known."""
    if not dep.hash_info.isdir:
        return ""
    files = changed_since(dep.hash_info.value, LOCK, repo.get_rev(), dep.def_path)
    return f" ({', '.join(files)})" if files else ""


def check_cache(repo: Repo) -> Findings:
    """Check that the revision's files in DVC's cache have the hashes that they are named by."""
    checked, wrong = 0, []
    for _, out in outputs(repo):
        if not (out.use_cache and out.hash_info.value):
            continue
        hashes = {out.def_path: out.hash_info.value} | hashes_of_files(repo, out)
        for path, name in hashes.items():
            content = _content_in_cache(repo, name)
            if content is None:
                continue
            checked += 1
            if not _has_hash(content, name):
                place = os.path.relpath(repo.cache.local.oid_to_path(name))
                wrong.append(f"{path} was replaced or damaged in DVC's cache: delete {place}")
    return Findings(checked, wrong)


def hashes_of_files(repo: Repo, out: Output) -> dict[str, str]:
    """Hash of each file of a cached output, by path; empty for a folder that the cache lacks."""
    if not out.hash_info.isdir:
        return {out.def_path: out.hash_info.value}
    listing = intact_in_cache(repo, out.hash_info.value)
    files = json.loads(listing) if listing else []
    return {f"{out.def_path}/{file['relpath']}": file["md5"] for file in files}


def intact_in_cache(repo: Repo, name: str) -> bytes | None:
    """Read the content that DVC's cache holds under a hash; None if its hash is another."""
    content = _content_in_cache(repo, name)
    return content if content is not None and _has_hash(content, name) else None


def _content_in_cache(repo: Repo, name: str) -> bytes | None:
    """Read the content that DVC's cache holds under a hash; None if there is none."""
    path = Path(repo.cache.local.oid_to_path(name))
    return path.read_bytes() if path.is_file() else None


def _has_hash(content: bytes, name: str) -> bool:
    """Whether a content of DVC's cache has the hash that it is named by."""
    return md5(content) == name.removesuffix(".dir")
