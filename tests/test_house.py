"""The house stays small enough to be known: its top, its files, its commands."""

import re
import tomllib

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in


def tracked() -> list[str]:
    """Paths of the files that Git has, and that are there."""
    paths = run_in(ROOT)("git", "ls-files", "-z").stdout.split("\0")
    return [path for path in paths if path and (ROOT / path).is_file()]


def length(path: str) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def test_at_the_top_lie_at_most_25_entries() -> None:
    assert len({path.partition("/")[0] for path in tracked()}) <= 25


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [(r"tools/.*\.py", 400), (r"stages/\w+\.py", 200), (r"dvc\.yaml", 240)],
)
def test_no_file_is_longer_than_can_be_read_in_one_sitting(pattern: str, lines: int) -> None:
    lengths = {path: length(path) for path in tracked() if re.fullmatch(pattern, path)}
    assert lengths
    assert {path: n for path, n in lengths.items() if n > lines} == {}


def test_make_help_lists_every_command_of_the_makefile_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    commands = {"" if target == "all" else target for target in targets.split()}
    listed = re.findall(r"^make (\w*) +\S", run_in(ROOT)("make", "help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(commands)


def test_who_cites_the_project_names_its_version() -> None:
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["version"] == project["version"]
    assert cited["title"] == (ROOT / "README.md").read_text(encoding="utf-8").split("\n")[0][2:]
