"""Loads one batch: stages its rows, then merges and records them in one transaction.

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

# A join condition on the deletion time. With it, Snowflake need not read rows of other days.
WINDOW = "\n    " + (FOLDER / "parts/window.sql").read_text(encoding="utf-8").strip()
ATTEMPTS = 3
LOADS_AT_ONCE = 500  # load records in one statement, whose text may have at most 1 MB
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./*-]+")
EARLIEST, LATEST = datetime(1582, 1, 1), datetime(9999, 12, 31)


class Loader:
    """Loads batches in one session, and opens a new one if the session is lost.

    It implements the port ``Target`` of the sweep.

    Args:
        session: an open session.
        tables: where the rows go.
        sweep_id: names this sweep in the stage and the load records.
        window_days: the merge compares a batch only with table rows whose deletion time is at most
            this many days before or after those of the batch. 0 means all rows.
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
        """Create the tables and the stage if they are missing, and check the table if it exists.

        Raises:
            WarehouseRefusedError: a right is missing. The message has the refused statement.
            TableError: a column is missing or has another type. The message has the statement
                to run.
        """
        self._id_fills_itself = self._tables.prepare()

    def load(self, batch: Batch) -> Loaded:
        """Stage one batch, then write deletes, gaps, rejects and load records in one transaction.

        After a transient error or a wrong row count, the loader retries the whole batch in a new
        session. An error rolls the transaction back, with one exception: if only the answer to
        COMMIT is lost, the whole batch is in the tables. A retry or a later sweep then inserts no
        row twice, because each row has a key.

        Raises:
            DataRefusedError: Snowflake refused a value, and the transaction is rolled back.
            SyncError: the load failed for another reason. The batch is in the tables as a whole if
                its COMMIT succeeded, and else not at all.
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
            # Without a lock, two merges at once may both insert the same key. With it, the second
            # sweep waits here until the transaction of the first one has ended, and sees its rows.
            self._session.change("take_lock", [self._sweep_id])
            new_by_file, inserted, duplicates = self._merge(batch) if batch.deletes else ({}, 0, [])
            gaps = self._session.change("insert_gaps") if staged else 0
            rejects = self._session.change("insert_rejects") if staged else 0
            self._record_loads(batch, new_by_file)
        return Loaded(staged, inserted, gaps, rejects, duplicates)

    def _stage(self, batch: Batch) -> int:
        """Upload the batch and copy it into the staging table. Returns the number of lines."""
        if batch.parts is None:
            return 0
        path = f"{self._sweep_id}/{uuid.uuid4().hex}"
        self._session.rows("create_staging")
        self._session.rows("put", files=_file_url(batch.parts), path=path)
        copied = sum(int(row[3]) for row in self._session.rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(
                f"{batch.lines} lines were uploaded, but {copied} were copied to the staging table"
            )
        if batch.unwanted:
            files = ", ".join(["%s"] * len(batch.unwanted))
            self._session.change("drop_unwanted", batch.unwanted, files=files)
        return copied

    def _merge(self, batch: Batch) -> tuple[dict[str, int], int, list[str]]:
        """Merge the deletes. Returns new rows by event file, their sum, and duplicate keys."""
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
                f"the merge inserted {inserted} rows, but {sum(new_by_file.values())} rows were new"
            )
        doubled = self._session.rows("duplicates", bounds, window=within)
        return new_by_file, inserted, [str(row[0]) for row in doubled]

    def _record_loads(self, batch: Batch, new_by_file: Mapping[str, int]) -> None:
        """Write one load record for each event file.

        It replaces the record of an earlier refusal. But if the same content was loaded before, the
        old record stays.
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
        """The values for one file, in the order of ``insert_loads``."""
        one = file.figures
        if one is None:
            return [file.name, file.sha256, self._sweep_id, 0, 0, 0, 0, None, None, file.error]
        counts = [one.deletes + one.rejected, inserted, one.rejected, one.gaps]
        times = [one.first_event_at, one.last_event_at]
        return [file.name, file.sha256, self._sweep_id, *counts, *times, None]


def window(batch: Batch, days: float) -> tuple[str, str]:
    """The time range of a batch's deletes, with a margin of ``days`` days on both sides.

    With the margin, an event that is delivered again with another time still finds its row.
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
    """The URL for PUT. It has quotes only if it needs them, because fakesnow accepts none."""
    text = path.as_posix()
    if PLAIN_PATH.fullmatch(text):
        return f"file://{text}"
    return "'file://{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
