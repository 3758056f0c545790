"""A revision against its own dvc.lock: what Git and DVC's cache hold, without a run.

The revision comes as DVC's `Repo` of a commit, whose files are those in Git.
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

RESULTS = ("metrics", "plots")  # folders in Git that hold nothing but results


@dataclass(frozen=True)
class Findings:
    """How many things a check looked at, and what it found wrong there: a sentence each."""

    checked: int
    wrong: list[str]


def md5(content: bytes) -> str:
    """MD5, by which DVC names contents."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_in_git(repo: Repo, path: str) -> bytes | None:
    """Content of a file of the revision; None if there is none."""
    try:
        with repo.fs.open(f"/{path}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


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
            content = content_in_git(repo, path)
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
    for folder in RESULTS:
        for path in repo.fs.find(f"/{folder}") if repo.fs.exists(f"/{folder}") else []:
            if path.lstrip("/") not in written:
                wrong.append(f"{path.lstrip('/')} is in Git, but no stage writes it")
    return Findings(checked, wrong)


def check_inputs(repo: Repo) -> Findings:
    """Check 2: code, parameters and packages have the hashes and values in dvc.lock."""
    parameters: set[str] = set()
    hashes: dict[str, str | None] = {}
    run_before: dict[str, list[str]] = {}  # names of the stages, by what changed since
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
    """DVC's own hash of a file or folder of the revision; None if there is none."""
    return dep.get_hash().value if dep.exists else None


def _files_of_change(repo: Repo, dep: Dependency) -> str:
    """Name in brackets the files of a folder that changed since its stated hash, if Git knows."""
    if not dep.hash_info.isdir:
        return ""
    files = changed_since(dep.hash_info.value, LOCK, repo.get_rev(), dep.def_path)
    return f" ({', '.join(files)})" if files else ""


def check_cache(repo: Repo) -> Findings:
    """Beside check 1: what DVC's cache holds for the revision is what its names say."""
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
    """Hash of each file of a cached output, by path; none of a folder not in the cache here."""
    if not out.hash_info.isdir:
        return {out.def_path: out.hash_info.value}
    listing = intact_in_cache(repo, out.hash_info.value)
    files = json.loads(listing) if listing else []
    return {f"{out.def_path}/{file['relpath']}": file["md5"] for file in files}


def intact_in_cache(repo: Repo, name: str) -> bytes | None:
    """What lies in DVC's cache under a hash, if it has that hash."""
    content = _content_in_cache(repo, name)
    return content if content is not None and _has_hash(content, name) else None


def _content_in_cache(repo: Repo, name: str) -> bytes | None:
    """What lies in DVC's cache under a hash; None if nothing does."""
    path = Path(repo.cache.local.oid_to_path(name))
    return path.read_bytes() if path.is_file() else None


def _has_hash(content: bytes, name: str) -> bool:
    """Whether a content of DVC's cache has the hash that it lies under."""
    return md5(content) == name.removesuffix(".dir")
