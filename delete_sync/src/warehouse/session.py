"""One session with Snowflake. Every statement that it executes is a file in ``sql/``.

The code uses only what versions 4 and 5 of the connector have in common.
Sources: Snowflake documentation, page "Transactions"; Python connector API.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import errors as snowflake_errors

from ..errors import SyncError
from .snowflake_errors import translated

FOLDER = Path(__file__).with_name("sql")
SQL = {file.stem: file.read_text(encoding="utf-8").strip() for file in FOLDER.glob("*.sql")}
LOGIN_SECONDS = 60
# How long to wait for the transaction of another sweep. It is more than 300 seconds: after that
# time, Snowflake ends a transaction whose client is gone.
LOCK_SECONDS = 330


class Session:
    """One session, to use in a ``with`` block.

    Args:
        account, login, warehouse, role, server: as in ``settings.Snowflake``.
        database, schema: quoted identifiers.
        names: the values of the placeholders in the statements.
        sweep_id: names this sweep in the query tag.
        patience_seconds: the limit for one statement, and for one request with all its retries.

    Raises:
        WarehouseUnavailableError, WarehouseRefusedError: the session cannot be opened.
    """

    def __init__(
        self,
        *,
        account: str,
        login: Mapping[str, Any],
        warehouse: str,
        role: str,
        server: Mapping[str, Any],
        database: str,
        schema: str,
        names: Mapping[str, object],
        sweep_id: str,
        patience_seconds: float,
    ) -> None:
        self._names = names
        patience = max(int(patience_seconds), 10)
        self._parameters = {
            **login,
            **server,
            "account": account,
            "warehouse": warehouse,
            "database": database,
            "schema": schema,
            "application": "SalesforceDeleteTracker",
            "login_timeout": min(LOGIN_SECONDS, patience),
            # This limit also ends a longer statement. Without it, version 4 of the connector never
            # stops retrying after an HTTP 500.
            "network_timeout": patience,
            "session_parameters": {
                "QUERY_TAG": json.dumps({"app": "delete_sync", "sweep": sweep_id}),
                "TIMEZONE": "UTC",
                "TIMESTAMP_INPUT_FORMAT": "AUTO",
                "LOCK_TIMEOUT": LOCK_SECONDS,
                "STATEMENT_TIMEOUT_IN_SECONDS": patience,
                "ABORT_DETACHED_QUERY": True,
            },
            **({"role": role} if role else {}),
        }
        self._connect()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()

    def reconnect(self) -> None:
        """Continue in a new session. The staging table and transaction of the old one are gone."""
        self._disconnect()
        self._connect()

    def rows(
        self, statement: str, values: Sequence[Any] | None = None, **parts: object
    ) -> list[tuple[Any, ...]]:
        """Run the statement ``sql/<statement>.sql`` and return its rows.

        Args:
            statement: the name of the file.
            values: bound to its ``%s``.
            parts: values of the placeholders that ``names`` does not fill.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError, DataRefusedError: the statement
                failed.
        """
        with self._executed(statement, values, parts) as cursor:
            return list(cursor.fetchall())

    def change(self, statement: str, values: Sequence[Any] | None = None, **parts: object) -> int:
        """Run a statement as ``rows`` does, but return how many rows it changed."""
        with self._executed(statement, values, parts) as cursor:
            return int(cursor.rowcount or 0)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the statements of the block as a whole, or roll them back after an error.

        The block must contain no DDL, because DDL commits. This method sends no BEGIN, because
        fakesnow accepts no MERGE after a BEGIN. It does not call the connector's ``autocommit()``,
        because that method hides its own failure.
        """
        self.change("autocommit_off")
        try:
            yield
            with translated("COMMIT"):
                self._connection.commit()
        except BaseException:
            with contextlib.suppress(snowflake_errors.Error):  # the session may be gone
                self._connection.rollback()
            raise
        finally:
            with contextlib.suppress(SyncError):
                self.change("autocommit_on")

    @contextlib.contextmanager
    def _executed(
        self, statement: str, values: Sequence[Any] | None, parts: Mapping[str, object]
    ) -> Iterator[Any]:
        with translated(statement), self._connection.cursor() as cursor:
            cursor.execute(SQL[statement].format(**self._names, **parts), values)
            yield cursor

    def _connect(self) -> None:
        with translated("connecting to Snowflake"):
            self._connection = snowflake.connector.connect(**self._parameters)

    def _disconnect(self) -> None:
        with contextlib.suppress(snowflake_errors.Error):
            self._connection.close()
