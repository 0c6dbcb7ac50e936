"""Runs one poll: reads all topics at the same time and publishes the result.

Each topic has its own thread. Reading a topic from its cursor to the end is called a drain.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Container, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .backlog import HOLD_SECONDS, Bounds
from .drain import FAILED, Beginning, Drain, Outcome, Records, Source
from .errors import CollectorError, SalesforceUnavailableError
from .model.positions import Cursor, Preset
from .model.times import moment_of
from .objects import named_objects
from .publisher import Publisher, Store, leave_polls
from .report import ObjectsOf, Report, TopicReport

log = logging.getLogger(__name__)

# A topic is held (``backlog.py``) if its position is older than this. Salesforce keeps events, and
# accepts their positions, for 72 hours.
HOLD_AFTER = timedelta(hours=24)
WARN_AFTER = timedelta(hours=48)
# How far back EARLIEST surely reaches: the 72 hours, less one for clocks and for the poll itself.
EARLIEST_REACHES = timedelta(hours=71)


class Limits(NamedTuple):
    """Bounds of one poll.

    Attributes:
        run_seconds: time of the whole poll. A part of it is reserved for the last upload.
        idle_seconds: a topic is idle after this many seconds of silence.
        file_rows: maximum rows of an event file.
        hold_seconds: the drain of a held topic ends after this many seconds of silence.
        grace_seconds: how long after its deadline a drain may still end by itself.
    """

    run_seconds: float
    idle_seconds: float
    file_rows: int
    hold_seconds: float = HOLD_SECONDS
    grace_seconds: float = 5.0

    @property
    def drain_seconds(self) -> float:
        """The part of the poll's time in which topics are read."""
        return self.run_seconds - min(60.0, self.run_seconds / 4)


class _Ended(NamedTuple):
    topic: str
    outcome: Outcome


