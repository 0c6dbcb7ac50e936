"""The statements that read an event file: the texts in ``sql/``, filled with the parts that they share."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("sql")


def _text(name: str) -> str:
    """A text without its comments, which would swallow the rest of a statement that it becomes a part of."""
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()


class _Part:
    """What ``{part[column]}`` stands for in a statement: the part's text for this column."""

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
