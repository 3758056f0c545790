"""Read and write the generated parts of Markdown pages, which lie between two marks."""

from pathlib import Path

from stages.errors import UserError
from stages.files import artifacts

README = Path("README.md")
END = "<!-- end -->\n"


def begin(command: str) -> str:
    """Return the line before the part that a command generates."""
    return f"<!-- begin: {command} -->\n"


def write(command: str, text: str, page: Path = README) -> None:
    """Replace the part that a command generates; the rest of the page stays as it is."""
    before, marked, rest = page.read_text(encoding="utf-8").partition(begin(command))
    _, ended, after = rest.partition(END)
    if not (marked and ended):
        raise UserError(f"{page} has no part between {begin(command).strip()} and {END.strip()}.")
    artifacts.write(page, f"{before}{marked}{text}{END}{after}".encode())


def part(command: str, page: Path = README) -> str:
    """Return the part of a page that a command generated."""
    _, _, rest = page.read_text(encoding="utf-8").partition(begin(command))
    return rest.partition(END)[0]
