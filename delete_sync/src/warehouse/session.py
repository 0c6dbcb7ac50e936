"""One session with Snowflake. Every statement that is sent is a text in ``sql/``.

Written to what the connector's versions 4 and 5 have in common.
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
LOCK_SECONDS = 330  # to wait for another sweep's transaction; Snowflake ends one whose client is gone after 300


class Session:
    """One session; a context manager.

    Args:
        account, login, warehouse, role, server: as in ``settings.Snowflake``.
        database, schema: quoted.
        names: fill the placeholders of the statements.
        sweep_id: names this sweep in the query tag.
        patience_seconds: how long a request, its repetitions and a statement may take.

    Raises:
        WarehouseUnavailableError, WarehouseRefusedError: there is no session.
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
            # Also ends a statement that takes longer; without it, version 4 repeats an HTTP 500 for ever.
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
        """Go on in a new session. What belonged to the old one is gone: staging table, transaction."""
        self._disconnect()
        self._connect()

    def rows(
        self, statement: str, values: Sequence[Any] | None = None, **parts: object
    ) -> list[tuple[Any, ...]]:
        """Run the statement ``sql/<statement>.sql``; returns its rows.

        Args:
            statement: the name of the text.
            values: bound to its ``%s``.
            parts: fill its placeholders, beside the names.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError, DataRefusedError: it failed.
        """
        with self._executed(statement, values, parts) as cursor:
            return list(cursor.fetchall())

    def change(self, statement: str, values: Sequence[Any] | None = None, **parts: object) -> int:
        """The same for a statement that changes rows; returns how many."""
        with self._executed(statement, values, parts) as cursor:
            return int(cursor.rowcount or 0)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. DDL, which would commit, has no place inside.

        Not by BEGIN, after which fakesnow takes no MERGE; nor by the connector's ``autocommit()``,
        which hides its own failure.
        """
        self.change("autocommit_off")
        try:
            yield
            with translated("COMMIT"):
                self._connection.commit()
        except BaseException:
            with contextlib.suppress(snowflake_errors.Error):  # session and transaction may be gone
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
