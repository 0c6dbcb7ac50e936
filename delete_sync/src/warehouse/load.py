"""Loads batches: each attempt in a session of its own, and again if it failed.

Another session reads what the tables know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date

from ..model import Batch, Compared, Due, Loaded, LoadRecord, TopicPoll, Unproven
from . import reading
from .attempt import Attempt
from .compare import Comparison
from .move import Move
from .names import Identifier
from .session import Session
from .tables import Tables
from .turns import Turns


class Loader(Turns):
    """Loads batches, each attempt in a session of its own. It implements the port ``Target``.

    Another session reads what the tables know. The caller closes the loader after use.

    Args:
        connect: opens a session.
        names: the result of ``names_of``.
        sweep_id: names the folder of this sweep on the stage.
        reader_version: load records of refused files name it.
        pause: waits some seconds before another attempt.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        names: Mapping[str, Identifier],
        *,
        sweep_id: str,
        reader_version: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(connect, names, pause=pause)
        self._sweep_id = sweep_id
        self._reader_version = reader_version
        self._id_fills_itself = True
        self._erased: int | None = None

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

    def erased(self) -> frozenset[str]:
        """The digests of the record ids whose data somebody had erased.

        If there are others when a batch is loaded, it is not loaded.
        """
        rows = self._ask(lambda session: session.rows("erased_digests"))
        found = frozenset(str(digest) for (digest,) in rows)
        self._erased = len(found)
        return found

    def records(self, first: str, last: str) -> list[LoadRecord]:
        """The load records of the event files whose names are from ``first`` to ``last``."""
        return self._ask(lambda session: reading.records(session, first, last))

    def oldest_first(self) -> list[str]:
        """The names of all event files with a load record. The one loaded longest ago is first."""
        return self._ask(lambda session: [str(name) for (name,) in session.rows("oldest_first")])

    def duplicates(self) -> list[str]:
        """Keys that are in the table more than once, at most 100."""
        return self._ask(reading.duplicates)

    def newest_file(self) -> str:
        """The newest name of an event file that has a load record. Empty if there is none."""
        return self._ask(reading.newest_file)

    def newest_poll(self) -> list[TopicPoll]:
        """The topics of the newest poll that the table knows."""
        return self._ask(reading.newest_poll)

    def unproven(self, first: date, last: date) -> list[Unproven]:
        """Days from ``first`` to ``last`` that are not proven, by object and reason.

        Only objects that are checked at present count, and only reasons that a person can remove.
        It is asked once, because the view may take long.

        Raises:
            SyncError: the view ``_completeness`` cannot be read.
        """
        return self._ask(
            lambda session: [
                Unproven(*row) for row in session.rows("unproven", [last, first, last])
            ],
            attempts=1,
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
        tokens: set[str] = set()
        return self._again_and_again("batch", lambda: self._load(batch, tokens, again=again))

    def checks_to_compare(self, up_to: str) -> Due:
        """What a comparison would have to do.

        Args:
            up_to: the name of an event file. Checks in newer files wait.
        """
        return self._ask(lambda session: Comparison(session, self._names, up_to).due())

    def compare(self, up_to: str) -> Compared:
        """Compare the tables with what the checks have listed, in one transaction.

        It is tried again as ``load`` is.

        Args:
            up_to: the name of an event file. Checks in newer files wait.

        Raises:
            SyncError: the comparison failed. All of its changes are in the tables if its COMMIT
                succeeded, and else none.
        """
        return self._again_and_again("comparison", lambda: self._compare(up_to))

    def copy_from(self, origin: Mapping[str, Identifier]) -> dict[str, int]:
        """Copy the rows of another target that are not there, in one transaction.

        It is tried again as ``load`` is.

        Args:
            origin: the result of ``names_of`` for the other target.

        Returns the numbers of rows, by table.

        Raises:
            SyncError: the copy failed. All of the rows are in the tables if its COMMIT succeeded,
                and else none.
        """
        return self._again_and_again("move", lambda: self._copy(origin))

    def _compare(self, up_to: str) -> Compared:
        """Try once."""
        with self._connect() as session:
            comparison = Comparison(session, self._names, up_to)
            with session.transaction():
                comparison.take_lock(self._seen_token)
                due = comparison.due()
                compared = Compared(waiting=due.waiting)
                if due.since:
                    compared = comparison.write(due, id_fills_itself=self._id_fills_itself)
            if due.since:
                comparison.check(due)
        self._seen_token = comparison.token
        self.close()  # a session for reading that is older need not see these rows
        return compared

    def _copy(self, origin: Mapping[str, Identifier]) -> dict[str, int]:
        """Try once."""
        with self._connect() as session:
            move = Move(session, self._names, origin)
            with session.transaction():
                move.take_lock(self._seen_token)
                copied = move.write(id_fills_itself=self._id_fills_itself)
            move.check()
        self._seen_token = move.token
        self.close()  # a session for reading that is older need not see these rows
        return copied

    def _load(self, batch: Batch, tokens: set[str], *, again: bool) -> Loaded:
        """Try once. ``tokens`` names the transactions of all attempts, whatever became of them."""
        with self._connect() as session:
            attempt = Attempt(session, self._names, batch)
            self._stage(attempt, f"{self._sweep_id}/{attempt.token}")
            with session.transaction():
                attempt.take_lock(self._seen_token)
                done = {} if again else attempt.done(self._reader_version)
                files = [file.name for file in batch.files if file.name not in done]
                loaded = Loaded()
                if files:
                    tokens.add(attempt.token)
                    loaded = attempt.write(
                        files, id_fills_itself=self._id_fills_itself, erased=self._erased
                    )
            attempt.check(files)
        self._seen_token = attempt.token
        self.close()  # a session for reading that is older need not see these rows
        elsewhere = frozenset(name for name, token in done.items() if token not in tokens)
        return loaded._replace(elsewhere=elsewhere)
