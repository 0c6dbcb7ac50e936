"""Snowflake adapter: the tables, and the load of one batch as a single transaction. All SQL stands in ``sql/``.

Written to what the connector's versions 4 and 5 have in common. Sources: Snowflake documentation, pages "Transactions",
"MERGE", "COPY INTO <table>", "PUT"; Python connector API.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import errors as snowflake_errors

from .errors import BooksDifferError, WarehouseRefusedError, WarehouseUnavailableError
from .staging import Batch

SQL = {file.stem: file.read_text(encoding="utf-8").strip() for file in Path(__file__).with_name("sql").glob("*.sql")}
LOGIN_SECONDS = 60
NETWORK_SECONDS = 120  # for one request and its repetitions; without it, version 4 repeats an HTTP 500 for ever
LOADS_AT_ONCE = 500  # load records in one statement, to keep its text well under Snowflake's 1 MB
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./*-]+")


@dataclass(frozen=True)
class Loaded:
    """What a batch's transaction did."""

    staged: int
    inserted: int
    gaps: int
    rejects: int


class Warehouse:
    """One session; a context manager.

    Args:
        account, login, warehouse, role, database, schema, table, server: as in ``settings.Snowflake``.
        sweep_id: names this sweep in the query tag, the stage and the load records.
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
    ) -> None:
        self._sweep_id = sweep_id
        self._names = names_beside(table)
        parameters = {
            **login,
            **server,
            "account": account,
            "warehouse": warehouse,
            "database": database,
            "schema": schema,
            "application": "SalesforceDeleteTracker",
            "login_timeout": LOGIN_SECONDS,
            "network_timeout": NETWORK_SECONDS,
            "session_parameters": {"QUERY_TAG": json.dumps({"app": "delete_sync", "sweep": sweep_id}), "TIMEZONE": "UTC"},
            **({"role": role} if role else {}),
        }
        with _translated("connecting to Snowflake"):
            self._connection = snowflake.connector.connect(**parameters)

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create_what_is_missing(self) -> None:
        """Create the tables and the stage, except those that are there already.

        Raises:
            WarehouseRefusedError: a right is missing; the message has the statement to run.
        """
        with _translated("listing the tables"):
            existing = {name for (name,) in self._rows("existing")}
        for table in ("table", "loads", "gaps", "rejects"):
            if self._names[table].strip('"') not in existing:
                with _translated(f"creating {self._names[table]}"):
                    self._rows(f"create_{table}")
        with _translated(f"creating {self._names['stage']}"):
            self._rows("create_stage")

    def load(self, batch: Batch) -> Loaded:
        """Load one batch: stage, then deletes, gaps, rejects and load records in one transaction.

        Raises:
            WarehouseUnavailableError, WarehouseRefusedError: nothing of the batch is in the tables.
            BooksDifferError: likewise; the warehouse counted differently.
        """
        path = f"{self._sweep_id}/{uuid.uuid4().hex}"
        with _translated("loading a batch"):
            staged = self._stage(batch, path)
            with self._transaction():
                new_by_file = {str(name): int(count) for name, count in self._rows("count_new")} if batch.deletes else {}
                inserted = self._change("merge") if batch.deletes else 0
                if inserted != sum(new_by_file.values()):
                    raise BooksDifferError(f"the merge inserted {inserted} rows where {sum(new_by_file.values())} were new")
                gaps = self._change("insert_gaps") if staged else 0
                rejects = self._change("insert_rejects") if staged else 0
                self._record_loads(batch, new_by_file)
        return Loaded(staged, inserted, gaps, rejects)

    def _stage(self, batch: Batch, path: str) -> int:
        """Upload the batch and copy it into the session's staging table; returns the number of lines."""
        if batch.pattern is None:
            return 0
        self._rows("create_staging")
        self._rows("put", files=_file_url(batch.pattern), path=path)
        copied = sum(int(row[3]) for row in self._rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(f"{batch.lines} lines were uploaded, {copied} were copied into {self._names['staging']}")
        if batch.unwanted:
            self._change("drop_unwanted", batch.unwanted, files=", ".join(["%s"] * len(batch.unwanted)))
        return copied

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
                    counts = [
                        figures.deletes + figures.rejected,
                        new_by_file.get(file.name, 0),
                        figures.rejected,
                        figures.gaps,
                    ]
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

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Not by BEGIN, after which fakesnow takes no MERGE; DDL, which would commit, has no place inside."""
        self._connection.autocommit(False)
        try:
            yield
            self._connection.commit()
        except BaseException:
            with contextlib.suppress(snowflake_errors.Error):  # the session may be gone, and the transaction with it
                self._connection.rollback()
            raise
        finally:
            with contextlib.suppress(snowflake_errors.Error):
                self._connection.autocommit(True)

    def _rows(self, statement: str, values: Sequence[Any] | None = None, **parts: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(self._text(statement, parts), values)
            return list(cursor.fetchall())

    def _change(self, statement: str, values: Sequence[Any] | None = None, **parts: str) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(self._text(statement, parts), values)
            return int(cursor.rowcount or 0)

    def _text(self, statement: str, parts: Mapping[str, str]) -> str:
        return SQL[statement].format(**self._names, **parts)


def names_beside(table: str) -> dict[str, str]:
    """The quoted names of everything that stands beside the table."""
    beside = {part: f'{table[:-1]}_{part.upper()}"' for part in ("loads", "gaps", "rejects", "lock", "stage", "staging")}
    return {"table": table, **beside}


def _file_url(path: Path) -> str:
    """For PUT: bare where possible, as fakesnow takes no quotes."""
    text = path.as_posix()
    return (
        f"file://{text}" if PLAIN_PATH.fullmatch(text) else "'file://{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
    )


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    """The connector's errors as ours."""
    try:
        yield
    except (
        snowflake_errors.OperationalError,
        snowflake_errors.InternalServerError,
        snowflake_errors.ServiceUnavailableError,
    ) as error:
        raise WarehouseUnavailableError(f"{doing}: {_brief(error)}") from None
    except snowflake_errors.Error as error:
        raise WarehouseRefusedError(f"{doing}: {_brief(error)}") from None


def _brief(error: snowflake_errors.Error) -> str:
    return re.sub(r"\s+", " ", str(error.msg or error)).strip()
