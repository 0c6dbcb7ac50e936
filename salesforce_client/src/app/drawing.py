"""Draws tables and progress with the package ``rich``, without breaking a word.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Optional, TextIO

COLOURS = {"ok": "green", "warning": "yellow", "failure": "red", "skipped": "dim"}


def _longest(cells: Iterable[str]) -> int:
    return max(map(len, cells), default=0)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns, so that a terminal of this width breaks no word.

    Empty if the terminal is too narrow for that. Texts with several words get more lines.
    """
    columns = list(zip(headers, *rows))
    least = [_longest(" ".join(column).split()) for column in columns]
    widths = [_longest(column) for column in columns]
    if sum(least) > room:
        return []
    while sum(widths) > room:
        widest = max(
            range(len(widths)), key=lambda number: (widths[number] > least[number], widths[number])
        )
        widths[widest] -= 1
    return widths


def _layout(
    headers: Sequence[str], rows: Sequence[Sequence[str]], columns: int
) -> tuple[int, list[int]]:
    """The blanks beside the values of a table, and its widths as ``_widths`` has them."""
    for padding in (1, 0):  # without blanks, more values fit
        room = columns - (2 * padding + 1) * len(headers) - 1
        if widths := _widths(headers, rows, room):
            return padding, widths
    return 0, []


class Drawing:
    """What the commands need of the package ``rich``.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self) -> None:
        self._console = importlib.import_module("rich.console").Console
        self._table = importlib.import_module("rich.table").Table
        self._text = importlib.import_module("rich.text").Text

    def draw(
        self,
        out: TextIO,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        named_by: Sequence[str],
    ) -> None:
        """Draw a table. If the terminal breaks a word in it, draw each row as a block of lines."""
        console = self._console(file=out)
        padding, widths = _layout(headers, rows, console.width)
        if widths:
            table = self._table(padding=(0, padding))
            for header, width in zip(headers, widths):
                table.add_column(header, width=width)
            for row in rows:
                table.add_row(*map(self._cell, row))
            console.print(table)
        elif len(headers) == 2:
            self._lines(console, rows)
        else:
            self._blocks(console, headers, rows, named_by)

    def has_room_for(
        self, out: TextIO, headers: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> bool:
        """Whether the terminal is wide enough for a table."""
        _, widths = _layout(headers, rows, self._console(file=out).width)
        return bool(widths)

    def _blocks(
        self,
        console: Any,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        named_by: Sequence[str],
    ) -> None:
        """Draw each row as a heading and lines."""
        for number, row in enumerate(rows, 1):
            name = " ".join(row[headers.index(one)] for one in named_by)
            of_all = f"{number} of {len(rows)}"
            console.print(self._text(f"── {name} ({of_all})" if name else f"── {of_all}"))
            self._lines(console, list(zip(headers, row)))

    def _lines(self, console: Any, pairs: Sequence[Sequence[str]]) -> None:
        """Draw names and their values. A value that would be broken beside its name is below it."""
        indent = _longest(name for name, _ in pairs) + 2
        for name, value in pairs:
            is_beside = indent + _longest(value.split()) <= console.width
            if not is_beside:
                console.print(self._text(name, style="bold"))
            line = self._table.grid()
            line.add_column(style="bold", width=indent if is_beside else 2)
            line.add_column(overflow="fold")
            line.add_row(self._text(name if is_beside else ""), self._cell(value))
            console.print(line)

    def _cell(self, cell: str) -> Any:
        # A text is not read as markup: names of topics or files may have brackets.
        return self._text(cell, style=COLOURS.get(cell, ""))

    @contextlib.contextmanager
    def status(self, err: TextIO) -> Iterator[Callable[[str], None]]:
        """Shows the newest line of progress. Each call of what is yielded replaces the line."""
        with self._console(file=err).status("") as status:
            yield lambda text: status.update(self._text(text))


def drawing() -> Optional[Drawing]:
    """The drawing. None if ``rich`` is not installed."""
    try:
        return Drawing()
    except ImportError:
        return None
