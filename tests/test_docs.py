"""No link, command or path of README, CONTRIBUTING, CHANGELOG and docs leads nowhere."""

import importlib.util
import re
import shlex
import tomllib
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import cmarkgfm
import pytest
from dvc.cli.parser import get_main_parser
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in

DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCS]
MAKEFILE = (ROOT / "Makefile").read_text()
ENDINGS = "csv|html|in|json|lock|md|png|py|skops|svg|toml|txt|yaml|yml"


class Page(HTMLParser):
    """A page as GitHub's own parser reads it.

    Attributes
    ----------
    links
        Targets of links and pictures.
    headings
    spans
        Code within a line of text.
    commands
        Lines of code blocks that name no language, comments left out.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.headings: list[str] = []
        self.spans: list[str] = []
        self.commands: list[str] = []
        self._code = self._heading = ""
        self._language: str | None = None
        text = (ROOT / path).read_text(encoding="utf-8")
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [unquote(values[name] or "") for name in ("href", "src") if name in values]
        if tag == "pre":
            self._language = values.get("lang") or ""
        elif tag == "code":
            self._code = ""
        elif re.fullmatch(r"h[1-6]", tag):
            self._heading = ""

    def handle_data(self, data: str) -> None:
        self._code += data
        self._heading += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._language = None
        elif tag == "code" and self._language is None:
            self.spans.append(self._code)
        elif tag == "code" and not self._language:
            lines = self._code.replace("\\\n", " ").splitlines()
            self.commands += [re.sub(r"\s+# .*", "", line) for line in lines]
        elif re.fullmatch(r"h[1-6]", tag):
            self.headings.append(self._heading)


@cache
def parsed(path: str) -> Page:
    return Page(path)


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(path: str) -> list[list[str]]:
    """Every command of a page, in its words: those of code blocks, and of code within a line."""
    page = parsed(path)
    whole = [line for line in page.commands if line]
    whole += [span for span in page.spans if re.match(r"(make|dvc|git|python) \w|python -m", span)]
    parts = [part for line in whole for part in re.split(r" && |; ", line)]
    parts = [re.sub(r"<[\w ]+>", "ADDRESS", part) for part in parts]
    return [words for part in parts if (words := shlex.split(part))]


def after_variables(words: list[str]) -> list[str]:
    """A command without the variables that are set for it alone."""
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading_that_it_has(path: str) -> None:
    for link in parsed(path).links:
        if re.match("https?:", link):
            continue
        target, _, fragment = link.partition("#")
        found = ((ROOT / path).parent / target).resolve() if target else ROOT / path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        if fragment:
            headings = parsed(str(found.relative_to(ROOT))).headings
            assert fragment in map(anchor, headings), link


@pytest.mark.parametrize("path", PAGES)
def test_every_make_command_has_a_rule_that_reads_its_variables(path: str) -> None:
    for program, *words in commands(path):
        if program != "make":
            continue
        variables = [word.partition("=")[0] for word in words if "=" in word]
        targets = [word for word in words if "=" not in word]
        for target in targets:
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"make {target}"
        for name in variables:
            assert f"$({name})" in MAKEFILE, f"make {name}="


@pytest.mark.parametrize("path", PAGES)
def test_every_python_module_that_is_run_exists(path: str) -> None:
    for words in map(after_variables, commands(path)):
        if words[:1] not in (["python"], ["python3"]) or "-m" not in words:
            continue
        name = words[words.index("-m") + 1]
        found = importlib.util.find_spec(name)
        assert found, name
        if found.submodule_search_locations and name.startswith(("stages", "tools")):
            assert importlib.util.find_spec(f"{name}.__main__"), name


@pytest.mark.parametrize("path", PAGES)
def test_dvc_knows_every_command_and_option_of_its_own(path: str) -> None:
    for words in map(after_variables, commands(path)):
        if words[0] == "dvc":
            get_main_parser().parse_args(words[1:])


@pytest.mark.parametrize("path", PAGES)
def test_every_path_that_is_named_is_in_the_project_or_made_by_it(path: str) -> None:
    pipeline = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())
    made = [
        next(iter(out)) if isinstance(out, dict) else out
        for stage in pipeline["stages"].values()
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]
    ]
    made += ["data", "models", "dvc_plots", ".dvc/tmp/fits"]
    made += [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    top = {entry.name for entry in ROOT.iterdir()} | {"data", "models"}
    for span in parsed(path).spans:
        name = span.rstrip("/")
        looks_like_one = name.split("/")[0] in top or re.fullmatch(rf"[\w.]+\.({ENDINGS})", name)
        if not looks_like_one or not re.fullmatch(r"[\w.*/-]+", name) or "NAME" in name:
            continue
        assert name in made or [*ROOT.glob(name)], span
    for words in commands(path):
        for option, value in pairwise(words):
            if option == "-r":
                assert (ROOT / value).is_file(), value


def test_the_readme_is_a_front_page_that_leads_to_every_other() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 170
    assert len(text.split()) <= 1700
    assert {*DOCS, "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"} <= {*parsed("README.md").links}


@pytest.mark.parametrize("path", DOCS)
def test_a_page_begins_with_a_command(path: str) -> None:
    assert re.match(r"# .*\n\n```\n", (ROOT / path).read_text())


def test_the_version_is_the_one_that_the_changelog_tells_of_first() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    _, newest, *_ = parsed("CHANGELOG.md").headings
    assert newest == version


def test_the_top_level_stays_small_enough_to_be_read_at_a_glance() -> None:
    tracked = run_in(ROOT)("git", "ls-files").stdout.splitlines()
    assert len({name.partition("/")[0] for name in tracked}) <= 25
