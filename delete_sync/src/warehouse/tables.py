"""The tables and the stage: names them, creates missing ones, and checks the columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TableError, WarehouseRefusedError
from .session import SQL, Session

TABLES = ("table", "loads", "gaps", "rejects", "polls", "lock")
BESIDE = ("loads", "gaps", "rejects", "polls", "lock", "stage", "staging")
# Snowflake's catalogue has these names for the types that the statements write.
CATALOGUE = {"VARCHAR": "TEXT", "INTEGER": "NUMBER"}
LONGEST_TEXT = 16_777_216  # characters of a VARCHAR without a length (page "String & binary types")
ALREADY_EXISTS = 2002
# If a statement gives no length. INTEGER is NUMBER(38, 0) (page "Numeric data types").
LENGTHS = {"VARCHAR": LONGEST_TEXT, "INTEGER": 38}
# Columns of delete_tracker that have a value in every row, so they may be NOT NULL. Those of the
# other tables may all be unknown.
NEVER_NULL = {"id", "event_id", "topic", "deleted_date", "payload", "ingested_at"}


@dataclass(frozen=True)
class Identifier:
    """A name in Snowflake. ``name`` has no quotes, as in the catalogue. ``str()`` adds them."""

    name: str

    @staticmethod
    def parse(quoted: str) -> Identifier:
        """Parse a name in double quotes. A quote inside the name is doubled."""
        return Identifier(quoted[1:-1].replace('""', '"'))

    def __str__(self) -> str:
        return '"{}"'.format(self.name.replace('"', '""'))

    def beside(self, part: str) -> Identifier:
        """The name of an object that belongs to this table: ``<table>_<PART>``."""
        return Identifier(f"{self.name}_{part.upper()}")


@dataclass(frozen=True)
class Column:
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


@dataclass(frozen=True)
class Found:
    """A column in Snowflake's catalogue.

    ``length`` is as in ``Column``. ``fills_itself`` is true if the column has a default or is an
    identity column.
    """

    kind: str
    length: int
    may_be_null: bool
    fills_itself: bool


def names_of(table: Identifier, database: Identifier, schema: Identifier) -> dict[str, Identifier]:
    """The names of the table and all objects beside it, by their placeholder in statements."""
    beside = {part: table.beside(part) for part in BESIDE}
    return {"table": table, "database": database, "schema": schema, **beside}


def columns_of(part: str) -> list[Column]:
    """The columns of one of our tables, from the statement that creates it."""
    body = re.sub(r"\bAS SELECT\b.*", "", SQL[f"create_{part}"], flags=re.DOTALL)
    written = re.findall(r"^    (\w+) (\w+)(?:\((\d+)\))?", body, flags=re.MULTILINE)
    return [
        Column(name, kind, int(length or LENGTHS.get(kind, 0))) for name, kind, length in written
    ]


class Tables:
    """The tables and the stage of one target.

    Args:
        session: an open session.
        names: the result of ``names_of``.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier]) -> None:
        self._session = session
        self._names = names

    def prepare(self) -> bool:
        """Create the tables and the stage if they are missing, and check those that exist.

        Returns whether ``id`` fills itself.

        Raises:
            WarehouseRefusedError: a right is missing. The message has the refused statement.
            TableError: rows of the sync would not fit. The message has the statements to run.
        """
        self._check_place()
        existing = self._columns()
        for part in TABLES:
            if self._names[part].name not in existing:
                self._create(part)
        stages = self._session.rows("stages")
        if self._names["stage"].name not in {str(row[1]) for row in stages}:
            self._create("stage")
        problems = [
            problem
            for part in TABLES
            if (found := existing.get(self._names[part].name)) is not None
            for problem in differences(part, self._names[part], self._names["loads"], found)
        ]
        if problems:
            raise TableError(
                "rows of the sync do not fit into the tables, so no file is loaded:"
                + "".join(f"\n  - {problem}" for problem in problems)
            )
        columns = existing.get(self._names["table"].name)
        # If somebody has created the table without AUTOINCREMENT, id has no default.
        return columns is None or columns["ID"].fills_itself

    def token(self) -> str:
        """The token of the lock row: it names the transaction that was last committed.

        Raises:
            TableError: the lock table has no row, or more than one.
        """
        rows = self._session.rows("lock_tokens")
        if len(rows) != 1:
            raise self.lock_error(len(rows))
        return str(rows[0][0])

    def lock_error(self, rows: int) -> TableError:
        """The error for a lock table that has not exactly one row."""
        mend = " ".join(SQL["create_lock"].format(**self._names).split())
        mend = mend.replace("CREATE TABLE", "CREATE OR REPLACE TABLE")
        return TableError(
            f"{self._names['lock']} has {rows} rows, not one, so it cannot order two sweeps. "
            f"Stop the sync, then run, as the owner of the table: {mend} – "
            "and grant the loader its rights on the table again"
        )

    def _check_place(self) -> None:
        """Check that the session has its database and schema.

        If they do not exist, Snowflake opens the session without them and raises no error.
        """
        ((database, schema),) = self._session.rows("current_schema")
        wanted = self._names["database"].name, self._names["schema"].name
        if (database, schema) != wanted:
            raise WarehouseRefusedError(
                f"SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA are {'.'.join(wanted)}, "
                f"but the session is in {database}.{schema}: "
                "they do not exist, or the role has no USAGE on them: create them, or grant USAGE"
            )

    def _create(self, what: str) -> None:
        try:
            self._session.rows(f"create_{what}")
        except WarehouseRefusedError as error:
            if error.number == ALREADY_EXISTS:  # another sweep was faster
                return
            statement = " ".join(SQL[f"create_{what}"].format(**self._names).split())
            raise WarehouseRefusedError(
                f"{error}; or use a role that may run: {statement}"
            ) from None

    def _columns(self) -> dict[str, dict[str, Found]]:
        """The columns of those of our tables that exist, by table and by name."""
        tables = [self._names[part].name for part in TABLES]
        any_of_them = " OR ".join(["table_name = %s"] * len(tables))
        found: dict[str, dict[str, Found]] = {}
        for row in self._session.rows("columns", tables, tables=any_of_them):
            table, name, column = _read(row)
            found.setdefault(table, {})[name] = column
        return found


def _read(row: Sequence[Any]) -> tuple[str, str, Found]:
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
