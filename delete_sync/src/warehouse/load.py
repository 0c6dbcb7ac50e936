"""Loads one batch: stages its rows, then merges and records them in one guarded transaction.

Two sweeps may run at the same time. The lock row orders their transactions: a transaction begins
with an update of that row, and Snowflake lets a second one wait. Each transaction writes a new
token into the row. Every later statement of the transaction changes nothing if the row has another
token, because then Snowflake or an administrator has ended the transaction meanwhile.

Sources: Snowflake documentation, pages "Transactions", "MERGE", "COPY INTO <table>", "PUT".
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timezone
from pathlib import Path
from typing import TypeVar

from ..errors import BooksDifferError, LostTurnError, WarehouseUnavailableError
from ..model import Batch, Loaded, LoadRecord, TopicPoll
from .session import Session
from .tables import Identifier, Tables

log = logging.getLogger(__name__)

ATTEMPTS = 3
Result = TypeVar("Result")


class Loader:
    """Loads batches, each attempt in a session of its own. It implements the port ``Target``.

    Another session reads what the tables know. The caller closes the loader after use.

    Args:
        connect: opens a session.
        names: the result of ``names_of``.
        reader_version: load records of refused files name it.
        pause: waits some seconds before another attempt.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        names: Mapping[str, Identifier],
        *,
        reader_version: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._names = names
        self._reader_version = reader_version
        self._pause = pause
        self._id_fills_itself = True
        self._reading: Session | None = None
        # The lock row's token when it was last read. A session that begins after that sees all rows
        # that were committed until then (parameter READ_CONSISTENCY_MODE), but perhaps not more.
        self._seen_token = ""

    def close(self) -> None:
        """Close the session for reading, if it is open."""
        session, self._reading = self._reading, None
        if session:
            session.close()

    def prepare(self) -> None:
        """Create the tables and the stage if they are missing, and check those that exist.

        Raises:
            WarehouseRefusedError: a right is missing. The message has the refused statement.
            TableError: rows of the sync would not fit. The message has the statements to run.
        """

        def check(session: Session) -> None:
            tables = Tables(session, self._names)
            self._id_fills_itself = tables.prepare()
            self._seen_token = tables.token()

        self._ask(check)

    def records(self, first: str, last: str) -> list[LoadRecord]:
        """The load records of the event files whose names are from ``first`` to ``last``."""
        return self._ask(
            lambda session: [_record(*row) for row in session.rows("records", [first, last])]
        )

    def oldest_first(self) -> list[str]:
        """The names of all event files with a load record. The one loaded longest ago is first."""
        return self._ask(lambda session: [str(name) for (name,) in session.rows("oldest_first")])

    def duplicates(self) -> list[str]:
        """Keys that are in the table more than once, at most 100."""
        return self._ask(lambda session: [str(key) for (key,) in session.rows("duplicates")])

    def newest_file(self) -> str:
        """The newest name of an event file that has a load record. Empty if there is none."""
        ((name,),) = self._ask(lambda session: session.rows("newest_file"))
        return str(name or "")

    def newest_poll(self) -> list[TopicPoll]:
        """The topics of the newest poll that the table knows."""
        return self._ask(
            lambda session: [
                TopicPoll(str(topic), last_good and last_good.replace(tzinfo=timezone.utc))
                for topic, last_good in session.rows("newest_poll")
            ]
        )

    def load(self, batch: Batch, *, again: bool) -> Loaded:
        """Stage one batch, then write its rows and load records in one transaction.

        After a transient error or a wrong row count, the loader tries the whole batch again in a
        new session. If another sweep was faster, that is no failed attempt. A retry inserts no row
        twice, because each row has a key.

        Args:
            batch: the rows.
            again: also load files that have a load record. Their records are replaced.

        Raises:
            DataRefusedError: Snowflake refused a value. Nothing of the batch is in the tables.
            SyncError: the load failed for another reason. The batch is in the tables as a whole if
                its COMMIT succeeded, and else not at all.
        """
        failed = 0
        while True:
            try:
                return self._load(batch, again=again)
            except LostTurnError as error:
                log.info("batch=again reason=%s", error)
            except (WarehouseUnavailableError, BooksDifferError) as error:
                failed += 1
                if failed == ATTEMPTS:
                    raise
                log.warning("batch=again attempt=%s reason=%s", failed, error)
                self._pause(failed)
            self.close()  # only a new session surely sees what the other sweep has committed
            self._seen_token = self._ask(lambda session: Tables(session, self._names).token())

    def _load(self, batch: Batch, *, again: bool) -> Loaded:
        token = uuid.uuid4().hex
        with self._connect() as session:
            self._stage(session, batch)
            with session.transaction():
                self._take_lock(session, token)
                elsewhere = frozenset() if again else self._loaded_elsewhere(session, batch)
                files = [file.name for file in batch.files if file.name not in elsewhere]
                loaded = Loaded(elsewhere=elsewhere)
                if files:
                    loaded = self._write(session, batch, token, files, elsewhere)
            kept = {str(name) for (name,) in session.rows("records_of_token", [token])}
        if kept != set(files):
            # Snowflake accepts a COMMIT also if it has ended the transaction before.
            raise BooksDifferError(
                f"after COMMIT, {len(kept)} of {len(files)} load records are in the table"
            )
        self._seen_token = token
        return loaded

    def _stage(self, session: Session, batch: Batch) -> None:
        """Upload the batch and copy it into the staging table, and commit that."""
        path = uuid.uuid4().hex
        session.rows("create_staging")
        session.rows("put", files=_file_url(batch.parts), path=path)
        copied = sum(int(row[3]) for row in session.rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(
                f"{batch.lines} lines were uploaded, but {copied} were copied to the staging table"
            )
        if batch.unwanted:
            files = ", ".join(["(%s)"] * len(batch.unwanted))
            session.change("drop_unwanted", batch.unwanted, files=files)
        session.commit()

    def _take_lock(self, session: Session, token: str) -> None:
        """Begin the transaction with the lock row. It waits while another one has the row."""
        locked = session.change("take_lock", [token])
        if locked != 1:
            raise Tables(session, self._names).lock_error(locked)
        previous = [str(row[0]) for row in session.rows("previous_token", [token])]
        if not previous:
            raise BooksDifferError("the lock row has lost its token")
        if previous != [self._seen_token]:
            raise LostTurnError("another sweep has loaded files meanwhile")

    def _loaded_elsewhere(self, session: Session, batch: Batch) -> frozenset[str]:
        """The files of the batch that another sweep has loaded or refused meanwhile."""
        records: dict[str, list[LoadRecord]] = {}
        for row in session.rows("records_of_batch"):
            record = _record(*row)
            records.setdefault(record.event_file, []).append(record)
        return frozenset(
            file.name
            for file in batch.files
            if any(
                record.settles(file.blob, self._reader_version)
                for record in records.get(file.name, [])
            )
        )

    def _write(
        self,
        session: Session,
        batch: Batch,
        token: str,
        files: list[str],
        elsewhere: frozenset[str],
    ) -> Loaded:
        """Insert the rows that are new, and the load records of these files."""
        new_rows = dict.fromkeys(files, 0)
        inserted = gaps = rejects = 0
        rows = batch.figures
        if rows.deletes:
            counted = {str(name): int(new) for name, new in session.rows("count_new")}
            new_rows.update({name: new for name, new in counted.items() if name in new_rows})
            inserted = self._merge(session, token)
            if inserted != sum(counted.values()):
                raise BooksDifferError(
                    f"the merge inserted {inserted} rows, but {sum(counted.values())} were new"
                )
        if rows.gaps:
            gaps = session.change("insert_gaps", [token])
        if rows.rejected:
            rejects = session.change("insert_rejects", [token])
        if rows.polls:
            session.change("insert_polls", [token])
        values = [value for item in new_rows.items() for value in item]
        new = ", ".join(["(%s, %s)"] * len(new_rows))
        recorded = session.change("insert_loads", [token, *values], new=new)
        if recorded != len(files):
            raise BooksDifferError(
                f"{recorded} of {len(files)} load records were written: the other files have "
                "rows that are not in the tables"
            )
        session.change("replace_loads", [token])
        return Loaded(inserted, gaps, rejects, elsewhere)

    def _merge(self, session: Session, token: str) -> int:
        """Insert the deletes whose keys are not in the table. Returns their number."""
        if self._id_fills_itself:
            return session.change("merge", [token], number="", id="", s_id="")
        ((last_id,),) = session.rows("last_id")
        number = f"{int(last_id)} + ROW_NUMBER() OVER (ORDER BY d.event_id) AS id,\n        "
        return session.change("merge", [token], number=number, id="id, ", s_id="s.id, ")

    def _ask(self, ask: Callable[[Session], Result]) -> Result:
        """Ask in the session for reading. Try again in a new one if Snowflake does not answer."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if self._reading is None:
                    self._reading = self._connect()
                return ask(self._reading)
            except WarehouseUnavailableError as error:
                self.close()
                if attempt == ATTEMPTS:
                    raise
                log.warning("snowflake=again attempt=%s reason=%s", attempt, error)
            self._pause(attempt)
        raise AssertionError("unreachable")


def _record(
    event_file: str, sha256: str | None, length: int, etag: str, reader: int, error: str | None
) -> LoadRecord:
    """A load record, as the table has it. Its columns may be NULL if an older version wrote it."""
    return LoadRecord(
        event_file, sha256 or "", int(length or 0), etag or "", int(reader or 0), error
    )


def _file_url(path: Path) -> str:
    """The URL for PUT, to be written in single quotes (page "PUT")."""
    return "file://{}".format(path.as_posix().replace("\\", "\\\\").replace("'", "\\'"))
