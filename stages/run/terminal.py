"""What a person at the terminal sees: lines, tables, and progress.

On a terminal, progress is a bar with the time left. Elsewhere it is a plain line every few seconds,
so that a log stays readable.
"""

import os
import sys
import time
from collections.abc import Sequence
from itertools import accumulate
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_LINES_APART = 5.0  # seconds


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def last_words(line: str) -> None:
    """Print on stderr why this process ends, over a bar if there is one, and show the cursor."""
    over_bar = "\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{over_bar}{line}\n".encode())


def time_left(elapsed: float, total: float, done: float, running: float = 0) -> float:
    """Seconds that work will still take, if it goes on as it went.

    Parameters
    ----------
    elapsed
        Seconds since it began.
    total, done
        Work in all, and the part of it that is done, above 0.
    running
        Work that was begun and is not over: about half of it is done.
    """
    worked = done + running / 2
    return elapsed * (total - worked) / worked


class Progress:
    """Progress through a known amount of work, to be used in a `with` statement.

    Parameters
    ----------
    title
        What is being done.
    total
        Steps, or bytes; None if nobody knows.
    in_bytes
        Whether `total` counts bytes.
    work
        How much each step is, in the order in which they begin; without it all are equal.
    at_once
        How many steps run at the same time.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        in_bytes: bool = False,
        work: Sequence[float] = (),
        at_once: int = 0,
    ) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self._in_bytes = in_bytes
        # Work in the first steps. The steps that have begun are those done and `at_once` more.
        self._begun = list(accumulate(work, initial=0.0))
        self._at_once = at_once
        self._worked = 0.0
        self._bar = _bar(in_bytes) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        self._start = self._last_line = time.monotonic()
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, what="", end=None)
        return self

    def advance(self, what: str = "", steps: int = 1, work: float = 0) -> None:
        """Count steps as done; `what` names the step, `work` says how much it was."""
        self.done += steps
        self._worked += work
        now = time.monotonic()
        left = self._left(now - self._start)
        if self._bar:
            end = None if left is None else now + left
            self._bar.update(self._task, advance=steps, what=what, end=end)
        elif self.done == self.total or now > self._last_line + PLAIN_LINES_APART:
            self._last_line = now
            print(self._plain_line(what, left), file=sys.stderr, flush=True)

    def _left(self, elapsed: float) -> float | None:
        if not self.total or self.done == self.total:
            return None
        if len(self._begun) == 1:
            return time_left(elapsed, self.total, self.done)
        begun = self._begun[min(self.done + self._at_once, self.total)]
        return time_left(elapsed, self._begun[-1], self._worked, begun - self._worked)

    def _plain_line(self, what: str, left: float | None) -> str:
        line = f"{self.title}: {self._amount(self.done)}"
        if self.total:
            line += f" of {self._amount(self.total)}"
        if what:
            line += f" ({what})"
        if left is not None:
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


class _TimeLeft(progress.ProgressColumn):
    """Counts down to the end of a task, as it was last reckoned."""

    def render(self, task: progress.Task) -> Text:
        end = task.fields["end"]
        return Text("" if end is None else f"{max(0, end - time.monotonic()):.0f} s left")


def _bar(in_bytes: bool) -> progress.Progress:
    amount = progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn()
    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        amount,
        _TimeLeft(),
        progress.TextColumn("{task.fields[what]}", markup=False),
        console=Console(stderr=True),
    )


def print_table(
    title: str, columns: list[str], rows: list[list[object]], numbers: bool = True
) -> None:
    """Print results as a table; if they are `numbers`, all columns but the first are set right."""
    table = Table()
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if numbers and i else "left")
    for row in rows:
        table.add_row(*(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    say(f"\n{title}")
    # Names may hold what rich takes for markup: show them as they are.
    Console(markup=False, emoji=False, highlight=False).print(table)
