"""Decides how one topic's backlog is read: a state machine without sockets, rows or a clock.

``drain.py`` tells it what happened, with the time of one monotonic clock in seconds, and does what
it says. The rules (``docs/architecture.md``, "The drain"):

- The events under one replay id are a group. A cursor starts *behind* its replay id, so it may only
  stand on a whole group: one that an event with another id follows, or an empty response at the end.
- Whole groups are delivered at once, the last group at the end. A stream that breaks drops its last
  group, which then comes again.
- An empty response that comes sooner than ``idle_seconds`` after the stream was opened may precede
  the backlog, so it proves nothing. A later one, with nothing behind it, is the end: *caught up*.
- A held topic waits ``hold_seconds`` for that, or for an event that was published after the poll
  began. Any other topic is *idle* after ``idle_seconds`` of silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from .errors import AllUndecodableError, SalesforceUnavailableError
from .model import Delivery, Event, Position, Preset, RejectedEvent, Response, Start

HOLD_SECONDS = 285.0  # Salesforce sends an empty response within 270 seconds of silence

CAUGHT_UP, IDLE, DEADLINE = "caught_up", "idle", "deadline"


@dataclass(frozen=True)
class Bounds:
    """The limits of one drain.

    Attributes:
        began_at: when the poll began, UTC text.
        deadline: when to stop, on the monotonic clock.
        idle_seconds: the silence after which a topic is idle.
        hold_seconds: the silence for which a held topic waits.
    """

    began_at: str
    deadline: float
    idle_seconds: float
    hold_seconds: float = HOLD_SECONDS


class End(NamedTuple):
    """The drain is over.

    Attributes:
        why: ``caught_up``, ``idle`` or ``deadline``.
        rest: events that are still to be delivered. The position does not depend on them.
        position: where to move to behind them, None for no further than before.
    """

    why: str
    rest: Sequence[Event]
    position: Optional[Position]


@dataclass
class _Stream:
    """The stream that is open now. Times leave out what was spent on other things than waiting."""

    opened_at: float
    heard_at: float
    received_at: float  # the response that is being worked on
    empty: Optional[Position] = None  # of an empty response that may be the end
    last_group: list[Event] = field(default_factory=list)  # more may follow under its replay id


@dataclass
class _Tally:
    """What has been read in this drain."""

    received: int = 0
    decoded: int = 0
    first_reject: Optional[RejectedEvent] = None
    published_at: Optional[str] = None  # of the last event that told it
    moved: bool = False  # to any position

    @property
    def unreadable(self) -> Optional[RejectedEvent]:
        """The first event, if events came and none of them could become a row or be skipped."""
        return None if self.decoded else self.first_reject


class Backlog:
    """One topic's drain.

    Args:
        start: where to begin.
        bounds: the limits.
        hold: wait until the topic is caught up.

    Attributes:
        resume: where the next stream is to start.
    """

    def __init__(self, start: Start, bounds: Bounds, *, hold: bool) -> None:
        self.resume = start
        self._bounds = bounds
        self._hold = hold
        self._stream: Optional[_Stream] = None
        self._tally = _Tally(published_at=start.at if isinstance(start, Position) else None)
        self._busy = False  # an event from after the poll's beginning was read

    # -- one stream

    def opened(self, now: float) -> None:
        """A stream that starts at ``resume`` was opened."""
        self._stream = _Stream(opened_at=now, heard_at=now, received_at=now)

    def received(self, response: Response, now: float) -> Sequence[Event]:
        """Take a response; returns the events to decode and deliver now, of whole groups."""
        stream = self._open_stream()
        stream.received_at = now
        if response.events:
            stream.empty = None
            events = [*stream.last_group, *response.events]
            whole = len(events) - 1
            while whole and events[whole - 1].replay_id == events[-1].replay_id:
                whole -= 1
            stream.last_group = events[whole:]
            return events[:whole]
        if now - stream.opened_at >= self._bounds.idle_seconds:
            stream.empty = response.position
        return ()

    def decoded(self, events: Sequence[Event], told: Delivery) -> Optional[Position]:
        """Take what the decoding of ``events``, all of whole groups, gave.

        Returns the position to move to once they are uploaded.
        """
        self._count(told)
        self._busy = (told.published_at or "") > self._bounds.began_at
        last = next((event for event in reversed(events) if event.replay_id), None)
        if last is None:
            return None
        return self._move(Position(last.replay_id, self._tally.published_at, last.event_id))

    def suspended(self, seconds: float) -> None:
        """The process stood still for so long, in which nothing could be received.

        That is no silence: the topic is looked at once more.
        """
        stream = self._open_stream()
        stream.opened_at += seconds
        stream.heard_at += seconds

    def patience(self, now: float) -> float:
        """How many seconds to wait for the next response."""
        stream = self._open_stream()
        if stream.empty:
            return 0  # whether anything was received behind it
        return max(min(self._silence_ends(stream), self._bounds.deadline) - now, 0)

    def look(self, now: float, *, silent: bool) -> Optional[End]:
        """Whether the drain is over, asked after each wait for a response.

        Args:
            now: the time.
            silent: nothing was received in that wait. Otherwise silence begins now. The time spent
                on delivering, which may have to wait for an upload, counts neither as silence nor
                for the age of the stream: what was received meanwhile is no later for that.
        """
        stream = self._open_stream()
        if silent and stream.empty:
            return End(CAUGHT_UP, stream.last_group, stream.empty)
        if self._hold and self._busy:
            return End(CAUGHT_UP, stream.last_group, None)
        if now >= self._bounds.deadline:
            return End(DEADLINE, stream.last_group, None)
        if not silent:
            stream.opened_at += now - stream.received_at
            stream.heard_at = now
        elif now >= self._silence_ends(stream):
            return End(IDLE, stream.last_group, None)
        return None

    def ended(self, topic: str, end: End, told: Delivery) -> None:
        """The end was reached, and its rest, which amounts to ``told``, delivered.

        Raises:
            AllUndecodableError: events came, and not one of them could become a row or be skipped.
            SalesforceUnavailableError: a held topic came to no position at all.
        """
        self._count(told)
        if end.position:
            self._move(end.position)
        tally = self._tally
        if reject := tally.unreadable:
            raise AllUndecodableError(
                f"{topic}: none of {tally.received} event(s) could be read. The first, {reject.event_id} with schema "
                f"{reject.schema_id}: {reject.error}. Their bytes are kept as rejected events, and the cursor moves on"
            )
        if self._hold and not tally.moved:
            raise SalesforceUnavailableError(
                f"{topic}: no position came, although Salesforce sends one within 270 seconds of silence. Without one the next "
                "poll may miss events. If this stays, check the network, and that MAX_RUN_SECONDS is at least 400"
            )

    # -- from one stream to the next

    def broken(self) -> None:
        """A stream could not be opened, broke, or its events could not be decoded for now."""
        was_open, self._stream = self._stream is not None, None
        if was_open and self.resume is Preset.LATEST:
            # A second LATEST would be a later one, and what lies between would be lost.
            self.resume = Preset.EARLIEST

    def rejected(self) -> None:
        """Salesforce rejected the position in ``resume``: start over as if there were no cursor."""
        self._tally.published_at = None
        self._busy = False
        self._hold = True
        self.resume = Preset.EARLIEST

    # -- both

    def _open_stream(self) -> _Stream:
        assert self._stream, "opened() comes first"
        return self._stream

    def _silence_ends(self, stream: _Stream) -> float:
        # If all was unreadable so far, its end is worth the wait: the cursor moves behind it, and
        # the topic fails once and not in every poll.
        held = self._hold or self._tally.unreadable
        idle, hold = self._bounds.idle_seconds, self._bounds.hold_seconds
        return stream.heard_at + (max(idle, hold) if held else idle)

    def _move(self, position: Position) -> Position:
        self.resume = position
        self._tally.moved = True
        return position

    def _count(self, told: Delivery) -> None:
        tally = self._tally
        tally.received += told.received
        tally.decoded += told.received - len(told.rejects)
        tally.published_at = told.published_at or tally.published_at
        if told.rejects and not tally.first_reject:
            tally.first_reject = told.rejects[0]
