"""Snowflake adapter: one session, and the load of one batch as a single transaction. All SQL stands in ``sql/``.

Written to what the connector's versions 4 and 5 have in common. Sources: Snowflake documentation, pages "Transactions",
"MERGE", "COPY INTO <table>", "PUT"; Python connector API.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import errors as snowflake_errors

from .errors import BooksDifferError, SyncError, TableError, WarehouseRefusedError, WarehouseUnavailableError
from .refusals import translated
from .staging import Batch

log = logging.getLogger(__name__)

SQL = {file.stem: file.read_text(encoding="utf-8").strip() for file in Path(__file__).with_name("sql").glob("*.sql")}
LOGIN_SECONDS = 60
LOCK_SECONDS = 330  # to wait for another sweep's transaction; Snowflake ends one whose client is gone after 300
ATTEMPTS = 3
LOADS_AT_ONCE = 500  # load records in one statement, to keep its text well under Snowflake's 1 MB
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./*-]+")
COLUMNS = {  # of delete_tracker; further ones are nobody's business
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
NUMBERED_BY_US = {
    "numbered": "{last_id} + ROW_NUMBER() OVER (ORDER BY v:event_id::VARCHAR) AS id, ",
    "id": "id, ",
    "its_id": "s.id, ",
}
WINDOW = "\n    AND t.deleted_date BETWEEN TO_TIMESTAMP_NTZ(%s) AND TO_TIMESTAMP_NTZ(%s)"
EARLIEST, LATEST = datetime(1582, 1, 1), datetime(9999, 12, 31)
NUMBERED_BY_SNOWFLAKE = {"numbered": "", "id": "", "its_id": ""}


@dataclass(frozen=True)
class Loaded:
    """What a batch's transaction did; ``duplicates`` are keys of it that stand twice in the table."""

    staged: int
    inserted: int
    gaps: int
    rejects: int
    duplicates: list[str] = field(default_factory=list)


