"""The columns of the tables: those that the sync writes, compared with those that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .names import TABLES, Identifier
from .session import SQL, Session

# Snowflake's catalogue has these names for the types that the statements write.
CATALOGUE = {"VARCHAR": "TEXT", "INTEGER": "NUMBER"}
LONGEST_TEXT = 16_777_216  # characters of a VARCHAR without a length (page "String & binary types")
# If a statement gives no length. INTEGER is NUMBER(38, 0) (page "Numeric data types").
LENGTHS = {"VARCHAR": LONGEST_TEXT, "INTEGER": 38}
# Columns of delete_tracker that have a value in every row, so they may be NOT NULL. Those of the
# other tables may all be unknown.
NEVER_NULL = {"id", "event_id", "topic", "deleted_date", "payload", "ingested_at"}


class Column(NamedTuple):
    """A column that a statement of the sync creates.

    ``length`` is the number of characters of a text, or of digits of a number, and 0 for other
    types.
    """

    name: str
    kind: str
    length: int

    @property
    def spelled(self) -> str:
        """The type, as a statement writes it."""
        return f"VARCHAR({self.length})" if self.kind == "VARCHAR" else self.kind


class Found(NamedTuple):
    """A column in Snowflake's catalogue.

    ``length`` is as in ``Column``. ``fills_itself`` is true if the column has a default or is an
    identity column.
    """

    kind: str
    length: int
    may_be_null: bool
    fills_itself: bool


def columns_of(part: str) -> list[Column]:
    """The columns of one of our tables, from the statement that creates it."""
    body = re.sub(r"\bAS SELECT\b.*", "", SQL[f"create_{part}"], flags=re.DOTALL)
    written = re.findall(r"^    (\w+) (\w+)(?:\((\d+)\))?", body, flags=re.MULTILINE)
    return [
        Column(name, kind, int(length or LENGTHS.get(kind, 0))) for name, kind, length in written
    ]


def existing(session: Session, names: Mapping[str, Identifier]) -> dict[str, dict[str, Found]]:
    """The columns of those of our tables that there are for the role, by part and name."""
    parts = {names[part].name: part for part in TABLES}
    any_of_them = " OR ".join(["table_name = %s"] * len(parts))
    found: dict[str, dict[str, Found]] = {}
    for row in session.rows("columns", list(parts), tables=any_of_them):
        table, name, column = _found_in(row)
        found.setdefault(parts[table], {})[name] = column
    return found


def _found_in(row: Sequence[Any]) -> tuple[str, str, Found]:
    """One row of the catalogue: table, column, and what is known of the column."""
    table, name, kind, length, precision, scale, nullable, default, identity = row
    if scale:
        kind = f"{kind}({precision}, {scale})"
    fills_itself = default is not None or str(identity).upper() in ("YES", "TRUE")
    may_be_null = str(nullable).upper() in ("YES", "TRUE")
    return (
        str(table),
        str(name),
        Found(str(kind), int(length or precision or 0), may_be_null, fills_itself),
    )


def differences(
    part: str, table: Identifier, loads: Identifier, found: Mapping[str, Found]
) -> Iterator[str]:
    """Compare an existing table with the columns that the sync writes.

    Args:
        part: which of our tables it is.
        table: its name.
        loads: the name of the table of load records.
        found: its columns.

    Yields a sentence for each problem, with statements that Snowflake accepts.
    Source: Snowflake documentation, page "ALTER TABLE … ALTER COLUMN".
    """
    # Statements without quotes name a column in upper case.
    ours = {column.name.upper(): column for column in columns_of(part)}
    wrong = [
        f"{table}.{name} is {found[name].kind}, not {column.spelled}"
        for name, column in ours.items()
        if name in found and found[name].kind != CATALOGUE.get(column.kind, column.kind)
    ]
    if wrong:
        # Snowflake changes no column into another type.
        yield f"{' and '.join(wrong)}; {_made_anew(part, table, loads)}"
        return
    for name, column in ours.items():
        there = found.get(name)
        if there is None:
            yield (
                f"{table} has no column {name}; "
                f"run: ALTER TABLE {table} ADD COLUMN {name} {column.spelled}"
            )
            continue
        if there.length < column.length:
            unit = "digits" if column.kind == "INTEGER" else "characters"
            yield (
                f"{table}.{name} has room for {there.length} {unit}; "
                f"run: ALTER TABLE {table} ALTER COLUMN {name} SET DATA TYPE {column.spelled}"
            )
        if not there.may_be_null and not (part == "table" and column.name in NEVER_NULL):
            yield (
                f"{table}.{name} is NOT NULL, but the value may be unknown; "
                f"run: ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL"
            )
    for extra in sorted(found.keys() - ours.keys()):
        there, quoted = found[extra], Identifier(extra)
        if not there.may_be_null and not there.fills_itself:
            yield (
                f"{table}.{quoted} is NOT NULL, but the sync does not write this column; "
                f"run: ALTER TABLE {table} ALTER COLUMN {quoted} DROP NOT NULL"
            )


def _made_anew(part: str, table: Identifier, loads: Identifier) -> str:
    """What to run so that the next sweep makes a table anew and fills it from the event files."""
    if part == "lock":
        return f"stop the sync, then run: DROP TABLE {table} – the next sweep makes it anew"
    renamed = sorted({table, loads}, key=str)
    rename = (f"run: ALTER TABLE {one} RENAME TO {one.beside('old')}" for one in renamed)
    return (
        f"{' – and '.join(rename)} – then make the tables anew with 1_tables.sql and 2_access.sql. "
        "The next sweeps load every event file that the container still has"
    )
