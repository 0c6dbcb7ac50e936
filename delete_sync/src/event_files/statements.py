"""The statements that read an event file: the files in ``sql/``, filled with their shared parts."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("sql")


def _text(name: str) -> str:
    """The text of a file without its comments.

    A part is inserted into other statements. There, a comment could hide the rest of a line.
    """
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()


class _Part:
    """Replaces ``{part[column]}`` in a statement with the text of the part for this column."""

    def __init__(self, name: str, *, longest: int = 0) -> None:
        self._text = _text(f"parts/{name}")
        self._longest = longest

    def __getitem__(self, column: str) -> str:
        no_time = NO_TIME.format(column=column)
        return self._text.format(column=column, longest=self._longest, no_time=no_time)


NO_TIME = _text("parts/no_time")
PARTS = {
    "no_time": _Part("no_time"),
    "time": _Part("time"),
    "hex": _Part("hex"),
    "text_problem": _Part("text_problem"),
    **{f"text_{longest}": _Part("text", longest=longest) for longest in (255, 1000, 4000)},
}
PROBLEM = _text("parts/problem").format(**PARTS)
STATEMENTS = {
    file.stem: _text(file.stem).format(**PARTS, problem=PROBLEM) for file in FOLDER.glob("*.sql")
}
