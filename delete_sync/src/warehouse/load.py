"""Loads one batch: staged outside, then merged and recorded in one transaction.

Sources: Snowflake documentation, pages "Transactions", "MERGE", "COPY INTO <table>", "PUT".
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import BooksDifferError, WarehouseUnavailableError
from ..model import Batch, Loaded, StagedFile
from .session import FOLDER, Session
from .tables import Tables

log = logging.getLogger(__name__)

# The part of a join that says when the rows were deleted, so that Snowflake can leave out all other days.
WINDOW = "\n    " + (FOLDER / "parts/window.sql").read_text(encoding="utf-8").strip()
ATTEMPTS = 3
LOADS_AT_ONCE = 500  # load records in one statement, to keep its text well under Snowflake's 1 MB
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./*-]+")
EARLIEST, LATEST = datetime(1582, 1, 1), datetime(9999, 12, 31)


class Loader:
    """Loads batches in one session, opened again if it is lost. The port ``Target`` of the sweep.

    Args:
        session: an open one.
        tables: where the rows go.
        sweep_id: names this sweep in the stage and the load records.
        window_days: match only rows of the table that were deleted within so many days of the batch's own; 0: all.
    """

    def __init__(
        self, session: Session, tables: Tables, *, sweep_id: str, window_days: float
    ) -> None:
        self._session = session
        self._tables = tables
        self._sweep_id = sweep_id
        self._window_days = window_days
        self._id_fills_itself = True

    def prepare(self) -> None:
        """Create what is missing of tables and stage, and check what exists.

        Raises:
            WarehouseRefusedError: a right is missing; the message has the statement that was refused.
            TableError: a column is missing or of another type; the message has the statement to run.
        """
        self._id_fills_itself = self._tables.prepare()

    def load(self, batch: Batch) -> Loaded:
        """Load one batch: stage, then deletes, gaps, rejects and load records in one transaction.

        What is transient is tried again in a new session from the beginning, as nothing of the batch
        is in the tables.

        Raises:
            DataRefusedError: a value was refused; nothing of the batch is in the tables.
            SyncError: the same, for another reason.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._load(batch)
            except (WarehouseUnavailableError, BooksDifferError) as error:
                if attempt == ATTEMPTS:
                    raise
                log.warning("batch=again attempt=%s reason=%s", attempt, error)
            time.sleep(attempt)
            self._session.reconnect()
        raise AssertionError("unreachable")

    def _load(self, batch: Batch) -> Loaded:
        staged = self._stage(batch)
        with self._session.transaction():
            # Two insert-only merges at once may both insert a key: the second waits here, and its MERGE
            # sees the first's rows.
            self._session.change("take_lock", [self._sweep_id])
            new_by_file, inserted, duplicates = self._merge(batch) if batch.deletes else ({}, 0, [])
            gaps = self._session.change("insert_gaps") if staged else 0
            rejects = self._session.change("insert_rejects") if staged else 0
            self._record_loads(batch, new_by_file)
        return Loaded(staged, inserted, gaps, rejects, duplicates)

    def _stage(self, batch: Batch) -> int:
        """Upload the batch and copy it into the session's staging table; returns the number of lines."""
        if batch.parts is None:
            return 0
        path = f"{self._sweep_id}/{uuid.uuid4().hex}"
        self._session.rows("create_staging")
        self._session.rows("put", files=_file_url(batch.parts), path=path)
        copied = sum(int(row[3]) for row in self._session.rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(
                f"{batch.lines} lines were uploaded, {copied} were copied into the staging table"
            )
        if batch.unwanted:
            files = ", ".join(["%s"] * len(batch.unwanted))
            self._session.change("drop_unwanted", batch.unwanted, files=files)
        return copied

    def _merge(self, batch: Batch) -> tuple[dict[str, int], int, list[str]]:
        """New rows by event file, their number, and keys that stand twice afterwards."""
        bounds = window(batch, self._window_days) if self._window_days else None
        within = WINDOW if bounds else ""
        counted = self._session.rows("count_new", bounds, window=within)
        new_by_file = {str(name): int(count) for name, count in counted}
        if self._id_fills_itself:
            inserted = self._session.change("merge", bounds, window=within)
        else:
            last_id = int(self._session.rows("last_id")[0][0])
            inserted = self._session.change(
                "merge_numbered", bounds, window=within, last_id=last_id
            )
        if inserted != sum(new_by_file.values()):
            raise BooksDifferError(
                f"the merge inserted {inserted} rows where {sum(new_by_file.values())} were new"
            )
        doubled = self._session.rows("duplicates", bounds, window=within)
        return new_by_file, inserted, [str(row[0]) for row in doubled]

    def _record_loads(self, batch: Batch, new_by_file: Mapping[str, int]) -> None:
        """One record for each event file.

        It replaces a refusal by an earlier reader; a record of the same content stays.
        """
        for start in range(0, len(batch.files), LOADS_AT_ONCE):
            files = batch.files[start : start + LOADS_AT_ONCE]
            keys = ", ".join(["(%s, %s)"] * len(files))
            of_files = [value for file in files for value in (file.name, file.sha256)]
            self._session.change("forget_refusals", of_files, keys=keys)
            records = [self._record(file, new_by_file.get(file.name, 0)) for file in files]
            rows = ", ".join(f"({', '.join(['%s'] * len(record))})" for record in records)
            self._session.change(
                "insert_loads", [value for record in records for value in record], rows=rows
            )

    def _record(self, file: StagedFile, inserted: int) -> list[Any]:
        """The values of ``insert_loads`` for one file, in its order."""
        one = file.figures
        if one is None:
            return [file.name, file.sha256, self._sweep_id, 0, 0, 0, 0, None, None, file.error]
        counts = [one.deletes + one.rejected, inserted, one.rejected, one.gaps]
        times = [one.first_event_at, one.last_event_at]
        return [file.name, file.sha256, self._sweep_id, *counts, *times, None]


def window(batch: Batch, days: float) -> tuple[str, str]:
    """When the deletes of a batch happened, with a margin of so many days on both sides.

    The margin is for an event that comes again and may have been given another time.
    """
    figures = [file.figures for file in batch.files if file.figures]
    times = [
        moment for one in figures for moment in (one.first_event_at, one.last_event_at) if moment
    ]
    margin = timedelta(days=days)
    first, last = datetime.fromisoformat(min(times)), datetime.fromisoformat(max(times))
    begin, end = max(first, EARLIEST + margin) - margin, min(last, LATEST - margin) + margin
    return begin.isoformat(), end.isoformat()


def _file_url(path: Path) -> str:
    """For PUT: bare if possible, as fakesnow takes no quotes."""
    text = path.as_posix()
    if PLAIN_PATH.fullmatch(text):
        return f"file://{text}"
    return "'file://{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
