"""Writes what the drains deliver into event files, uploads them, and only then moves the cursors.

The order of the steps keeps the promise of the README. First the event file is closed and flushed
to disk. Then it is uploaded under a free name. Then the cursor moves, unless another run has moved
it. After a crash between two steps, the next poll repeats work. No row is lost, and the rows' keys
prevent duplicates.

The last file of a poll tells what the poll did with each topic. Every poll has such a file, also if
it found nothing or failed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional, Protocol

from .errors import CollectorError, StorageRefusedError, StorageUnavailableError
from .model.positions import Cursor, Position, StoredCursor
from .model.rows import Delivery, Row
from .report import Report, reason_of

log = logging.getLogger(__name__)


class OpenFile(Protocol):
    """An event file while it is written.

    Attributes:
        path: its place on this machine.
        begun_at: when it was begun. The name of its blob is made from this time.
    """

    path: Path
    begun_at: datetime

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows of any kind. Two rows with the same key become one."""

    def is_full(self, most_rows: int) -> bool:
        """Whether the file has at least ``most_rows`` rows or its maximum size."""

    def close(self) -> None:
        """Finish the file. It is complete afterwards."""

    def abandon(self) -> None:
        """Close the file unfinished. Nobody may read it."""


class Store(Protocol):
    """Where event files and cursors are kept."""

    def new_file(self, begun_at: datetime) -> OpenFile:
        """An empty event file on this machine."""

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Upload the file under a free name and remove it from this machine. Returns the name.

        ``briefly`` means only one attempt of a few seconds.
        """

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """Load what is stored for the topic."""

    def save_cursor(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag``. Returns the new one, or None if another run was first."""


