"""What the pages tell a person to type: commands, statements and values to fill in.

The tests walk the pages with it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .environments import REPOSITORY

PAGES = sorted(
    page
    for folder in (".", "salesforce_client", "delete_sync", "proto")
    for page in (REPOSITORY / folder).glob("*.md")
) + sorted((REPOSITORY / "docs").rglob("*.md"))
SET_UP = REPOSITORY / "docs/setup"
VALUE = re.compile(r"<[A-Za-z][^<>\n]*>")
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code in a page.

    Attributes:
        language: the word behind the three backticks; it may be empty.
        text: its lines.
        line: the number of its first line in the page.
    """

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    @property
    def filled(self) -> str:
        """The text with a word instead of each value in angle brackets."""
        return VALUE.sub("x", self.text)


def blocks(language: str) -> list[Block]:
    """The blocks of this language in all pages."""
    return [one for page in PAGES for one in _blocks(page) if one.language == language]


def inline(page: Path) -> Iterator[str]:
    """The code inside the sentences and tables of a page."""
    yield from re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page.read_text()))


def commands() -> Iterator[tuple[Block, list[str]]]:
    """Each command of the blocks of shell, as words, with one word for each value.

    Of commands that are joined in a line, only the first one counts.
    """
    for block in blocks("bash"):
        for line in re.sub(r"\\\n\s*", " ", block.filled).splitlines():
            words = shlex.split(line, comments=True)
            ends = (number for number, it in enumerate(words) if it in ("|", ">", "&&", ";"))
            words = words[: next(ends, None)]
            if words and not re.fullmatch(r"\w+=.*", words[0]):
                yield block, words


def statements() -> Iterator[tuple[str, str]]:
    """Each statement of SQL in the pages, and where it is. Those in sentences have no semicolon."""
    for block in blocks("sql"):
        yield str(block), block.filled
    verbs = "ALTER|CREATE|DELETE FROM|DROP|GRANT|INSERT INTO|SELECT|SHOW|UPDATE"
    for page in PAGES:
        for code in inline(page):
            if re.match(rf"(?:{verbs}) \S+ \S", code) and "…" not in code:
                yield str(page.relative_to(REPOSITORY)), VALUE.sub("x", code).rstrip(";") + ";"


def values() -> dict[str, set[str]]:
    """The values to fill in, by name, and the files of the set-up that have them."""
    found: dict[str, set[str]] = {}
    for path in [REPOSITORY / "README.md", *sorted(SET_UP.rglob("*"))]:
        if path.suffix == ".md":
            coded = [one.text for one in _blocks(path) if one.language not in ("xml", "mermaid")]
            texts = [*coded, *inline(path)] if path != SET_UP / "README.md" else []
        else:
            texts = [path.read_text()] if path.suffix in (".sql", ".sh", ".bicepparam") else []
        for name in set(VALUE.findall("\n".join(texts))) - {"<angle brackets>"}:
            found.setdefault(name, set()).add(path.relative_to(REPOSITORY).as_posix())
    return found


def rows(page: Path, *columns: str) -> list[list[str]]:
    """The rows of each table of a page with these columns."""
    head = re.escape(f"| {' | '.join(columns)} |")
    tables = re.findall(rf"^{head}\n\|[-|]+\|\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    return [row[2:-2].split(" | ") for table in tables for row in table.splitlines()]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(page, found[1], found[2], line)
