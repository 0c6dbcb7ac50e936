"""The use case: drain every topic side by side, write what they deliver, upload it, and only then move the cursors.

The order is the promise: event file closed and flushed → uploaded under a free name → cursor moved if nobody else has. A
crash between any two steps repeats work; it never loses a row, and the rows' keys keep it from doubling one.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from .drain import EARLIEST, Beginning, Drain
from .errors import CollectorError, SalesforceUnavailableError
from .event_file import EventFile
from .interpreter import Delivery, Interpreter, Position
from .pubsub import After, Preset, PubSub
from .report import Report, TopicReport
from .storage import Cursor, StoredCursor, parse

log = logging.getLogger(__name__)

REFRESH_CURSOR_AFTER = timedelta(hours=24)  # events are kept for 72 hours, and so is a cursor's meaning
GRACE_SECONDS = 5.0  # for a drain to notice its deadline
WARN_ABOUT_CURSOR_AFTER = timedelta(hours=48)


class Store(Protocol):
    """Where event files and cursors are kept."""

    def upload(self, path: Path, begun_at: datetime) -> str:
        """Upload under a free name, which is returned."""

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """What is stored for the topic."""

    def save_cursor(self, cursor: Cursor, etag: str | None) -> str | None:
        """Replace that version; None where another run was ahead."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one run. Times are seconds; a part of the run's time is kept back for the last upload."""

    run_seconds: float
    idle_seconds: float
    file_rows: int

    @property
    def drain_seconds(self) -> float:
        """How long topics may be drained."""
        return self.run_seconds - min(60.0, self.run_seconds / 4)


@dataclass(frozen=True)
class _Ended:
    topic: str
    why: str
    error: Exception | None


