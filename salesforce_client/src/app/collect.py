"""The use case: drain every topic side by side, each in a thread of its own, and have what they deliver published."""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from .drain import EARLIEST, Beginning, Drain
from .errors import CollectorError, SalesforceUnavailableError
from .interpreter import Interpreter
from .publisher import Publisher, Store
from .pubsub import After, Preset, PubSub
from .report import Report, TopicReport
from .storage import parse

log = logging.getLogger(__name__)

REFRESH_CURSOR_AFTER = timedelta(hours=24)  # events are kept for 72 hours, and so is a cursor's meaning
GRACE_SECONDS = 5.0  # for a drain to notice its deadline
WARN_ABOUT_CURSOR_AFTER = timedelta(hours=48)


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
        self._replay_preset = replay_preset
        self._idle_seconds = limits.idle_seconds
        self._deadline = began + limits.drain_seconds
        self._interpreter = Interpreter(source, source.session.org_id, event_fields)
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._stop = threading.Event()
        self.report = Report(source.session.org_id, {topic: TopicReport(topic) for topic in topics})
        self._publisher = Publisher(store, folder, limits.file_rows, self.report, self._stop)

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
            self._publisher.finish()
        finally:
            self._stop.set()
            self._publisher.close()
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
                quiet = self._publisher.quiet_seconds()  # who has just written may have waited for an upload, as others still do
                self._publisher.raise_if_failed()
                if quiet < GRACE_SECONDS:
                    continue
                for topic in running:
                    error = SalesforceUnavailableError(f"{topic}: still busy after the run's time was up")
                    self.report.topics[topic].fail(error)
                return
            self._publisher.raise_if_failed()
            running.discard(ended.topic)
            self.report.topics[ended.topic].ended = ended.why
            if ended.error:
                self.report.topics[ended.topic].fail(ended.error)

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
                self._publisher.take,
                self._stop,
                self._deadline,
                self._idle_seconds,
            ).run()
        except CollectorError as known:
            error = known
        except Exception as unexpected:
            log.exception("topic=%s unexpected failure", topic)
            error = unexpected
        self._ended.put(_Ended(topic, ended, error))

    def _beginning(self, topic: str) -> Beginning:
        """Where to start: after the cursor, or where a topic's first run starts."""
        stored = self._publisher.cursor(topic)
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
