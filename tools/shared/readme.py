"""Parts of README.md that programs write."""

from pathlib import Path

from stages.errors import UserError
from stages.files import artifacts

README = Path("README.md")
END = "<!-- end -->\n"


def begin(command: str) -> str:
    """The line before the part that a command writes."""
    return f"<!-- begin: {command} -->\n"


def write(command: str, text: str) -> None:
    """Write the part of a command anew; all else stays."""
    before, begin_mark, rest = README.read_text(encoding="utf-8").partition(begin(command))
    _, end_mark, after = rest.partition(END)
    if not (begin_mark and end_mark):
        raise UserError(f"{README} has no part between {begin(command).strip()} and {END.strip()}.")
    artifacts.write(README, f"{before}{begin_mark}{text}{end_mark}{after}".encode())


def part(command: str) -> str:
    """What the part of a command says now."""
    _, _, rest = README.read_text(encoding="utf-8").partition(begin(command))
    return rest.partition(END)[0]
