"""List outputs, code and lock file of a revision's pipeline, as DVC reads it.

No path of code or packages is fixed here, because another revision may have them elsewhere.
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
    """Yield every output with its stage, in the order of dvc.yaml."""
    for stage in repo.index.stages:
        for out in stage.outs:
            yield stage, out


def sources(repo: Repo) -> list[str]:
    """List the paths that stages read and no stage writes, without parameters."""
    written = {out.def_path for _, out in outputs(repo)}
    read = (
        dep.def_path
        for stage in repo.index.stages
        for dep in stage.deps
        if not isinstance(dep, ParamsDependency)
    )
    return list(dict.fromkeys(path for path in read if path not in written))


def lock_of_packages(repo: Repo) -> str | None:
    """Return the path of the lock file that stages depend on; None if there is none."""
    return next(filter(_is_requirements_file, sources(repo)), None)


def code(repo: Repo) -> list[str]:
    """List the paths of dvc.yaml and of the code that stages depend on."""
    return [PIPELINE, *(path for path in sources(repo) if not _is_requirements_file(path))]


def kept_in_git(repo: Repo) -> set[str]:
    """Return the top-level files and folders with those parts of the pipeline that Git holds."""
    paths = [dep.def_path for stage in repo.index.stages for dep in stage.deps]
    paths += [out.def_path for _, out in outputs(repo)]
    cached = {out.def_path for _, out in outputs(repo) if out.use_cache}
    return {PIPELINE, LOCK, *(PurePath(path).parts[0] for path in paths if path not in cached)}


def _is_requirements_file(path: str) -> bool:
    """Whether a path looks like a requirements file of pip."""
    return path.endswith(".txt") and "requirements" in path