class Collection:
    """One run over all topics.

    Args:
        source: the Pub/Sub API.
        store: where event files and cursors are kept.
        folder: where event files are written before they are uploaded.
        topics: their names.
        replay_preset: where a topic's first run starts, ``EARLIEST`` or ``LATEST``.
        event_fields: as in ``deletes.interpret``.
        limits: bounds of the run.
        began: when the run began, on ``time.monotonic``'s clock; what came before the drain counts.
    """

    def __init__(
        self,
        source: PubSub,
        store: Store,
        folder: Path,
        topics: Sequence[str],
        *,
        replay_preset: str,
        event_fields: Mapping[str, str],
        limits: Limits,
        began: float,
    ) -> None:
        self._source = source
        self._store = store
        self._folder = folder
        self._replay_preset = replay_preset
        self._limits = limits
        self._deadline = began + limits.drain_seconds
        self._org_id = source.session.org_id
        self._interpreter = Interpreter(source, self._org_id, event_fields)
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._writing = threading.Lock()  # around the file and the positions, which all drains add to
        self._failure: Exception | None = None  # of writing or uploading, which ends the run
        self._wrote_at = began
        self._file: EventFile | None = None
        self._positions: dict[str, Position] = {}  # delivered, not yet saved
        self._uploader = ThreadPoolExecutor(1, "upload")
        self._upload: Future[None] | None = None
        self._etags: dict[str, str | None] = {}  # of the cursors as this run last saw them; absent: another run is ahead
        self.report = Report(self._org_id, {topic: TopicReport(topic) for topic in topics})

    def run(self) -> Report:
        """Drain, write, upload, commit.

        Raises:
            StorageUnavailableError, StorageRefusedError: an event file could not be uploaded; no cursor has moved past it.
        """
        drains = [
            threading.Thread(target=self._drain, args=(topic,), name=f"drain {topic}", daemon=True)
            for topic in self.report.topics
        ]
        for drain in drains:
            drain.start()
        try:
            self._wait_for_drains()
            self._stop.set()
            with self._writing:
                self._raise_if_failed()
                self._publish()
            self._wait_for_upload()
        finally:
            self._stop.set()
            self._uploader.shutdown()
            with self._writing:
                if self._file is not None:
                    self._file.abandon()
            for drain in drains:
                drain.join(GRACE_SECONDS / len(drains))
        return self.report

    def _wait_for_drains(self) -> None:
        """Until all have ended or should have."""
        running = set(self.report.topics)
        while running:
            try:
                ended = self._ended.get(timeout=max(self._deadline - time.monotonic(), 0) + GRACE_SECONDS)
            except queue.Empty:
                with self._writing:  # whoever has just written may have waited for a slow upload, as others still do
                    quiet = time.monotonic() - self._wrote_at
                self._raise_if_failed()
                if quiet < GRACE_SECONDS:
                    continue
                for topic in running:
                    self._fail(topic, SalesforceUnavailableError(f"{topic}: still busy after the run's time was up"))
                return
            self._raise_if_failed()
            running.discard(ended.topic)
            self.report.topics[ended.topic].ended = ended.why
            if ended.error:
                self._fail(ended.topic, ended.error)

    def _raise_if_failed(self) -> None:
        """Nothing may be published behind rows that could not be written or uploaded."""
        if self._failure:
            raise self._failure

    def _fail(self, topic: str, error: Exception) -> None:
        """Note a topic's failure; of several the first counts."""
        self.report.topics[topic].error = self.report.topics[topic].error or error

    def _take(self, delivery: Delivery) -> None:
        """Write what a drain delivers, on its own thread; where that fails, the run is over."""
        with self._writing:
            if self._stop.is_set():
                return
            try:
                self._write(delivery)
                if self._upload and self._upload.done():
                    self._wait_for_upload()  # a failed one need not wait for the next file to be noticed
            except Exception as error:  # noqa: BLE001  (whatever it is, it is raised again where the run is waited for)
                self._failure = error
                self._stop.set()
            self._wrote_at = time.monotonic()

    def _write(self, delivery: Delivery) -> None:
        if delivery.rows:
            if self._file is None:
                begun_at = datetime.now(timezone.utc)
                self._file = EventFile(self._folder / f"{begun_at:%Y%m%dT%H%M%S%f}.db", begun_at)
            self._file.add(delivery.rows)
        if delivery.position:
            self._positions[delivery.topic] = delivery.position
        self.report.topics[delivery.topic].count(delivery)
        if self._file and self._file.rows >= self._limits.file_rows:
            self._publish()

    def _publish(self) -> None:
        """Have the file, if there is one, closed and uploaded, and its positions saved, while the next one is being filled."""
        self._wait_for_upload()
        file, self._file = self._file, None
        positions, self._positions = self._positions, {}
        self._upload = self._uploader.submit(self._upload_and_save, file, positions)

    def _wait_for_upload(self) -> None:
        """One file at a time is under way, so that they stay in order, and no more than two lie on the disk."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.result()

    def _upload_and_save(self, file: EventFile | None, positions: Mapping[str, Position]) -> None:
        """The file first; only what is uploaded may be behind a cursor."""
        if file is not None:
            file.close()
            self.report.files.append(self._store.upload(file.path, file.begun_at))
            file.path.unlink()
        for topic, position in positions.items():
            self._save_cursor(topic, position)

    def _save_cursor(self, topic: str, position: Position) -> None:
        if topic not in self._etags:
            return
        cursor = Cursor(self._org_id, topic, position.replay_id, position.event_id, position.received_at, position.source)
        try:
            saved = self._store.save_cursor(cursor, self._etags[topic])
        except CollectorError as error:  # the rows are safe, the next run reads them once more; the other topics go on
            self._fail(topic, error)
            return
        if saved is None:
            del self._etags[topic]
            self.report.topics[topic].cursor = "kept"
            log.warning("topic=%s cursor=kept reason=another run was ahead", topic)
        else:
            self._etags[topic] = saved
            self.report.topics[topic].cursor = "moved"

    def _drain(self, topic: str) -> None:
        """A topic's thread. Whatever goes wrong here is this topic's failure and no other's."""
        error: Exception | None = None
        ended = "failed"
        try:
            ended = Drain(
                topic,
                self._beginning(topic),
                self._source,
                self._interpreter,
                self._take,
                self._stop,
                self._deadline,
                self._limits.idle_seconds,
            ).run()
        except CollectorError as known:
            error = known
        except Exception as unexpected:
            log.exception("topic=%s unexpected failure", topic)
            error = unexpected
        self._ended.put(_Ended(topic, ended, error))

    def _beginning(self, topic: str) -> Beginning:
        """Where to start: after the cursor, or where a topic's first run starts."""
        stored = self._store.load_cursor(self._org_id, topic)
        self._etags[topic] = stored.etag
        if stored.unreadable is not None:
            return Beginning(EARLIEST, hold_for_keepalive=True, unreadable=stored.unreadable)
        if stored.cursor is None:
            # From LATEST without any position, the next run would start from a later LATEST and miss what lies between.
            return Beginning(Preset(self._replay_preset), hold_for_keepalive=self._replay_preset == "LATEST")
        age = datetime.now(timezone.utc) - parse(stored.cursor.saved_at)
        if age > WARN_ABOUT_CURSOR_AFTER:
            log.warning("topic=%s cursor_age=%s reason=Salesforce keeps events for 72 hours only", topic, age)
        return Beginning(After(stored.cursor.replay_id), stored.cursor.saved_at, hold_for_keepalive=age > REFRESH_CURSOR_AFTER)


def collect(
    source: PubSub,
    store: Store,
    topics: Sequence[str],
    *,
    replay_preset: str,
    event_fields: Mapping[str, str],
    limits: Limits,
    began: float,
) -> Report:
    """Run once over ``topics``; see ``Collection``."""
    with tempfile.TemporaryDirectory(prefix="events-") as folder:
        return Collection(
            source,
            store,
            Path(folder),
            topics,
            replay_preset=replay_preset,
            event_fields=event_fields,
            limits=limits,
            began=began,
        ).run()
