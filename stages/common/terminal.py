"""What a person at the terminal sees: lines, tables, and how far the work has come.

Progress is a bar with the time left where there is a terminal, and elsewhere a plain line every
few seconds, so that a log stays readable.
"""

import os
import sys
import time
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console
from rich.table import Table

PLAIN_LINES_APART = 5.0  # seconds


def say(line: str) -> None:
    """Say one thing, at once."""
    print(line, flush=True)


def last_words(line: str) -> None:
    """Say on stderr why this process ends, in the place of a bar and with the cursor it hid."""
    over_bar = "\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{over_bar}{line}\n".encode())


class Progress:
    """Progress through a known amount of work, to be used in a `with` statement.

    Parameters
    ----------
    title : str
    total : int or None
        Steps, or bytes; None if nobody knows.
    in_bytes : bool
        Whether `total` counts bytes.
    """

    def __init__(self, title: str, total: int | None, in_bytes: bool = False) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self._in_bytes = in_bytes
        self._bar = _bar(in_bytes) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        self._start = self._last_line = time.monotonic()
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, what="")
        return self

    def advance(self, what: str = "", steps: int = 1) -> None:
        """Count steps as done; `what` says which one it was."""
        self.done += steps
        if self._bar:
            self._bar.update(self._task, advance=steps, what=what)
        elif self.done == self.total or time.monotonic() > self._last_line + PLAIN_LINES_APART:
            self._last_line = time.monotonic()
            print(self._plain_line(what), file=sys.stderr, flush=True)

    def _plain_line(self, what: str) -> str:
        line = f"{self.title}: {self._amount(self.done)}"
        if self.total:
            line += f" of {self._amount(self.total)}"
        if what:
            line += f" ({what})"
        if self.total and self.done < self.total:
            left = (self._last_line - self._start) * (self.total - self.done) / self.done
            line += f", about {left:.0f} s left"
        return line

    def _amount(self, steps: int) -> str:
        return f"{steps / 1e6:.1f} MB" if self._in_bytes else f"{steps}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()


def _bar(in_bytes: bool) -> progress.Progress:
    amount = progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn()
    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        amount,
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[what]}", markup=False),
        console=Console(stderr=True),
    )


def print_table(
    title: str, columns: list[str], rows: list[list[object]], numbers: bool = True
) -> None:
    """Print results as a table: to the right what are `numbers`, all columns but the first."""
    table = Table()
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if numbers and i else "left")
    for row in rows:
        table.add_row(*(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    say(f"\n{title}")
    # Names are shown as they are: they may hold what rich takes for markup.
    Console(markup=False, emoji=False, highlight=False).print(table)
