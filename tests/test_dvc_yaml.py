"""dvc.yaml says of each stage exactly what it reads."""

import ast
import importlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from stages.files import settings
from tests.conftest import ROOT

DVC = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())
STAGES: dict[str, Any] = DVC["stages"]


def imported(module: str) -> set[Path]:
    """Files of the project that a module is made of, its imports' imports included."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not path.is_file() or path in found:
            continue
        found.add(path)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def holds(dep: str, path: Path) -> bool:
    """Whether a file is an input of a stage, or lies in a folder that is."""
    return path.is_relative_to(ROOT / dep)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_its_script_the_rooms_it_imports_and_the_packages(name: str) -> None:
    code = [dep for dep in STAGES[name]["deps"] if dep.startswith("stages/")]
    files = imported(f"stages.{name}")
    assert [path for path in files if not any(holds(dep, path) for dep in code)] == []
    assert [dep for dep in code if not any(holds(dep, path) for path in files)] == []
    assert "requirements/pipeline.txt" in STAGES[name]["deps"]
    assert STAGES[name]["cmd"] == f"python -m stages.{name}"


def leaves(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}" if key else name)
    else:
        yield key


class Recorder:
    """Stands for settings, and remembers which of them were read."""

    def __init__(self, section: BaseModel, key: str, read: set[str]) -> None:
        self._section, self._key, self._read = section, key, read

    def __getattr__(self, name: str) -> Any:
        made = getattr(type(self._section), name, None)
        if isinstance(made, property):
            assert made.fget
            return made.fget(self)
        if callable(made):
            return partial(made, self)
        value = getattr(self._section, name)
        return self._recorded(value, f"{self._key}.{name}" if self._key else name)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name, value in self._section:
            yield name, self._recorded(value, f"{self._key}.{name}")

    def _recorded(self, value: Any, key: str) -> Any:
        if isinstance(value, BaseModel):
            return Recorder(value, key, self._read)
        if isinstance(value, dict) and any(isinstance(item, BaseModel) for item in value.values()):
            return {name: self._recorded(item, f"{key}.{name}") for name, item in value.items()}
        self._read.update(leaves(value, key))
        return value


@pytest.mark.parametrize("name", [name for name in STAGES if name != "fetch"])
def test_a_stage_lists_exactly_the_parameters_it_reads(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    params = settings.load()
    read: set[str] = set()
    importlib.import_module(f"stages.{name}").main(Recorder(params, "", read))
    everything = set(leaves(params.model_dump(exclude_none=True)))
    listed = {
        leaf
        for written in STAGES[name].get("params", [])
        for entry in [written.replace("${data.dataset}", params.data.dataset)]
        for leaf in everything
        if leaf == entry or leaf.startswith(f"{entry}.")
    }
    assert read == listed


def test_fetch_lists_every_parameter_and_keeps_its_files() -> None:
    assert STAGES["fetch"]["params"] == [{"params.yaml": None}]
    assert STAGES["fetch"]["outs"] == [{"data/raw": {"persist": True}}]


def test_every_other_stage_waits_for_the_gate() -> None:
    made_by = {
        next(iter(out)) if isinstance(out, dict) else out: name
        for name, stage in STAGES.items()
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]
    }

    def waits(name: str) -> bool:
        return name == "fetch" or any(
            waits(made_by[d]) for d in STAGES[name]["deps"] if d in made_by
        )

    assert all(map(waits, STAGES))


def test_every_model_is_an_artifact() -> None:
    models = {artifact["path"] for artifact in DVC["artifacts"].values()}
    outs = {
        out for stage in STAGES.values() for out in stage.get("outs", []) if isinstance(out, str)
    }
    assert models == {out for out in outs if out.endswith(".skops")}
