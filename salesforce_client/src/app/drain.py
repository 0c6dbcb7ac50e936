"""Reads one topic from its cursor until it is caught up: resumes after what was received, renews, retries, gives up in time.

Everything goes to ``deliver`` in the topic's order; what becomes of it, and when the cursor moves, is ``publisher.py``'s.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .deletes import Event, RejectedEvent, cursor_gap
from .errors import (
    AllUndecodableError,
    AuthenticationError,
    CollectorError,
    GapError,
    LimitExceededError,
    ReplayIdRejectedError,
    SalesforceUnavailableError,
    SessionExpiredError,
    TryAgainError,
)
from .interpreter import Delivery, Interpreter, Position
from .pubsub import After, Batch, Preset, PubSub, Start

KEEPALIVE_SECONDS = 285.0  # Salesforce sends one within 270
SETTLE_SECONDS = 2.0  # an empty response may precede more of the backlog
ATTEMPTS_PER_POSITION = 5
POLL_SECONDS = 0.5  # how soon a waiting drain notices that it is to stop
EARLIEST = Preset("EARLIEST")
NOTHING = Batch((), b"", "")


@dataclass(frozen=True)
class Beginning:
    """Where a drain starts.

    Attributes:
        start: the position.
        saved_at: when the cursor was saved, None where there is no cursor.
        hold_for_keepalive: wait for a position even if no event comes: the cursor is old, or there is none to fall back on.
        unreadable: what lay in the cursor's place and could not be read.
    """

    start: Start
    saved_at: str | None = None
    hold_for_keepalive: bool = False
    unreadable: bytes | None = None


@dataclass
class Patience:
    """Decides how long to wait for the next response, and when an empty one has proved to be the end of the backlog.

    Times are seconds of one monotonic clock.
    """

    now: float
    idle_seconds: float
    deadline: float
    hold_for_keepalive: bool
    until: float = field(init=False)
    _had_events: bool = field(default=False, init=False)
    _settled_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._idle_until = self.now + self.idle_seconds
        self.until = self.now + max(self.idle_seconds, KEEPALIVE_SECONDS if self.hold_for_keepalive else 0)

    def heard(self, batch: Batch, now: float) -> None:
        """Take note of a response: events renew the patience, an empty response after events all but ends it."""
        if batch.events:
            self._had_events = True
            self._settled_at = None
            self.until = now + self.idle_seconds
        elif batch.latest_replay_id and self._settled_at is None:  # further keepalives are no reason to stay
            self._settled_at = now + min(SETTLE_SECONDS, self.idle_seconds)
            self.until = self._settled_at if self._had_events else max(self._idle_until, self._settled_at)

    def left(self, now: float) -> float:
        """Seconds until the drain has ended; at or below zero it has."""
        return min(self.until, self.deadline) - now

    def settled(self, now: float) -> bool:
        """Whether no event has followed the last empty response, so that its position leaves nothing out."""
        return self._settled_at is not None and now >= self._settled_at


class Drain:
    """One topic's drain; ``run`` is to be called once, in a thread of its own.

    Args:
        topic: its name.
        beginning: where to start.
        source: the Pub/Sub API.
        interpreter: makes rows of responses.
        deliver: takes what was read; may block, which holds the stream back.
        stop: ends the drain from outside.
        deadline: on ``time.monotonic``'s clock.
        idle_seconds: how long to wait for an event.
    """

    def __init__(
        self,
        topic: str,
        beginning: Beginning,
        source: PubSub,
        interpreter: Interpreter,
        deliver: Callable[[Delivery], None],
        stop: threading.Event,
        deadline: float,
        idle_seconds: float,
    ) -> None:
        self._topic = topic
        self._beginning = beginning
        self._start = beginning.start
        self._source = source
        self._interpreter = interpreter
        self._deliver = deliver
        self._stop = stop
        self._deadline = deadline
        self._idle_seconds = idle_seconds
        self._checked = False
        self._position: Position | None = None  # the last one delivered
        self._undecodable: list[RejectedEvent] = []  # since then
        self._held = NOTHING  # received, but more may follow under the same replay id
        self._held_with_decoded = False  # whether other events of the same response could be decoded
        self._failures = 0  # at the current position
        self._renewed = False
        self._gap: GapError | None = None

    def run(self) -> str:
        """Drain to the end; returns why it ended: ``caught_up``, ``idle`` or ``deadline``.

        Raises:
            GapError: the cursor could not be used; the gap is delivered, and so is everything that is still retained.
            CollectorError: the drain broke off; what was delivered before stands.
        """
        try:
            ended = self._persist()
        except CollectorError as error:
            if self._gap is None:
                raise
            raise GapError(f"{self._gap}; after that: {error}") from error
        if self._gap:
            raise self._gap
        return ended

    def _persist(self) -> str:
        """Follow one stream after the other until one comes to its natural end."""
        if self._beginning.unreadable is not None:
            self._leave_gap("unreadable_cursor", self._beginning.unreadable, "the stored cursor cannot be read")
        while True:
            try:
                if not self._checked:
                    self._source.check_topic(self._topic)
                    self._checked = True
                return self._follow()
            except ReplayIdRejectedError as error:
                if not isinstance(self._start, After) or self._gap:
                    raise
                self._leave_gap("expired_cursor", self._start.replay_id, str(error))
            except SessionExpiredError as error:
                self._renew(error)
            except TryAgainError as error:
                self._wait_before_retry(error)

    def _follow(self) -> str:
        """Read one stream until patience or time runs out."""
        hold = self._position is None and (self._beginning.hold_for_keepalive or self._gap is not None)
        patience = Patience(time.monotonic(), self._idle_seconds, self._deadline, hold)
        keepalive: Position | None = None
        self._held = NOTHING
        with self._source.subscribe(self._topic, self._start) as self._stream:
            while (left := patience.left(time.monotonic())) > 0 and not self._stop.is_set():
                batch = self._stream.next(min(left, POLL_SECONDS))
                if batch:
                    if batch.events:
                        keepalive = None
                        self._take_whole_groups(batch)
                    elif batch.latest_replay_id:
                        received_at = self._interpreter.origin(self._topic).received_at
                        keepalive = Position(batch.latest_replay_id, None, received_at)
                    # Only now: who delivers may have to wait, and what came in meanwhile is not silence.
                    patience.heard(batch, time.monotonic())
                if keepalive and patience.settled(time.monotonic()):
                    self._take_held()
                    if not self._undecodable:
                        self._take(Delivery(self._topic, (), keepalive))
                    keepalive = None
        if patience.until <= min(time.monotonic(), self._deadline):
            self._take_held()
        return self._end(patience, hold=hold)

    def _take_whole_groups(self, batch: Batch) -> None:
        """Hand over all but the last events under one replay id: a cursor in the middle of such a group would lose its rest.

        On an enriched channel of change events, a change of several records comes as single events with one replay id (Salesforce
        "Change Data Capture Developer Guide", "Change Event Enrichment Considerations"). Whether two ids are the same is all that
        is ever asked of them.
        """
        events = [*self._held.events, *batch.events]
        whole = len(events)
        if self._topic.startswith("/data/"):
            whole -= 1
            while whole and events[whole - 1].replay_id == events[-1].replay_id:
                whole -= 1
        with_decoded = self._held_with_decoded and whole == len(self._held.events)
        self._held = Batch(events[whole:], b"", batch.rpc_id)
        self._held_with_decoded = False
        if whole:
            ready = Batch(events[:whole], b"", batch.rpc_id)
            self._take(self._interpreter.delivery(self._topic, ready, with_decoded=with_decoded), ready.events)
            self._held_with_decoded = self._position is not None and not self._undecodable and len(batch.events) > 1

    def _take_held(self) -> None:
        """Hand over the last group, to which nothing has been added for long enough."""
        held, self._held = self._held, NOTHING
        if held.events:
            self._take(self._interpreter.delivery(self._topic, held, with_decoded=self._held_with_decoded))

    def _take(self, delivery: Delivery, events: Sequence[Event] = ()) -> None:
        """Hand over what was read of these events, and go on behind it if the stream has to be opened again."""
        self._deliver(delivery)
        if delivery.position:
            self._position = delivery.position
            self._start = After(delivery.position.replay_id)
            self._failures = 0
            self._undecodable = []
            return
        # A lone event may be a poison of its own: its neighbours tell. Several at once mean that it is us.
        self._undecodable += [row for row in delivery.rows if isinstance(row, RejectedEvent)]
        if len({event.replay_id for event in events}) > 1:
            self._give_up_on_undecodable()

    def _end(self, patience: Patience, *, hold: bool) -> str:
        if self._undecodable:
            self._give_up_on_undecodable()
        now = time.monotonic()
        if hold and self._position is None and not self._stop.is_set():
            raise SalesforceUnavailableError(
                f"{self._topic}: no event and no keepalive within {now - patience.now:.0f} s, and without a position the next "
                "run may miss events; if this stays, check the network and that MAX_RUN_SECONDS is at least 400"
            )
        if now >= self._deadline:
            return "deadline"
        return "caught_up" if patience.settled(now) else "idle"

    def _give_up_on_undecodable(self) -> None:
        first = self._undecodable[0]
        raise AllUndecodableError(
            f"{self._topic}: none of {len(self._undecodable)} events could be decoded, the first ({first.event_id}, schema "
            f"{first.schema_id}) because {first.error}; their bytes are kept as rejected events, the cursor stays before them"
        )

    def _leave_gap(self, reason: str, old_cursor: bytes, why: str) -> None:
        origin = self._interpreter.origin(self._topic)
        gap = cursor_gap(reason, origin, cursor=old_cursor, lost_since=self._beginning.saved_at)
        self._deliver(Delivery(self._topic, [gap], None))
        saved_at = self._beginning.saved_at or "an unknown time"
        self._gap = GapError(
            f"{self._topic}: {why}; its cursor was saved at {saved_at}. What is still retained was read again from EARLIEST, the "
            f"rest is on record ({reason}): see 'gaps' in docs/operations.md"
        )
        self._start = EARLIEST

    def _renew(self, error: SessionExpiredError) -> None:
        """Once: a session that is refused although it is new is a matter for a person."""
        if self._renewed:
            raise AuthenticationError(f"{error} – refused again right after the session was renewed") from None
        self._renewed = True
        self._source.renew(self._stream.session)

    def _wait_before_retry(self, error: TryAgainError) -> None:
        """Back off, with jitter, or raise the error when another attempt has no point or no time."""
        self._failures += 1
        pause = min(2.0**self._failures, 30) * random.uniform(0.25, 0.5)  # noqa: S311  (jitter is no secret)
        hopeless = isinstance(error, LimitExceededError) or self._failures >= ATTEMPTS_PER_POSITION
        if hopeless or time.monotonic() + pause >= self._deadline:
            raise error
        self._stop.wait(pause)
