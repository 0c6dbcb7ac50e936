"""The drain: reads one topic from its cursor to the end.

This module opens streams, renews the session and waits before a retry. ``backlog.py`` decides what
is delivered, where the cursor may move and when the drain is over. ``retries.py`` decides whether
to retry. ``publisher.py`` uploads what is delivered and moves the cursor.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Optional, Protocol

from .backlog import Backlog, Bounds, End
from .errors import CollectorError, EventFieldsError, GapError
from .model.events import Event, Response, Session
from .model.positions import Position, Preset, Start
from .model.rows import Delivery, Gap
from .retries import Retries

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 0.5  # a waiting drain notices within this time that it must stop
SUSPENDED_SECONDS = 2.0  # if a wait ends this much too late, the process was suspended
JITTER = (0.5, 1.0)
FAILED = "failed"


class Stream(Protocol):
    """One open subscription, to use in a ``with`` block."""

    session: Session

    def __enter__(self) -> Stream:
        """Return the stream, which is already open."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Close the stream."""

    def next(self, timeout: float) -> Optional[Response]:
        """The next response. None if no response arrives within ``timeout`` seconds."""


class Source(Protocol):
    """Salesforce's Pub/Sub API."""

    def check_topic(self, topic: str) -> None:
        """Raise an error if this user may not read the topic."""

    def subscribe(self, topic: str, start: Start) -> Stream:
        """Open a stream."""

    def renew(self, expired: Session) -> None:
        """Log in again, unless another topic's thread has already done it."""


class Records(Protocol):
    """Turns events into rows."""

    def read(self, topic: str, events: Sequence[Event]) -> Delivery:
        """The rows and figures of the events."""

    def cursor_gap(
        self,
        topic: str,
        reason: str,
        cursor: Optional[bytes],
        *,
        since: Optional[str],
    ) -> Gap:
        """The gap that an unusable cursor leaves, or a topic that could not be read."""


class Deliver(Protocol):
    """Takes what a drain has read. A call may block, which also slows down the stream."""

    def __call__(
        self, topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str
    ) -> None:
        """Take one delivery.

        ``position`` may become the cursor as soon as this delivery and all earlier ones are
        uploaded.
        """


class Beginning(NamedTuple):
    """Where a drain starts.

    Attributes:
        start: the position, or a preset if there is none.
        hold, awaited: the topic is held or awaited, as ``backlog.py`` explains.
        unreadable: the bytes of the stored cursor, if they could not be read.
        unread_since: since when no poll has read the topic, if events since then may be lost. This
            is UTC text.
    """

    start: Start
    hold: bool = False
    awaited: bool = False
    unreadable: Optional[bytes] = None
    unread_since: Optional[str] = None


class Outcome(NamedTuple):
    """How a drain ended.

    Attributes:
        why: ``caught_up``, ``idle``, ``deadline`` or ``failed``.
        error: what went wrong. None if nothing did.
    """

    why: str
    error: Optional[Exception] = None