class Warehouse:
    """One session; a context manager. A session that is lost is opened again.

    Args:
        account, login, warehouse, role, database, schema, table, server: as in ``settings.Snowflake``.
        sweep_id: names this sweep in the query tag, the stage and the load records.
        patience_seconds: how long a request, its repetitions and a statement may take.
        window_days: match only rows of the table that were deleted within so many days of the batch's own; 0: all.
    """

    def __init__(
        self,
        account: str,
        login: Mapping[str, Any],
        warehouse: str,
        role: str,
        database: str,
        schema: str,
        table: str,
        server: Mapping[str, Any],
        sweep_id: str,
        patience_seconds: float,
        window_days: float,
    ) -> None:
        self._window_days = window_days
        self._sweep_id = sweep_id
        self._names = names_beside(table)
        self._place = {"database": database, "schema": schema}
        self._numbering: Mapping[str, str] = NUMBERED_BY_SNOWFLAKE
        patience = max(int(patience_seconds), 10)
        self._parameters = {
            **login,
            **server,
            **self._place,
            "account": account,
            "warehouse": warehouse,
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

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()

    def prepare(self) -> None:
        """Create what is missing of tables and stage, and check what is there.

        Raises:
            WarehouseRefusedError: a right is missing; the message has the statement that was refused.
            TableError: a column is missing or of another type; the message has the statement to run.
        """
        database, schema = ('"{}"'.format(str(name).replace('"', '""')) for name in self._rows("current_schema")[0])
        if {"database": database, "schema": schema} != self._place:
            raise WarehouseRefusedError(
                f"SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA are {self._place['database']}.{self._place['schema']}, but the session "
                f"is in {database}.{schema}: they do not exist, or the role has no USAGE on them"
            )
        existing = self._columns()
        for table in ("table", "loads", "gaps", "rejects", "lock"):
            if self._names[table] not in existing:
                self._create(table)
        if self._names["stage"] not in {_quoted(row[1]) for row in self._rows("find_stage")}:
            self._create("stage")
        self._rows("fill_lock")
        self._check(existing.get(self._names["table"]))

    def _create(self, what: str) -> None:
        try:
            self._rows(f"create_{what}")
        except WarehouseRefusedError as error:
            statement = " ".join(SQL[f"create_{what}"].format(**self._names).split())
            raise WarehouseRefusedError(f"{error}; grant it, or have a role that may run: {statement}") from None

    def load(self, batch: Batch) -> Loaded:
        """Load one batch: stage, then deletes, gaps, rejects and load records in one transaction.

        What is transient is tried again in a new session from the beginning, as nothing of the batch is in the tables.

        Raises:
            DataRefusedError: a value was refused; nothing of the batch is in the tables.
            SyncError: likewise, for another reason.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._load(batch)
            except (WarehouseUnavailableError, BooksDifferError) as error:
                if attempt == ATTEMPTS:
                    raise
                log.warning("batch=again attempt=%s reason=%s", attempt, error)
            time.sleep(attempt)
            self._disconnect()
            self._connect()
        raise AssertionError("unreachable")

    def _load(self, batch: Batch) -> Loaded:
        staged = self._stage(batch)
        with self._transaction():
            # Two insert-only merges at once may both insert a key: the second waits here, and its MERGE sees the first's rows.
            self._change("take_lock", [self._sweep_id])
            new_by_file, inserted, duplicates = self._merge(batch) if batch.deletes else ({}, 0, [])
            gaps = self._change("insert_gaps") if staged else 0
            rejects = self._change("insert_rejects") if staged else 0
            self._record_loads(batch, new_by_file)
        return Loaded(staged, inserted, gaps, rejects, duplicates)

    def _stage(self, batch: Batch) -> int:
        """Upload the batch and copy it into the session's staging table; returns the number of lines."""
        if batch.pattern is None:
            return 0
        path = f"{self._sweep_id}/{uuid.uuid4().hex}"
        self._rows("create_staging")
        self._rows("put", files=_file_url(batch.pattern), path=path)
        copied = sum(int(row[3]) for row in self._rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(f"{batch.lines} lines were uploaded, {copied} were copied into {self._names['staging']}")
        if batch.unwanted:
            self._change("drop_unwanted", batch.unwanted, files=", ".join(["%s"] * len(batch.unwanted)))
        return copied

    def _merge(self, batch: Batch) -> tuple[dict[str, int], int, list[str]]:
        """New rows by event file, their number, and keys that stand twice afterwards."""
        bounds = _window(batch, self._window_days) if self._window_days else None
        window = WINDOW if bounds else ""
        new_by_file = {str(name): int(count) for name, count in self._rows("count_new", bounds, window=window)}
        numbering = self._numbering
        if numbering["id"]:
            numbering = {**numbering, "numbered": numbering["numbered"].format(last_id=int(self._rows("last_id")[0][0]))}
        inserted = self._change("merge", bounds, window=window, **numbering)
        if inserted != sum(new_by_file.values()):
            raise BooksDifferError(f"the merge inserted {inserted} rows where {sum(new_by_file.values())} were new")
        return new_by_file, inserted, [str(row[0]) for row in self._rows("duplicates", bounds, window=window)]

    def _record_loads(self, batch: Batch, new_by_file: Mapping[str, int]) -> None:
        """One record for each event file; a refusal by an earlier reader gives way, a record of the same content stays."""
        for start in range(0, len(batch.files), LOADS_AT_ONCE):
            files = batch.files[start : start + LOADS_AT_ONCE]
            keys = ", ".join(["(%s, %s)"] * len(files))
            self._change("forget_refusals", [value for file in files for value in (file.name, file.sha256)], keys=keys)
            values: list[Any] = []
            for file in files:
                figures = file.figures
                if figures:
                    counts = [figures.deletes + figures.rejected, new_by_file.get(file.name, 0), figures.rejected, figures.gaps]
                    values += [
                        file.name,
                        file.sha256,
                        self._sweep_id,
                        *counts,
                        figures.first_event_at,
                        figures.last_event_at,
                        None,
                    ]
                else:
                    values += [file.name, file.sha256, self._sweep_id, 0, 0, 0, 0, None, None, file.error]
            rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"] * len(files))
            self._change("insert_loads", values, rows=rows)

    def _columns(self) -> dict[str, dict[str, tuple[str, bool]]]:
        """Type of every column of our tables that exist, and whether it fills itself."""
        tables = [self._names[part] for part in ("table", "loads", "gaps", "rejects", "lock")]
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        for table, column, kind, default, identity in self._rows("columns", [_unquoted(table) for table in tables]):
            fills_itself = default is not None or str(identity).upper() in ("YES", "TRUE")
            found.setdefault(_quoted(table), {})[str(column)] = (str(kind), fills_itself)
        return found

    def _check(self, columns: Mapping[str, tuple[str, bool]] | None) -> None:
        """Hold a table that somebody else has made against what is written to it."""
        if columns is None:
            return
        table = self._names["table"]
        for column, kind in COLUMNS.items():
            spelled = {"TEXT": "VARCHAR(255)", "NUMBER": "INTEGER"}.get(kind, kind)
            if column not in columns:
                raise TableError(f"{table} lacks a column: ALTER TABLE {table} ADD COLUMN {column} {spelled}")
            if columns[column][0] != kind:
                raise TableError(
                    f"{table}.{column} is {columns[column][0]}, not {kind}: rename the table and let the app create one, or "
                    f"ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {spelled}"
                )
        if not columns["ID"][1]:  # made from the plain DDL, in which id has no default
            self._numbering = NUMBERED_BY_US

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. DDL, which would commit, has no place inside.

        Not by BEGIN, after which fakesnow takes no MERGE; nor by the connector's ``autocommit()``, which hides its own failure.
        """
        self._change("autocommit_off")
        try:
            yield
            with translated("COMMIT"):
                self._connection.commit()
        except BaseException:
            with contextlib.suppress(snowflake_errors.Error):  # the session may be gone, and the transaction with it
                self._connection.rollback()
            raise
        finally:
            with contextlib.suppress(SyncError):
                self._change("autocommit_on")

    def _connect(self) -> None:
        with translated("connecting to Snowflake"):
            self._connection = snowflake.connector.connect(**self._parameters)

    def _disconnect(self) -> None:
        with contextlib.suppress(snowflake_errors.Error):
            self._connection.close()

    def _rows(self, statement: str, values: Sequence[Any] | None = None, **parts: str) -> list[tuple[Any, ...]]:
        with translated(statement), self._connection.cursor() as cursor:
            cursor.execute(SQL[statement].format(**self._names, **parts), values)
            return list(cursor.fetchall())

    def _change(self, statement: str, values: Sequence[Any] | None = None, **parts: str) -> int:
        with translated(statement), self._connection.cursor() as cursor:
            cursor.execute(SQL[statement].format(**self._names, **parts), values)
            return int(cursor.rowcount or 0)


def names_beside(table: str) -> dict[str, str]:
    """The quoted names of everything that stands beside the table."""
    beside = {part: f'{table[:-1]}_{part.upper()}"' for part in ("loads", "gaps", "rejects", "lock", "stage", "staging")}
    return {"table": table, **beside}


def _window(batch: Batch, days: float) -> tuple[str, str]:
    """When the deletes of a batch happened, with a margin: an event that comes again may have been given another time."""
    figures = [file.figures for file in batch.files if file.figures]
    times = [moment for one in figures for moment in (one.first_event_at, one.last_event_at) if moment]
    margin = timedelta(days=days)
    first, last = datetime.fromisoformat(min(times)), datetime.fromisoformat(max(times))
    return (max(first, EARLIEST + margin) - margin).isoformat(), (min(last, LATEST - margin) + margin).isoformat()


def _quoted(name: object) -> str:
    return '"{}"'.format(str(name).replace('"', '""'))


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"')


def _file_url(path: Path) -> str:
    """For PUT: bare where possible, as fakesnow takes no quotes."""
    text = path.as_posix()
    return (
        f"file://{text}" if PLAIN_PATH.fullmatch(text) else "'file://{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
    )
