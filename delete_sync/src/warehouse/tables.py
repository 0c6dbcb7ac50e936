"""The tables and the stage: their names, what is created if it is missing, and what is checked if it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import TableError, WarehouseRefusedError
from .session import SQL, Session

TABLES = ("table", "loads", "gaps", "rejects", "lock")
BESIDE = ("loads", "gaps", "rejects", "lock", "stage", "staging")
COLUMNS = {  # of delete_tracker, with their types; further columns are welcome
    "ID": "NUMBER",
    "EVENT_ID": "TEXT",
    "TOPIC": "TEXT",
    "OBJECT_NAME": "TEXT",
    "RECORD_ID": "TEXT",
    "DELETED_BY": "TEXT",
    "DELETED_DATE": "TIMESTAMP_NTZ",
    "OWNER_ID": "TEXT",
    "PAYLOAD": "VARIANT",
    "INGESTED_AT": "TIMESTAMP_NTZ",
}
SPELLED = {
    "TEXT": "VARCHAR(255)",
    "NUMBER": "INTEGER",
}  # a type of the catalogue, as a statement has it


@dataclass(frozen=True)
class Identifier:
    """A name in Snowflake. ``name`` is without quotes, as the catalogue has it; as text it is quoted."""

    name: str

    @staticmethod
    def parse(quoted: str) -> Identifier:
        """The identifier that is written in double quotes, a quote inside it doubled."""
        return Identifier(quoted[1:-1].replace('""', '"'))

    def __str__(self) -> str:
        return '"{}"'.format(self.name.replace('"', '""'))

    def beside(self, part: str) -> Identifier:
        """The name of what belongs to this table."""
        return Identifier(f"{self.name}_{part.upper()}")


@dataclass(frozen=True)
class Column:
    """What the catalogue says of a column; ``fills_itself`` if it has a default or numbers itself."""

    kind: str
    fills_itself: bool


def names_beside(table: Identifier) -> dict[str, Identifier]:
    """The table and everything beside it, by the placeholder that stands for it in the statements."""
    return {"table": table, **{part: table.beside(part) for part in BESIDE}}


class Tables:
    """The tables and the stage of one target.

    Args:
        session: an open one.
        names: those of ``names_beside``.
        database, schema: where they must be.
    """

    def __init__(
        self,
        session: Session,
        names: Mapping[str, Identifier],
        database: Identifier,
        schema: Identifier,
    ) -> None:
        self._session = session
        self._names = names
        self._place = (database, schema)

    def prepare(self) -> bool:
        """Create what is missing of tables and stage, and check what exists; returns whether ``id`` fills itself.

        Raises:
            WarehouseRefusedError: a right is missing; the message has the statement that was refused.
            TableError: a column is missing or of another type; the message has the statement to run.
        """
        self._check_place()
        existing = self._columns()
        for part in TABLES:
            if self._names[part] not in existing:
                self._create(part)
        if self._names["stage"].name not in {
            str(row[1]) for row in self._session.rows("find_stage")
        }:
            self._create("stage")
        self._session.rows("fill_lock")
        columns = existing.get(self._names["table"])
        if columns is None:
            return True
        check(self._names["table"], columns)
        return columns[
            "ID"
        ].fills_itself  # not if it was made from the plain DDL, where id has no default

    def _check_place(self) -> None:
        """A session whose database or schema does not exist has none, and no error says so."""
        database, schema = (
            Identifier(str(name)) for name in self._session.rows("current_schema")[0]
        )
        if (database, schema) != self._place:
            wanted = ".".join(str(name) for name in self._place)
            raise WarehouseRefusedError(
                f"SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA are {wanted}, but the session is in {database}.{schema}: "
                "they do not exist, or the role has no USAGE on them"
            )

    def _create(self, what: str) -> None:
        try:
            self._session.rows(f"create_{what}")
        except WarehouseRefusedError as error:
            statement = " ".join(SQL[f"create_{what}"].format(**self._names).split())
            raise WarehouseRefusedError(
                f"{error}; grant it, or have a role that may run: {statement}"
            ) from None

    def _columns(self) -> dict[Identifier, dict[str, Column]]:
        """The columns of every table of ours that exists."""
        tables = [self._names[part].name for part in TABLES]
        found: dict[Identifier, dict[str, Column]] = {}
        for table, column, kind, default, identity in self._session.rows("columns", tables):
            fills_itself = default is not None or str(identity).upper() in ("YES", "TRUE")
            found.setdefault(Identifier(str(table)), {})[str(column)] = Column(
                str(kind), fills_itself
            )
        return found


def check(table: Identifier, columns: Mapping[str, Column]) -> None:
    """Compare a table that somebody else has made with what is written to it.

    Raises:
        TableError: a column is missing or of another type; the message has the statement to run.
    """
    for column, kind in COLUMNS.items():
        spelled = SPELLED.get(kind, kind)
        if column not in columns:
            raise TableError(
                f"{table} lacks a column: ALTER TABLE {table} ADD COLUMN {column} {spelled}"
            )
        found = columns[column].kind
        if found != kind:
            raise TableError(
                f"{table}.{column} is {found}, not {kind}: rename the table and let the app create one, or "
                f"ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {spelled}"
            )
