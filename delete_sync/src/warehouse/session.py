"""One session with Snowflake. Every statement that it executes is a file in ``sql/``.

AUTOCOMMIT is off from login to logout. So a transaction begins with the first change of a row, and
ends with ``commit`` or ``rollback``. There is no BEGIN and no ALTER SESSION.

The code uses only what versions 4 and 5 of the connector have in common. Neither bounds a request
by the time that is left: ``network_timeout`` is fixed at the login, version 4 waits for 60 seconds
for each answer, version 5 ignores ``timeout`` of a statement, and the files of PUT and the parts of
a long result have limits of their own. So each call of the connector is given up when the time is
over. It goes on in a thread that nobody waits for, until it reaches its own limits.

Sources: Snowflake documentation, page "Transactions"; Python connector API.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import snowflake.connector
from snowflake.connector import errors as snowflake_errors

from ..addresses import is_loopback
from ..budget import Budget, out_of_time, within
from ..errors import OutOfTimeError, WarehouseRefusedError, WarehouseUnavailableError
from .snowflake_errors import translated

FOLDER = Path(__file__).with_name("sql")
LOGIN_SECONDS = 60
# The limit for one statement, with its retries and its wait for a lock. It is less than 300
# seconds: if a transaction blocks another one and does nothing for that time, Snowflake ends it.
STATEMENT_SECONDS = 240
# Also without time, the sweep rolls back: else the transaction may block another one for minutes.
ROLLBACK_SECONDS = 6
# How long a session may take to close, and how long when no time is left. Then it closes in the
# background.
CLOSE_SECONDS = 10
LAST_CLOSE_SECONDS = 2
# For this long after its limit, the connector may still say itself what went wrong. At the end of
# the sweep there is only the second time: for the answer to the cancellation of a statement.
OVERSHOOT_SECONDS = 20
LAST_OVERSHOOT_SECONDS = 1
Result = TypeVar("Result")


class _Statements(dict[str, str]):
    """The statements by the names of their files. Each file is read when it is first needed."""

    def __missing__(self, name: str) -> str:
        self[name] = (FOLDER / f"{name}.sql").read_text(encoding="utf-8").strip()
        return self[name]


SQL = _Statements()


class Session:
    """One session, to use in a ``with`` block. At its end, an open transaction is rolled back.

    Args:
        parameters: of the connector: account, login, warehouse, role, database, schema, server.
        names: the values of the placeholders in the statements.
        sweep_id: names this sweep in the query tag.
        budget: bounds the login, each statement, and the retries of both.

    Raises:
        WarehouseUnavailableError, WarehouseRefusedError: the session cannot be opened.
        OutOfTimeError: the sweep has no time left.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        names: Mapping[str, object],
        *,
        sweep_id: str,
        budget: Budget,
    ) -> None:
        self._names = names
        self._budget = budget
        seconds = self._seconds("connecting to Snowflake")
        login_seconds = min(LOGIN_SECONDS, seconds)
        options = {
            **parameters,
            "application": "SalesforceDeleteTracker",
            "autocommit": False,
            "login_timeout": login_seconds,
            # Without it, version 4 of the connector never stops retrying after an HTTP 500.
            "network_timeout": seconds,
            # Otherwise each login asks the services of three clouds on which of them it runs, for
            # Snowflake's statistics, and keeps the client of each. Source: the release notes of
            # version 3.17.2.
            "platform_detection_timeout_seconds": 0.0,
            "session_parameters": {
                "QUERY_TAG": json.dumps({"app": "delete_sync", "sweep": sweep_id}),
                "TIMEZONE": "UTC",
                "TIMESTAMP_INPUT_FORMAT": "AUTO",
                "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
                "ROWS_PER_RESULTSET": 0,
                "LOCK_TIMEOUT": seconds,
                "STATEMENT_TIMEOUT_IN_SECONDS": seconds,
                "ABORT_DETACHED_QUERY": True,
            },
        }
        # Never use the connection in a ``with`` block: the end of such a block commits.
        self._connection = self._within(
            login_seconds,
            "connecting to Snowflake",
            lambda: snowflake.connector.connect(**options),
            emulator=is_loopback(parameters.get("host")),
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session. Snowflake then rolls back its open transaction."""
        seconds = min(CLOSE_SECONDS, self._budget.left() + LAST_CLOSE_SECONDS)
        with contextlib.suppress(snowflake_errors.Error, WarehouseUnavailableError):
            within(
                seconds, self._connection.close, lambda: _no_answer("closing a session", seconds)
            )

    def rows(
        self,
        statement: str,
        values: Sequence[Any] | None = None,
        *,
        template: str = "",
        **parts: object,
    ) -> list[tuple[Any, ...]]:
        """Run the statement ``sql/<statement>.sql`` and return its rows.

        Args:
            statement: the name of the file. Errors name it.
            values: bound to its ``%s``.
            template: the name of the file, if several statements share it.
            parts: values of the placeholders that ``names`` does not fill.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError, DataRefusedError: the statement
                failed.
            OutOfTimeError: the sweep has no time left.
        """
        seconds = self._seconds(statement)
        sql = SQL[template or statement].format(**self._names, **parts)

        def ask() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values, timeout=seconds)
                return list(cursor.fetchall())

        return self._within(seconds, statement, ask)

    def change(self, statement: str, values: Sequence[Any] | None = None, **parts: Any) -> int:
        """Run a statement as ``rows`` does, but return how many rows it changed.

        The number is the first column of Snowflake's answer. The connector's ``rowcount`` also
        adds other columns, such as "number of multi-joined rows updated".
        """
        ((changed, *_), *_) = self.rows(statement, values, **parts)
        return int(changed)

    def answer(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a person's own statement. Returns the names of the columns, and the rows.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError, DataRefusedError: it failed.
            OutOfTimeError: there is no time left.
        """
        seconds = self._seconds("the statement")

        def ask() -> tuple[list[str], list[tuple[Any, ...]]]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, timeout=seconds)
                names = [column.name for column in cursor.description or ()]
                return names, list(cursor.fetchall())

        return self._within(seconds, "the statement", ask)

    def commit(self) -> None:
        """Commit the open transaction. Snowflake accepts this also if there is none.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError: the answer was lost, or Snowflake
                refuses. Whether the rows are committed is not known.
            OutOfTimeError: the sweep has no time left. If COMMIT was sent, the same is not known.
        """
        self._end_transaction("COMMIT", self._seconds("COMMIT"))

    def rollback(self) -> None:
        """Roll back the open transaction.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError, OutOfTimeError: the transaction may
                still be open.
        """
        self._end_transaction("ROLLBACK", ROLLBACK_SECONDS, ROLLBACK_SECONDS)

    def _end_transaction(self, command: str, seconds: int, at_least: float = 0) -> None:
        def ask() -> None:
            with self._connection.cursor() as cursor:
                cursor.execute(command, timeout=seconds)

        self._within(seconds, command, ask, at_least=at_least)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the changes of the block as a whole, or roll them back after an error.

        The block must contain no DDL, because DDL commits. After an error, do not use this session
        again: the rollback may have failed.
        """
        try:
            yield
            self.commit()
        except BaseException:
            with contextlib.suppress(
                WarehouseUnavailableError, WarehouseRefusedError, OutOfTimeError
            ):
                self.rollback()
            raise

    def _seconds(self, doing: str) -> int:
        """How long a statement may take: whole seconds, because Snowflake takes no others."""
        if self._budget.is_over():
            raise out_of_time(doing)
        return int(min(self._budget.left(), STATEMENT_SECONDS))

    def _within(
        self,
        seconds: int,
        doing: str,
        ask: Callable[[], Result],
        *,
        at_least: float = 0,
        emulator: bool = False,
    ) -> Result:
        """Ask the connector, and give it up when the time is over.

        Args:
            seconds: the limit that the connector has.
            doing: the error names it.
            ask: calls the connector.
            at_least: how long to wait for the connector, also if no time is left.
            emulator: whether the server is on this machine.
        """
        last = max(self._budget.left() + LAST_OVERSHOOT_SECONDS, at_least)
        patience = min(seconds + OVERSHOOT_SECONDS, last)
        try:
            with translated(doing, emulator=emulator):
                return within(patience, ask, lambda: _no_answer(doing, patience))
        except WarehouseUnavailableError:
            if self._budget.is_over():
                raise out_of_time(doing) from None
            raise


def _no_answer(doing: str, seconds: float) -> WarehouseUnavailableError:
    return WarehouseUnavailableError(
        f"{doing}: no answer within {seconds:.0f} seconds – if this stays, check Snowflake's "
        "status page and the network"
    )
