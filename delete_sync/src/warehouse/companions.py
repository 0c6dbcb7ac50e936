"""The rows of the batch by kind: which table takes them, and what their statements say.

``insert_companion`` inserts the rows of one kind. ``insert_loads`` looks with ``missing`` whether
all rows of a file are in their tables. Both are made of the columns of ``create_<table>.sql``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

from .columns import Column, columns_of
from .names import Identifier
from .session import SQL

WIDTH = 92  # of the lines of a statement
# The sync writes them itself.
WRITTEN = {"loaded_at": "SYSDATE()"}
# A later step of the sweep fills them.
LEFT_NULL = {"compared_at"}
# What a comparison takes for NULL. No line has such a time. A join by IS NOT DISTINCT FROM would
# need no such values, but nothing says that it is as fast as one by =.
NOTHING = {"VARCHAR": "''", "TIMESTAMP_NTZ": "'0001-01-01'::TIMESTAMP_NTZ"}
# How a value of a line is read, unless it is cast.
READ_AS = {"TIMESTAMP_NTZ": "TO_TIMESTAMP_NTZ({}::VARCHAR)", "VARIANT": "{}"}


class Companion(NamedTuple):
    """The rows of one kind, and their table.

    Attributes:
        part: which of our tables it is.
        kind: of the lines.
        figure: the number in ``Figures`` that counts the lines.
        key: the columns that identify a row. Values other than the first may be NULL.
        order: of two lines with one key, the first in the order of these values is inserted.
        erasable: whether rows are left out if their record is in ``_erased``.
        constants: columns that have the same value in all rows, in SQL.
    """

    part: str
    kind: str
    figure: str
    key: tuple[str, ...]
    order: tuple[str, ...] = ("event_file",)
    erasable: bool = False
    constants: tuple[tuple[str, str], ...] = ()

    def clauses(self, names: Mapping[str, Identifier]) -> dict[str, object]:
        """The values of the placeholders of ``insert_companion`` and ``missing``."""
        columns = [column for column in columns_of(self.part) if column.name not in LEFT_NULL]
        digest = f"SHA2({_text('record_id')}, 256)"
        erased = f"LEFT JOIN {names['erased']} e ON e.record_sha256 = {digest}"
        is_new = f"t.{self.key[0]} IS NULL"
        return {
            "companion": names[self.part],
            "kind": self.kind,
            "columns": textwrap.fill(
                ", ".join(column.name for column in columns), WIDTH, subsequent_indent="    "
            ),
            "selected": ",\n    ".join(
                f"{self._value(column)} AS {column.name}" for column in columns
            ),
            "key": ", ".join(_text(column) for column in self.key),
            "same_key": self._same_key(),
            "order": ", ".join(_text(column) for column in self.order),
            "erased_join": f"{erased}\n" if self.erasable else "",
            "is_new": f"{is_new} AND e.record_sha256 IS NULL" if self.erasable else is_new,
        }

    def _value(self, column: Column) -> str:
        given = {**WRITTEN, **dict(self.constants)}.get(column.name)
        read = READ_AS.get(column.kind, f"{{}}::{column.kind}")
        return given or read.format(f"s.v:{column.name}")

    def _same_key(self) -> str:
        of_key = {column.name: column for column in columns_of(self.part)}
        first, *others = self.key
        same = [f"t.{first} = {self._value(of_key[first])}"]
        for one in others:
            nothing = NOTHING[of_key[one].kind]
            value = self._value(of_key[one])
            same.append(f"COALESCE(t.{one}, {nothing})\n        = COALESCE({value}, {nothing})")
        same += [f"t.{column} = {value}" for column, value in self.constants]
        return "\n    AND ".join(same)


def _text(column: str) -> str:
    """The value of a line as a text."""
    return f"s.v:{column}::VARCHAR"


COMPANIONS = (
    Companion("gaps", "gap", "gaps", ("gap_id",), ("detected_at", "event_file")),
    Companion("rejects", "reject", "rejected", ("reject_id",), ("received_at", "event_file")),
    Companion("polls", "poll", "polls", ("poll_id",)),
    Companion(
        *("restores", "restore", "restores"),
        key=("restore_id",),
        order=("ingested_at", "topic", "event_file"),
        erasable=True,
    ),
    Companion("checks", "check", "checks", ("check_id",)),
    Companion(
        *("listed", "listed", "listed"),
        key=("check_id", "record_id", "deleted_date"),
        erasable=True,
    ),
    Companion(
        *("acknowledged", "resolved", "resolved"),
        key=("id",),
        order=("acknowledged_at", "event_file"),
        constants=(("kind", "'reject'"),),
    ),
)
# The rows of delete_tracker itself, which MERGE inserts.
DELETES = Companion("table", "delete", "deletes", ("event_id",), erasable=True)


def missing(names: Mapping[str, Identifier], staged: Mapping[str, int]) -> str:
    """The query for the files of which a row is in no table, and its record not in ``_erased``.

    Args:
        names: the result of ``names_of``.
        staged: how many lines of each figure there are. The query looks only for kinds that there
            are, because each kind costs a pass over the staging table.
    """
    queries = (
        SQL["missing"].format(**{**names, **companion.clauses(names)})
        for companion in (DELETES, *COMPANIONS)
        if companion is DELETES or staged[companion.figure]
    )
    return textwrap.indent("\nUNION\n".join(queries), "    ").lstrip()