class Publisher:
    """Writes the event files and cursors of one poll. All topics share one publisher.

    A full file is closed and uploaded while the next one is being filled.

    Args:
        store: where event files and cursors are kept.
        file_rows: maximum rows of a file. A file that reaches its maximum size is full earlier.
        report: receives what was written, uploaded and moved.
        stop: as soon as this event is set, the publisher takes nothing more. The publisher sets it
            if writing or uploading fails, and that ends the poll.
    """

    def __init__(self, store: Store, file_rows: int, report: Report, stop: threading.Event) -> None:
        self._store = store
        self._file_rows = file_rows
        self._report = report
        self._stop = stop
        self._writing = threading.Lock()  # guards the file and the positions of all topics
        self._failure: Optional[Exception] = None
        self._wrote_at = time.monotonic()
        self._file: Optional[OpenFile] = None
        self._positions: dict[str, Position] = {}  # delivered, not yet saved
        self._uploader = ThreadPoolExecutor(1, "upload")
        self._upload: Optional[Future[None]] = None
        # The version of each cursor that this run saw last. If another run has moved a cursor, its
        # topic is removed from here.
        self._etags: dict[str, Optional[str]] = {}
        self._tried_at: dict[str, str] = {}  # of topics without a position

    def cursor(self, topic: str) -> StoredCursor:
        """Load what is stored for the topic. Later saves replace this version only."""
        stored = self._store.load_cursor(self._report.org_id, topic)
        self._etags[topic] = stored.etag
        if stored.cursor and stored.cursor.tried_at:
            self._tried_at[topic] = stored.cursor.tried_at
        return stored

    def begin_from_latest(self, topic: str) -> None:
        """Store a cursor without a position, before a stream is opened from LATEST.

        It shows later polls that the topic has started, so they do not start from LATEST again.

        Raises:
            StorageUnavailableError, StorageRefusedError: the cursor is not stored.
        """
        tried_at = self._tried_at.get(topic, self._report.began_at)
        saved = self._store.save_cursor(
            Cursor(self._report.org_id, topic, None, tried_at), self._etags.get(topic)
        )
        if saved is None:
            raise StorageUnavailableError(
                f"cursor of {topic}: another run has just started this topic;"
                " the next poll continues"
            )
        self._etags[topic] = saved

    def take(
        self, topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str
    ) -> None:
        """Write what a topic delivers. Each topic calls this in its own thread.

        This method raises no error of writing or uploading. ``raise_if_failed`` raises it later.
        """
        with self._writing:
            if self._stop.is_set():
                return
            try:
                self._write(topic, delivery, position)
                self._report.topics[topic].count(delivery, rpc_id)
                if self._upload and self._upload.done():
                    self._wait_for_upload()  # notices a failed upload before the next file is full
            except Exception as error:  # noqa: BLE001  (``raise_if_failed`` raises it again)
                self._failure = error
                self._stop.set()
            self._wrote_at = time.monotonic()

    def quiet_seconds(self) -> float:
        """The number of seconds since something was written.

        If a thread is writing now, this method waits for it, because a slow upload may block it.
        """
        with self._writing:
            return time.monotonic() - self._wrote_at

    def raise_if_failed(self) -> None:
        """Raise the error that ended writing or uploading, if there was one.

        No cursor has moved past rows that are not uploaded.

        Raises:
            StorageUnavailableError, StorageRefusedError: an event file could not be uploaded.
            LocalStorageError: an event file could not be written.
        """
        if self._failure:
            raise self._failure

    def finish(self) -> None:
        """Take nothing more, publish the rest with the poll's own rows, and wait for the upload.

        All topics have ended.

        Raises:
            CollectorError: as ``raise_if_failed``.
        """
        self._stop.set()
        with self._writing:
            self.raise_if_failed()
            self._wait_for_upload()  # it may still change the report
            file = self._open_file()
            file.add(self._report.polls())
            self._publish(file)
        self._wait_for_upload()

    def mark_unread(self) -> None:
        """Store a cursor without a position for each topic that failed and was never read.

        The cursor has the time of this poll, so that the first poll that can read the topic knows
        since when events may be lost. Call this after ``finish``. If Blob Storage was the reason
        of the failure, nothing is stored. A failure here is only logged, because the topic has
        failed already.
        """
        for topic, etag in list(self._etags.items()):
            report = self._report.topics[topic]
            by_storage = isinstance(report.error, (StorageUnavailableError, StorageRefusedError))
            if etag is not None or report.ended != "failed" or by_storage:
                continue
            mark = Cursor(self._report.org_id, topic, None, self._report.began_at, begun=False)
            try:
                self._store.save_cursor(mark, None)
            except CollectorError as error:
                log.warning("topic=%s tried_at=lost reason=%s", topic, reason_of(error))

    def close(self) -> None:
        """Wait for a running upload, and abandon a file that is not published."""
        self._uploader.shutdown()
        with self._writing:
            if self._file is not None:
                self._file.abandon()

    def _write(self, topic: str, delivery: Delivery, position: Optional[Position]) -> None:
        if delivery.rows:
            self._open_file().add(delivery.rows)
        if position:
            self._positions[topic] = position
        if self._file and self._file.is_full(self._file_rows):
            self._publish(self._file)

    def _open_file(self) -> OpenFile:
        if self._file is None:
            self._file = self._store.new_file(datetime.now(timezone.utc))
        return self._file

    def _publish(self, file: OpenFile) -> None:
        """Start the upload of the open file. The positions are saved after it.

        The upload runs in its own thread, and the next file is filled meanwhile.
        """
        self._wait_for_upload()
        self._file = None
        positions, self._positions = self._positions, {}
        self._upload = self._uploader.submit(self._upload_and_save, file, positions)

    def _wait_for_upload(self) -> None:
        """Wait for the running upload, if there is one.

        At most one upload runs, so that files stay in order and at most two are on the disk.
        """
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.result()

    def _upload_and_save(self, file: OpenFile, positions: Mapping[str, Position]) -> None:
        """Upload the file first. A cursor may only move past uploaded rows."""
        file.close()
        name = self._store.upload(file.path, file.begun_at, briefly=False)
        self._report.files.append(name)
        for topic, position in positions.items():
            self._save_cursor(topic, position)

    def _save_cursor(self, topic: str, position: Position) -> None:
        if topic not in self._etags:
            return
        report = self._report.topics[topic]
        cursor = Cursor(self._report.org_id, topic, position)
        try:
            saved = self._store.save_cursor(cursor, self._etags[topic])
        except CollectorError as error:
            # The rows are uploaded, and the next poll reads their events again. The cursors of the
            # other topics are still saved.
            report.fail(error)
            return
        if saved is None:
            del self._etags[topic]
            report.cursor = "kept"
            log.warning("topic=%s cursor=kept reason=another run was ahead", topic)
        else:
            self._etags[topic] = saved
            report.cursor = "moved"


def leave_polls(store: Store, report: Report) -> None:
    """Try to upload a file that tells only of a poll that failed as a whole.

    There is one short attempt, because the poll's time may be over. If it fails too, that is only
    logged: the poll's own error says more, and the caller raises it.
    """
    try:
        file = store.new_file(datetime.now(timezone.utc))
        file.add(report.polls())
        file.close()
        report.files.append(store.upload(file.path, file.begun_at, briefly=True))
    except Exception as error:  # noqa: BLE001  (it must not hide the poll's own error)
        why = error.text if isinstance(error, CollectorError) else error
        log.warning("polls=lost reason=%s: %s", type(error).__name__, why)
