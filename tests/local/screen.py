"""What the demo prints: headlines, lines, tables and progress, within the terminal's width."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

USUAL_WIDTH = 100  # if the output is not a terminal
CLEARED = "\r\033[K"  # a terminal's line
_shown = threading.Lock()  # held while ``working`` shows a time


def width() -> int:
    """The columns of the terminal. The variable ``COLUMNS`` counts first."""
    return shutil.get_terminal_size((USUAL_WIDTH, 24)).columns


def headline(title: str) -> None:
    """Print a headline after an empty line."""
    print()
    line(f"── {title}", indent=0)


def line(text: str, indent: int = 2) -> None:
    """Print a text, wrapped. Its further lines are indented more, and a word is never cut."""
    wrapped = textwrap.fill(
        text,
        width(),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    print(wrapped, flush=True)


def until_ctrl_c(title: str, *lines: str) -> None:
    """Print a headline that names Ctrl-C, and the lines below it, and wait for it.

    Whoever reads them may press it at once, so it is expected before the first one is printed.
    """
    with contextlib.suppress(KeyboardInterrupt):
        headline(title)
        for text in lines:
            line(text)
        signal.pause()


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of a query."""
    print("\n".join(as_table(columns, rows, width())), flush=True)


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], room: int) -> list[str]:
    """Return the lines of a table that is at most ``room`` columns wide.

    The last columns are left out if there is no room for them, and a line names them. Numbers are
    aligned to the right.
    """
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    fitting = len(columns)
    while fitting > 1 and 2 * fitting + sum(widths[:fitting]) > room:
        fitting -= 1
    numbers = [
        any(isinstance(value, int) for value in values)
        and all(isinstance(value, (int, type(None))) for value in values)
        for values in zip(*rows)
    ] or [False] * fitting
    lines = [columns, ["─" * it for it in widths], *cells]
    drawn = [
        "".join(
            f"  {text.rjust(it) if number else text.ljust(it)}"
            for text, it, number in zip(texts, widths[:fitting], numbers)
        ).rstrip()
        for texts in lines
    ]
    if left_out := ", ".join(columns[fitting:]):
        drawn += textwrap.wrap(
            f"(also there, if the terminal is wider: {left_out})",
            room,
            initial_indent="  ",
            subsequent_indent="  ",
        )
    return drawn


def _text(value: Any) -> str:
    """A value for people. Times are in UTC, and their seconds are left out."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value).replace("\n", " ")


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """At a terminal, show for how long ``what`` has been going on. The line disappears then.

    What is shown within it, also by other threads, is a part of it and not shown.
    """
    if not sys.stdout.isatty() or not _shown.acquire(blocking=False):
        yield
        return
    ended, began = threading.Event(), time.monotonic()

    def tick() -> None:
        while not ended.wait(0.2):
            print(f"\r  {what} … {time.monotonic() - began:.0f} s", end="", flush=True)

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        ended.set()
        ticking.join()
        print(CLEARED, end="", flush=True)
        _shown.release()
