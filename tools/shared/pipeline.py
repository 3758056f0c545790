"""The pipeline of a revision, as DVC reads it: what its stages write, and what they are made of.

Nothing here knows where code or packages lie: another revision may have them elsewhere.
"""

from collections.abc import Iterator
from pathlib import PurePath

from dvc.dependency.param import ParamsDependency
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage

PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"


def outputs(repo: Repo) -> Iterator[tuple[PipelineStage, Output]]:
    """Every output, with its stage, in the order of dvc.yaml."""
    for stage in repo.index.stages:
        for out in stage.outs:
            yield stage, out


def sources(repo: Repo) -> list[str]:
    """Paths of the files and folders that stages read and none writes, parameters left out."""
    written = {out.def_path for _, out in outputs(repo)}
    read = (
        dep.def_path
        for stage in repo.index.stages
        for dep in stage.deps
        if not isinstance(dep, ParamsDependency)
    )
    return list(dict.fromkeys(path for path in read if path not in written))


def lock_of_packages(repo: Repo) -> str | None:
    """Path of the requirements file that stages depend on; None if they depend on none."""
    return next(filter(_is_requirements_file, sources(repo)), None)


def code(repo: Repo) -> list[str]:
    """Paths of the files and folders of code, and of the pipeline file."""
    return [PIPELINE, *(path for path in sources(repo) if not _is_requirements_file(path))]


def kept_in_git(repo: Repo) -> set[str]:
    """Files and folders at the top of the project that hold what Git has of the pipeline."""
    paths = [dep.def_path for stage in repo.index.stages for dep in stage.deps]
    paths += [out.def_path for _, out in outputs(repo)]
    cached = {out.def_path for _, out in outputs(repo) if out.use_cache}
    return {PIPELINE, LOCK, *(PurePath(path).parts[0] for path in paths if path not in cached)}


def _is_requirements_file(path: str) -> bool:
    """Whether a path is one that pip's requirements files go by."""
    return path.endswith(".txt") and "requirements" in path
