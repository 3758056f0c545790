"""What each room of the house may import: so a change in one cannot reach into another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

ARITHMETIC = {"numpy", "scipy", "sklearn"}
# Modules of Python that read no file, clock or environment, and start nothing.
PURE = {"collections", "contextlib", "functools", "itertools", "threading", "typing", "warnings"}
LEARN_MAY_IMPORT = {*ARITHMETIC, *PURE, "stages.learn", "stages.errors"}
ROOMS = ("learn", "run", "files")


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: an import relative to its place"
            # `from stages.learn import images` imports stages.learn.images.
            below = node.module in ("stages", *(f"stages.{room}" for room in ROOMS))
            yield from (f"{node.module}.{a.name}" if below else node.module for a in node.names)  # type: ignore[misc]


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def files(pattern: str) -> list[Path]:
    return sorted(ROOT.glob(pattern))


STAGES = [p for p in files("stages/*.py") if p.stem not in ("__init__", "errors")]
SCRIPTS = {f"stages.{path.stem}" for path in STAGES}


@pytest.mark.parametrize("path", files("stages/learn/*.py"), ids=lambda path: path.stem)
def test_learn_imports_numpy_scipy_scikit_learn_itself_and_the_errors(path: Path) -> None:
    assert [name for name in imports(path) if not within(name, LEARN_MAY_IMPORT)] == []


@pytest.mark.parametrize("path", files("stages/learn/*.py"), ids=lambda path: path.stem)
def test_learn_opens_no_file_and_prints_nothing(path: Path) -> None:
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & {"open", "print", "input", "exec", "eval", "__import__"} == set()


@pytest.mark.parametrize("path", files("stages/**/*.py"), ids=str)
def test_neither_stage_nor_room_imports_a_stage_or_a_tool(path: Path) -> None:
    assert [name for name in imports(path) if within(name, {*SCRIPTS, "tools", "tests"})] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_when_it_is_entered(room: str) -> None:
    """`stages/__init__` enters `run` before NumPy is loaded."""
    assert list(imports(ROOT / f"stages/{room}/__init__.py")) == []


def test_files_does_not_import_run_but_for_the_progress_of_a_download() -> None:
    found = {
        (path.stem, name)
        for path in files("stages/files/*.py")
        for name in imports(path)
        if within(name, {"stages.run"})
    }
    assert found == {("sources", "stages.run.terminal")}


def test_every_stage_script_is_a_stage_of_the_pipeline() -> None:
    listed = (ROOT / "dvc.yaml").read_text()
    assert all(f"cmd: python -m {script}\n" in listed for script in SCRIPTS)
    assert len(SCRIPTS) == listed.count("cmd: ")
