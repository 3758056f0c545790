"""The pages as a browser shows them, its network cut off."""

from pathlib import Path

import pytest

from tests.conftest import run_in
from tests.proofs.conftest import BRANCHES, tool

pytestmark = pytest.mark.xdist_group("review")  # what needs the branches runs where they are


def amiss(npm: Path, page: Path) -> str:
    """What a reader would see amiss: a line each."""
    return run_in(npm)(tool("node"), "page.mjs", tool("chromium"), str(page)).stdout


@pytest.fixture(scope="module")
def pages(branches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report, of a review in which everything differs, and of one of a sweep."""
    folder = tmp_path_factory.mktemp("pages")
    run = run_in(branches)
    run("python", "-m", "tools.report", "--out", str(folder))
    run("python", "-m", "tools.review", "main", *BRANCHES, "--out", str(folder))
    (folder / "review.html").rename(folder / "sweep.html")
    run("python", "-m", "tools.review", "main", "seed", "--out", str(folder))
    return folder


@pytest.mark.figure("pages without a fault")
@pytest.mark.parametrize("name", ["report", "review", "sweep"])
def test_a_page_is_whole_wide_and_narrow_light_and_dark_and_asks_for_nothing(
    name: str, pages: Path, npm: Path
) -> None:
    assert amiss(npm, pages / f"{name}.html") == ""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("</main>", '<img alt="x" src="data:image/png;base64,AAAA"></main>', "broken picture: x"),
        (
            "</main>",
            '<img alt="x" src="http://localhost:9/x"></main>',
            "request: http://localhost:9",
        ),
        ("</main>", "<script>throw Error('x')</script></main>", "error: x"),
        ("</main>", "<div style='width: 99em'>x</div></main>", "1280, dark: overflow"),
        ("--text: #1f2328", "--text: #e0e0e0", "axe color-contrast"),
        ('<html lang="en">', "<html>", "axe html-has-lang"),
    ],
)
def test_a_fault_of_a_page_is_seen(
    old: str, new: str, fault: str, pages: Path, npm: Path, tmp_path: Path
) -> None:
    page = (pages / "report.html").read_text()
    assert old in page
    (tmp_path / "page.html").write_text(page.replace(old, new))
    assert fault in amiss(npm, tmp_path / "page.html")
