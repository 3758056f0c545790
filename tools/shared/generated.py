"""Parts of pages that programs write, between two marks."""

from pathlib import Path

from stages.errors import UserError
from stages.files import artifacts

README = Path("README.md")
END = "<!-- end -->\n"


def begin(command: str) -> str:
    """The line before the part that a command writes."""
    return f"<!-- begin: {command} -->\n"


def write(command: str, text: str, page: Path = README) -> None:
    """Write the part of a command anew; all else stays."""
    before, marked, rest = page.read_text(encoding="utf-8").partition(begin(command))
    _, ended, after = rest.partition(END)
    if not (marked and ended):
        raise UserError(f"{page} has no part between {begin(command).strip()} and {END.strip()}.")
    artifacts.write(page, f"{before}{marked}{text}{END}{after}".encode())


def part(command: str, page: Path = README) -> str:
    """Text that a page has now between the marks of a command."""
    _, _, rest = page.read_text(encoding="utf-8").partition(begin(command))
    return rest.partition(END)[0]
