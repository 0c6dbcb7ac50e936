"""The tables and the stage: names them, creates missing ones, and checks the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import TableError, WarehouseRefusedError
from .session import SQL, Session

TABLES = ("table", "loads", "gaps", "rejects", "lock")
BESIDE = ("loads", "gaps", "rejects", "lock", "stage", "staging")
# The columns of delete_tracker with their types. The table may have further columns.
COLUMNS = {
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
# How a statement must write a type, if Snowflake's catalogue has another name for it.
SPELLED = {"TEXT": "VARCHAR(255)", "NUMBER": "INTEGER"}


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
    """A column in Snowflake's catalogue.

    ``fills_itself`` is true if the column has a default or is an identity column.
    """

    kind: str
    fills_itself: bool


def names_beside(table: Identifier) -> dict[str, Identifier]:
    """The names of the table and all objects beside it, by their placeholder in statements."""
    return {"table": table, **{part: table.beside(part) for part in BESIDE}}


class Tables:
    """The tables and the stage of one target.

    Args:
        session: an open session.
        names: the result of ``names_beside``.
        database, schema: where the tables must be.
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
        """Create the tables and the stage if they are missing, and check the table if it exists.

        Returns whether ``id`` fills itself.

        Raises:
            WarehouseRefusedError: a right is missing. The message has the refused statement.
            TableError: a column is missing or has another type. The message has the statement
                to run.
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
        # If somebody has created the table without AUTOINCREMENT, id has no default.
        return columns["ID"].fills_itself

    def _check_place(self) -> None:
        """Check that the session has its database and schema.

        If they do not exist, Snowflake opens the session without them and raises no error.
        """
        database, schema = (
            Identifier(str(name)) for name in self._session.rows("current_schema")[0]
        )
        if (database, schema) != self._place:
            wanted = ".".join(str(name) for name in self._place)
            raise WarehouseRefusedError(
                f"SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA are {wanted}, "
                f"but the session is in {database}.{schema}: "
                "they do not exist, or the role has no USAGE on them"
            )

    def _create(self, what: str) -> None:
        try:
            self._session.rows(f"create_{what}")
        except WarehouseRefusedError as error:
            statement = " ".join(SQL[f"create_{what}"].format(**self._names).split())
            raise WarehouseRefusedError(
                f"{error}; grant the right, or use a role that may run: {statement}"
            ) from None

    def _columns(self) -> dict[Identifier, dict[str, Column]]:
        """The columns of those of our tables that exist."""
        tables = [self._names[part].name for part in TABLES]
        found: dict[Identifier, dict[str, Column]] = {}
        for table, column, kind, default, identity in self._session.rows("columns", tables):
            fills_itself = default is not None or str(identity).upper() in ("YES", "TRUE")
            found.setdefault(Identifier(str(table)), {})[str(column)] = Column(
                str(kind), fills_itself
            )
        return found


def check(table: Identifier, columns: Mapping[str, Column]) -> None:
    """Compare an existing table with the columns that the sync writes.

    Raises:
        TableError: a column is missing or has another type. The message has the statement to run.
    """
    for column, kind in COLUMNS.items():
        spelled = SPELLED.get(kind, kind)
        if column not in columns:
            raise TableError(
                f"{table} lacks a column; run: ALTER TABLE {table} ADD COLUMN {column} {spelled}"
            )
        found = columns[column].kind
        if found != kind:
            raise TableError(
                f"{table}.{column} is {found}, not {kind}: "
                "rename the table and let the app create a new one, "
                f"or run: ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {spelled}"
            )