class Drain:
    """One topic's drain. Call ``run`` once, in a thread of its own.

    Args:
        topic: the topic's name.
        beginning: where to start.
        source: the Pub/Sub API.
        records: turns events into rows.
        deliver: takes what was read.
        begin_from_latest: called with the topic's name before a stream is opened from LATEST.
        stop: the drain stops as soon as this event is set.
        bounds: the limits of the drain.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        topic: str,
        beginning: Beginning,
        source: Source,
        records: Records,
        deliver: Deliver,
        begin_from_latest: Callable[[str], None],
        stop: threading.Event,
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._source = source
        self._records = records
        self._deliver = deliver
        self._begin_from_latest = begin_from_latest
        self._stop = stop
        self._clock = clock
        self._backlog = Backlog(
            beginning.start, bounds, hold=beginning.hold, awaited=beginning.awaited
        )
        self._retries = Retries(bounds.deadline)
        self._beginning = beginning
        self._gaps: list[Gap] = []  # not delivered yet
        self._unread_since = beginning.unread_since
        self._told: list[str] = []  # what the operator has to know about gaps

    def run(self) -> Outcome:
        """Read the topic until the drain is over. Errors are in the outcome.

        Rows that were delivered before a failure stay delivered. An unusable cursor is an error
        even if the drain then succeeds, because events may be lost and the operator has to know.
        """
        unreadable = self._beginning.unreadable
        if unreadable is not None:
            self._leave_gap(
                "unreadable_cursor", unreadable, None, "the stored cursor cannot be read"
            )
        try:
            why, error = self._follow_streams(), None
        except CollectorError as failure:
            why, error = FAILED, failure
        if told := self._told:
            told += [f"after that: {error.text}"] if error else []
            return Outcome(why, GapError(f"{self._topic}: {'; '.join(told)}"))
        return Outcome(why, error)

    def _follow_streams(self) -> str:
        """Read one stream after another until the drain is over. Returns why it ended."""
        checked = False
        session: Optional[Session] = None
        while not self._stop.is_set():
            try:
                if not checked:
                    self._source.check_topic(self._topic)
                    checked = True
                if self._backlog.resume is Preset.LATEST:
                    self._begin_from_latest(self._topic)
                with self._source.subscribe(self._topic, self._backlog.resume) as stream:
                    session = stream.session
                    end, rest = self._follow(stream)
            except CollectorError as error:
                self._recover(error, session)
                continue
            if end is None:
                break
            self._backlog.ended(self._topic, end, rest)
            return end.why
        return FAILED  # the code that set ``stop`` reports the reason

    def _recover(self, error: CollectorError, session: Optional[Session]) -> None:
        """Prepare the next stream after an error. Raises the error if a retry would not help."""
        start = self._backlog.resume
        retry = self._retries.after(error, start, self._clock())
        if lost := retry.lost:
            self._backlog.rejected()
            self._leave_gap("expired_cursor", lost.replay_id, lost.at, error.text)
        else:
            self._backlog.broken()
            if start is Preset.LATEST and self._backlog.resume is Preset.EARLIEST:
                reason = "the stream from LATEST broke before it sent a position"
                log.warning("topic=%s start=EARLIEST reason=%s", self._topic, reason)
        if retry.renew and session:
            self._source.renew(session)
        self._stop.wait(retry.pause * random.uniform(*JITTER))  # noqa: S311  (no secret)

    def _follow(self, stream: Stream) -> tuple[Optional[End], Delivery]:
        """Read one stream until the drain is over.

        Returns the end and the last delivery, which this method has already handed over. The end is
        None if ``stop`` was set.
        """
        backlog, clock = self._backlog, self._clock
        now, rpc_id = clock(), ""
        backlog.opened(now)
        while not self._stop.is_set():
            timeout = min(backlog.patience(now), LONGEST_WAIT_SECONDS)
            asked_at = now
            response, now = stream.next(timeout), clock()
            if now - asked_at - timeout > SUSPENDED_SECONDS:
                backlog.suspended(now - asked_at - timeout)
            if response:
                rpc_id = response.rpc_id
                if events := backlog.received(response, now):
                    self._take(events, rpc_id)
                now = clock()
            if end := backlog.look(now, silent=not response):
                rest = self._records.read(self._topic, end.rest) if end.rest else Delivery()
                self._hand_over(rest, end.position, rpc_id)
                return end, rest
        return None, Delivery()

    def _take(self, events: Sequence[Event], rpc_id: str) -> None:
        """Read events of whole groups, and hand them over.

        If one of them lacks a field that a setting names, the groups before it are handed over
        first. Otherwise a setting that fits only those would never get past them.
        """
        try:
            delivery = self._records.read(self._topic, events)
        except EventFieldsError:
            groups = [list(it) for _, it in itertools.groupby(events, lambda it: it.replay_id)]
            if len(groups) == 1:
                raise
            for group in groups:
                self._take(group, rpc_id)
            return
        position = self._backlog.decoded(events, delivery)
        if position:
            self._retries.moved()
        self._hand_over(delivery, position, rpc_id)

    def _hand_over(self, delivery: Delivery, position: Optional[Position], rpc_id: str) -> None:
        """Deliver rows and a position. The first position takes the noted gaps with it.

        A gap ends at the first position after it. As long as polls reach no position, no gap is
        stored, and each poll notes a longer one.
        """
        if position and self._unread_since:
            self._leave_gap_of_unread(self._unread_since)
            self._unread_since = None
        if position and self._gaps:
            delivery = delivery._replace(rows=[*self._gaps, *delivery.rows])
            self._gaps = []
        self._deliver(self._topic, delivery, position, rpc_id)

    def _leave_gap_of_unread(self, since: str) -> None:
        """Note the gap of a topic that no poll has read since then. Events are lost only now."""
        self._gaps.append(self._records.cursor_gap(self._topic, "not_readable", None, since=since))
        self._told.append(
            f"no poll could read this topic since {since}, and this is the first one that could."
            " Events since then may be lost. This gap (not_readable) is recorded."
            " To fetch the lost deletes see 'GapError' in docs/operations.md"
        )

    def _leave_gap(self, reason: str, cursor: bytes, since: Optional[str], why: str) -> None:
        """Note a gap. It is stored with the next position."""
        self._gaps.append(self._records.cursor_gap(self._topic, reason, cursor, since=since))
        self._told.append(
            f"{why}; the cursor's time is {since or 'not known'}."
            " The collector starts again from EARLIEST and reads all events that are still there."
            f" Earlier events may be lost. This gap ({reason}) is recorded with the next position."
            " To fetch the lost deletes see 'GapError' in docs/operations.md"
        )
