"""Writes what the drains deliver into event files, uploads them, and only then moves the cursors.

The order is the promise: event file closed and flushed → uploaded under a free name → cursor moved
if nobody else has moved it. A crash between any two steps repeats work. It never loses a row, and
the rows' keys keep it from doubling one.
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

from .errors import CollectorError, StorageUnavailableError
from .model import Cursor, Delivery, Position, Row, StoredCursor
from .report import Report

log = logging.getLogger(__name__)


class OpenFile(Protocol):
    """An event file while it is written.

    Attributes:
        path: where it is on this machine.
        begun_at: names it.
    """

    path: Path
    begun_at: datetime

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows of any kind, each under its own key once."""

    def is_full(self, most_rows: int) -> bool:
        """Whether it has so many rows, or is as large as a file shall be."""

    def close(self) -> None:
        """Finish it; afterwards it is complete by itself."""

    def abandon(self) -> None:
        """Close it as it is; nobody may read it."""


class Store(Protocol):
    """Where event files and cursors are kept."""

    def new_file(self, begun_at: datetime) -> OpenFile:
        """An empty event file on this machine."""

    def upload(self, path: Path, begun_at: datetime) -> str:
        """Upload it under a free name, which is returned, and remove it from this machine."""

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """What is stored for the topic."""

    def save_cursor(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace that version; None if another run was ahead."""


class Publisher:
    """The event files and cursors of one poll, shared by the threads of all its topics.

    A full file is closed and uploaded while the next one is being filled.

    Args:
        store: where event files and cursors are kept.
        file_rows: how many rows fill a file, unless it is large before.
        report: is told of what is written, uploaded and moved.
        stop: once it is set, nothing more is taken. It is set here if writing or uploading fails,
            which ends the poll.
    """

    def __init__(self, store: Store, file_rows: int, report: Report, stop: threading.Event) -> None:
        self._store = store
        self._file_rows = file_rows
        self._report = report
        self._stop = stop
        self._writing = (
            threading.Lock()
        )  # around the file and the positions, which all topics add to
        self._failure: Optional[Exception] = None
        self._wrote_at = time.monotonic()
        self._file: Optional[OpenFile] = None
        self._positions: dict[str, Position] = {}  # delivered, not yet saved
        self._uploader = ThreadPoolExecutor(1, "upload")
        self._upload: Optional[Future[None]] = None
        # Of the cursors, as this run last saw them; absent if another run is ahead.
        self._etags: dict[str, Optional[str]] = {}

    def cursor(self, topic: str) -> StoredCursor:
        """What is stored for the topic; only that version will be replaced."""
        stored = self._store.load_cursor(self._report.org_id, topic)
        self._etags[topic] = stored.etag
        return stored

    def begin_from_latest(self, topic: str) -> None:
        """Store that the topic is begun, before a stream is opened from LATEST: a later poll must not do that again.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not stored.
        """
        saved = self._store.save_cursor(
            Cursor(self._report.org_id, topic, None), self._etags.get(topic)
        )
        if saved is None:
            raise StorageUnavailableError(
                f"cursor of {topic}: another run has just begun the topic"
            )
        self._etags[topic] = saved

    def take(
        self, topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str
    ) -> None:
        """Write what a topic delivers, on its own thread; ``raise_if_failed`` says if that failed."""
        with self._writing:
            if self._stop.is_set():
                return
            try:
                self._write(topic, delivery, position)
                self._report.topics[topic].count(delivery, rpc_id)
                if self._upload and self._upload.done():
                    self._wait_for_upload()  # a failed one need not wait for the next file to be noticed
            except Exception as error:  # noqa: BLE001  (whatever it is, it is raised again where the poll is waited for)
                self._failure = error
                self._stop.set()
            self._wrote_at = time.monotonic()

    def quiet_seconds(self) -> float:
        """How long nothing has been written; waits for whoever is writing, as a slow upload may hold them up."""
        with self._writing:
            return time.monotonic() - self._wrote_at

    def raise_if_failed(self) -> None:
        """Nothing may be published behind rows that could not be written or uploaded.

        Raises:
            StorageUnavailableError, StorageRefusedError: an event file could not be uploaded; no cursor has moved past it.
            LocalStorageError: it could not be written.
        """
        if self._failure:
            raise self._failure

    def finish(self) -> None:
        """Take nothing more, publish the rest and wait for it; raises as ``raise_if_failed``."""
        self._stop.set()
        with self._writing:
            self.raise_if_failed()
            self._publish()
        self._wait_for_upload()

    def close(self) -> None:
        """Wait for an upload that is under way, and let go of what is not published."""
        self._uploader.shutdown()
        with self._writing:
            if self._file is not None:
                self._file.abandon()

    def _write(self, topic: str, delivery: Delivery, position: Optional[Position]) -> None:
        if delivery.rows:
            if self._file is None:
                self._file = self._store.new_file(datetime.now(timezone.utc))
            self._file.add(delivery.rows)
        if position:
            self._positions[topic] = position
        if self._file and self._file.is_full(self._file_rows):
            self._publish()

    def _publish(self) -> None:
        """Have the file, if there is one, uploaded, and its positions saved, while the next one is being filled."""
        self._wait_for_upload()
        file, self._file = self._file, None
        positions, self._positions = self._positions, {}
        self._upload = self._uploader.submit(self._upload_and_save, file, positions)

    def _wait_for_upload(self) -> None:
        """One file at a time is under way, so that they stay in order, and no more than two are on the disk."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.result()

    def _upload_and_save(self, file: Optional[OpenFile], positions: Mapping[str, Position]) -> None:
        """The file first; only what is uploaded may be behind a cursor."""
        if file is not None:
            file.close()
            self._report.files.append(self._store.upload(file.path, file.begun_at))
        for topic, position in positions.items():
            self._save_cursor(topic, position)

    def _save_cursor(self, topic: str, position: Position) -> None:
        if topic not in self._etags:
            return
        report = self._report.topics[topic]
        cursor = Cursor(self._report.org_id, topic, position)
        try:
            saved = self._store.save_cursor(cursor, self._etags[topic])
        except (
            CollectorError
        ) as error:  # the rows are safe, the next poll reads them once more; the other topics go on
            report.fail(error)
            return
        if saved is None:
            del self._etags[topic]
            report.cursor = "kept"
            log.warning("topic=%s cursor=kept reason=another run was ahead", topic)
        else:
            self._etags[topic] = saved
            report.cursor = "moved"
