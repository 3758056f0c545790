"""Run a program that writes a page: write both files, report errors."""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from pygit2 import GitError
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.files import artifacts
from stages.run import gate
from stages.run.terminal import say
from tools.pages import markdown, web
from tools.pages.blocks import Block


def write(folder: Path, name: str, blocks: Sequence[Block]) -> None:
    """Write a page as Markdown and as HTML, and print both paths."""
    for suffix, render in ((".md", markdown.render), (".html", web.render)):
        save(folder / f"{name}{suffix}", render(blocks))


def save(path: Path, text: str) -> None:
    """Write a text, and print its path."""
    artifacts.write(path, text.encode())
    say(str(path))


def run(program: Callable[[], None]) -> None:
    """Run a program that reads results from Git; exit with one sentence if they are damaged."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the terminal may lack characters of a name
    try:
        gate.check_repository()
        program()
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"A file could not be read or written: {error}.")
    except (DvcException, GitError, YAMLError, ValueError, LookupError) as error:
        message = " ".join(str(error).split())
        sys.exit(
            f"The results cannot be read ({type(error).__name__}: {message}): "
            "`python -m tools.verify --quick REVISION` checks whether the stages wrote them."
        )