class Collection:
    """One poll of all topics.

    Args:
        source: the Pub/Sub API.
        store: where event files and cursors are kept.
        records: turns events into rows.
        org_id: the org of the topics, 18 characters.
        topics: the names of the topics.
        replay_preset: where a topic's first poll starts.
        limits: the limits of the poll.
        began: when the poll began, on the clock of ``time.monotonic``. The limits count from then,
            so they include the login.
        began_at: the same moment, as UTC text.
        awaited: the topics whose objects are checked after this poll.
        objects: tells the objects of a topic, for ``polls``.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        records: Records,
        org_id: str,
        topics: Sequence[str],
        *,
        replay_preset: Preset,
        limits: Limits,
        began: float,
        began_at: str,
        awaited: Container[str] = (),
        objects: ObjectsOf = named_objects,
    ) -> None:
        self._source = source
        self._store = store
        self._records = records
        self._replay_preset = replay_preset
        self._grace_seconds = limits.grace_seconds
        self._bounds = Bounds(
            began_at, began + limits.drain_seconds, limits.idle_seconds, limits.hold_seconds
        )
        self._awaited = awaited
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._report = Report(
            org_id, {topic: TopicReport(topic) for topic in topics}, began_at, objects=objects
        )
        self._publisher = Publisher(store, limits.file_rows, self._report, self._stop)

    @property
    def report(self) -> Report:
        """The report, which grows while ``run`` works."""
        return self._report

    def run(self) -> Report:
        """Drain the topics, upload the event files, move the cursors. Errors are in the report.

        The last file tells of the poll itself.
        """
        drains = [
            threading.Thread(target=self._drain, args=(topic,), name=f"drain {topic}", daemon=True)
            for topic in self._report.topics
        ]
        try:
            for drain in drains:
                drain.start()
            self._wait_for_drains()
            self._publisher.finish()
            self._publisher.mark_unread()
        except Exception as error:  # noqa: BLE001  (``Report.raise_if_failed`` raises it again)
            self._report.fail(error)
        finally:
            self._stop.set()
            self._publisher.close()
            for drain in drains:
                if drain.is_alive():
                    drain.join(self._grace_seconds / len(drains))
        if self._report.error:
            leave_polls(self._store, self._report)
        return self._report

    def _wait_for_drains(self) -> None:
        """Wait until all drains have ended. A drain that is later than the grace period fails."""
        running = set(self._report.topics)
        while running:
            left = max(self._bounds.deadline - time.monotonic(), 0)
            try:
                ended = self._ended.get(timeout=left + self._grace_seconds)
            except queue.Empty:
                # A slow upload blocks drains. If one of them wrote just now, it was blocked, and
                # others may still be blocked. So they get more time.
                quiet = self._publisher.quiet_seconds()
                self._publisher.raise_if_failed()
                if quiet < self._grace_seconds:
                    continue
                for topic in running:
                    self._note(
                        topic,
                        Outcome(
                            FAILED,
                            SalesforceUnavailableError(
                                f"{topic}: the drain did not stop when the poll's time was up;"
                                " the next poll tries again"
                            ),
                        ),
                    )
                return
            running.discard(ended.topic)
            self._note(ended.topic, ended.outcome)

    def _note(self, topic: str, outcome: Outcome) -> None:
        report = self._report.topics[topic]
        report.end(outcome.why)
        if outcome.error:
            report.fail(outcome.error)

    def _drain(self, topic: str) -> None:
        """Drain one topic. This runs in the topic's thread, and an error fails this topic only."""
        try:
            beginning = self._beginning(topic)._replace(awaited=topic in self._awaited)
            outcome = Drain(
                topic,
                beginning,
                self._source,
                self._records,
                self._publisher.take,
                self._publisher.begin_from_latest,
                self._stop,
                self._bounds,
            ).run()
        except CollectorError as known:
            outcome = Outcome(FAILED, known)
        except Exception as unexpected:
            log.exception("topic=%s unexpected failure", topic)
            outcome = Outcome(FAILED, unexpected)
        self._ended.put(_Ended(topic, outcome))

    def _beginning(self, topic: str) -> Beginning:
        """Decide where to start: at the cursor, or at a preset if no cursor is usable."""
        stored = self._publisher.cursor(topic)
        if stored.unreadable is not None:
            return Beginning(Preset.EARLIEST, hold=True, unreadable=stored.unreadable)
        if stored.cursor is None:
            return Beginning(self._replay_preset, hold=True)
        position = stored.cursor.position
        if position is None:
            return self._beginning_of_unread(stored.cursor)
        if position.at is None:
            return Beginning(position, hold=True)
        age = datetime.now(timezone.utc) - moment_of(position.at)
        if age > WARN_AFTER:
            log.warning(
                "topic=%s cursor_age=%s reason=Salesforce keeps events for 72 hours only",
                topic,
                age,
            )
        # A negative age means that a clock was wrong. The real age is then not known.
        return Beginning(position, hold=not timedelta(0) <= age <= HOLD_AFTER)

    def _beginning_of_unread(self, cursor: Cursor) -> Beginning:
        """Decide where to start a topic that was never read, or that is read again by a replay.

        EARLIEST reads everything since ``tried_at``, unless that is too long ago. LATEST never
        does. If events may be lost, the first position takes a gap with it.
        """
        start = self._replay_preset
        if cursor.begun:
            log.warning(
                "topic=%s start=EARLIEST reason=a replay, or an earlier poll from LATEST that got"
                " no position",
                cursor.topic,
            )
            start = Preset.EARLIEST
        if cursor.tried_at is None:
            return Beginning(start, hold=True)
        # A negative age means that a clock was wrong. The real age is then not known.
        age = datetime.now(timezone.utc) - moment_of(cursor.tried_at)
        reached = start is Preset.EARLIEST and timedelta(0) <= age <= EARLIEST_REACHES
        return Beginning(start, hold=True, unread_since=None if reached else cursor.tried_at)


def not_begun(store: Store, topics: Sequence[str], began_at: str, error: Exception) -> Report:
    """The report of a poll that could not log in. It leaves a file too, if the store takes it.

    Args:
        store: where event files are kept.
        topics: the names of the topics.
        began_at: when the poll began, as UTC text.
        error: why the login failed.
    """
    report = Report(
        "", {topic: TopicReport(topic) for topic in topics}, began_at, objects=named_objects
    )
    report.fail(error)
    leave_polls(store, report)
    return report
