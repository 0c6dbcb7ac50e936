"""What a command prints, asks and returns: tables, lines or JSON, questions, exit codes.

Results go to stdout. Progress, questions and errors go to stderr. ``rich`` draws tables and
progress if it is installed and both are a terminal. It is not in the app's requirements.txt,
because the function never needs it, and each package makes the app's start slower.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional, TextIO

from .drawing import drawing
from .errors import SettingsError, TryAgainError

WELL, FINDINGS, USAGE, TRY_AGAIN, ACT = 0, 1, 2, 3, 4
EXIT_CODES = {
    WELL: "well",
    FINDINGS: "findings",
    USAGE: "usage or settings",
    TRY_AGAIN: "try again",
    ACT: "a person must act",
}
ENDINGS = {
    WELL: "all is well",
    FINDINGS: "look at what is listed above",
    USAGE: "correct the settings",
    TRY_AGAIN: "try again",
    ACT: "a person must act",
}


class StoppedError(Exception):
    """A command ends early. The message says why and what to do.

    Attributes:
        code: the exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


def exit_code(error: BaseException) -> int:
    """The exit code for an error. Of several errors in one, the one that needs a person counts."""
    if isinstance(error, StoppedError):
        return error.code
    if isinstance(error, SettingsError):
        return USAGE
    if failures := getattr(error, "failures", None):  # of each topic
        return max(map(exit_code, failures.values()))
    if errors := getattr(error, "errors", None):
        return max(map(exit_code, errors))
    return TRY_AGAIN if isinstance(error, TryAgainError) else ACT


class Console:
    """The terminal of one command.

    Args:
        out: for results.
        err: for progress, questions and errors.
        answer: where answers to questions are read.
        as_json: results are one JSON object, and nothing is asked.
        yes: every question counts as answered with yes.

    Attributes:
        draws_tables: tables are drawn, and lines are not plain.
    """

    def __init__(
        self, out: TextIO, err: TextIO, answer: TextIO, *, as_json: bool = False, yes: bool = False
    ) -> None:
        self._out, self._err, self._answer = out, err, answer
        self._as_json, self._yes = as_json, yes
        terminal = err.isatty() and not as_json
        self._drawing = drawing() if terminal else None
        self._asks = terminal and answer.isatty()
        self.draws_tables = self._drawing is not None and out.isatty()

    @property
    def may_ask(self) -> bool:
        """Whether ``confirm`` can get an answer."""
        return self._yes or self._asks

    def line(self, text: str) -> None:
        """Print a line of the result. With ``--json`` nothing is printed."""
        if not self._as_json:
            self._out.write(f"{text}\n")
            self._out.flush()

    def note(self, text: str) -> None:
        """Print a line that is not a part of the result."""
        self._err.write(f"{text}\n")
        self._err.flush()

    def table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[object]],
        named_by: Optional[Sequence[str]] = None,
    ) -> None:
        """Print a table. With ``--json`` nothing is printed.

        Args:
            headers: the names of the columns.
            rows: the values.
            named_by: the columns that name a row, if it is a block of lines. Without it, the first.
        """
        if self._as_json or not rows:
            return
        cells = [["-" if cell in (None, "") else str(cell) for cell in row] for row in rows]
        if self._drawing and self.draws_tables:
            names = headers[:1] if named_by is None else named_by
            self._drawing.draw(self._out, headers, cells, names)
            return
        widths = [max(map(len, column)) for column in zip(headers, *cells)]
        for row in (headers, *cells):
            padded = [cell.ljust(width) for cell, width in zip(row, widths)]
            self.line("  ".join(padded).rstrip())

    def has_room_for(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Whether tables are drawn, and this one breaks no word."""
        if self._drawing is None or not self.draws_tables:
            return False
        return self._drawing.has_room_for(self._out, headers, rows)

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the result as JSON, if ``--json`` was given."""
        if self._as_json:
            self._out.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
            self._out.flush()

    def confirm(self, question: str) -> None:
        """Ask before something is changed. ``--yes`` answers.

        Raises:
            StoppedError: the answer is no, or nobody can be asked.
        """
        if self._yes:
            return
        if not self._asks:
            raise StoppedError(f"{question} Nothing was changed: add --yes to allow it.", USAGE)
        self._err.write(f"{question} [y/N] ")
        self._err.flush()
        if self._answer.readline().strip().lower() not in ("y", "yes"):
            raise StoppedError("Nothing was changed.", USAGE)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Shows the newest line of progress. Each call of what is yielded replaces the line.

        Without ``rich``, each new text is a line of its own.
        """
        if self._drawing:
            with self._drawing.status(self._err) as show:
                yield show
            return
        last: list[str] = [""]

        def show_line(text: str) -> None:
            if text != last[0]:
                self.note(text)
            last[0] = text

        yield show_line


def duration(seconds: float) -> str:
    """A duration for people, with its two largest units at most."""
    minutes = int(abs(seconds) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    sign = "-" if seconds < 0 else ""
    if days:
        return f"{sign}{days} d {hours} h"
    if minutes >= 60:
        return f"{sign}{hours} h {minutes % 60} min"
    return f"{sign}{minutes} min" if minutes else f"{seconds:.0f} s"


def failure(error: BaseException, code: int) -> Mapping[str, Any]:
    """What ``--json`` prints for an error."""
    told: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, SettingsError):
        told["problems"] = list(error.problems)
    return {"exit_code": code, "meaning": EXIT_CODES[code], "error": told}
