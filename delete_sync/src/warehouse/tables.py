"""The tables and the stage: creates missing ones, and checks those that exist."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import TableError, WarehouseRefusedError
from .columns import differences, existing
from .names import TABLES, Identifier
from .session import SQL, Session

ALREADY_EXISTS = 2002


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
        there = existing(self._session, self._names)
        for part in TABLES:
            if part not in there:
                self._create(part)
        stages = self._session.rows("stages")
        if self._names["stage"].name not in {str(row[1]) for row in stages}:
            self._create("stage")
        problems = [
            problem
            for part in TABLES
            if part in there
            for problem in differences(part, self._names[part], self._names["loads"], there[part])
        ]
        if problems:
            raise TableError(
                "rows of the sync do not fit into the tables, so no file is loaded:"
                + "".join(f"\n  - {problem}" for problem in problems)
            )
        columns = there.get("table")
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
                f"{error.text}; or use a role that may run: {statement};"
            ) from None
