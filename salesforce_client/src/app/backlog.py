"""Decides how one topic's backlog is read. A state machine without sockets, rows or a clock.

``drain.py`` tells the state machine what happened and when, in seconds of one monotonic clock, and
does what the state machine decides. These are the rules (``docs/architecture.md``, "The drain"):

- Events with the same replay id are a *group*. Salesforce starts a stream *after* the cursor's
  replay id, so the cursor may only move to a whole group. A group is whole if an event with another
  replay id follows, or if an empty response ends the drain.
- Whole groups are delivered at once. The last group is delivered at the end. If a stream breaks,
  its last group is dropped, and the next stream receives it again.
- An empty response that arrives sooner than ``idle_seconds`` after the stream was opened proves
  nothing, because the backlog may still follow. If an empty response arrives later and nothing
  follows it, the topic is *caught up*.
- A topic is *held* if the poll must get a new position for it, for example because its cursor is
  old. A held topic waits for an empty response through up to ``hold_seconds`` of silence. It is
  also caught up as soon as the drain has read an event that was published after the poll began.
- A topic whose objects are checked after the poll is *awaited*: the drain waits for it as for a
  held topic. If no empty response arrives, it is idle, and only the check waits for the next poll.
- Any other topic is *idle* after ``idle_seconds`` of silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from .errors import AllUndecodableError, SalesforceUnavailableError
from .model.events import Event, Response
from .model.positions import Position, Preset, Start
from .model.rows import Delivery, RejectedEvent

HOLD_SECONDS = 285.0  # Salesforce sends an empty response within 270 seconds of silence

CAUGHT_UP, IDLE, DEADLINE = "caught_up", "idle", "deadline"


class Bounds(NamedTuple):
    """The limits of one drain.

    Attributes:
        began_at: when the poll began, as UTC text.
        deadline: when to stop, on the monotonic clock.
        idle_seconds: a topic is idle after this many seconds of silence.
        hold_seconds: the drain of a held topic ends after this many seconds of silence.
    """

    began_at: str
    deadline: float
    idle_seconds: float
    hold_seconds: float = HOLD_SECONDS


class End(NamedTuple):
    """The drain is over.

    Attributes:
        why: ``caught_up``, ``idle`` or ``deadline``.
        rest: the events of the last group, to deliver now.
        position: where the cursor moves after ``rest`` is uploaded. None if it does not move.
    """

    why: str
    rest: Sequence[Event]
    position: Optional[Position]


@dataclass
class _Stream:
    """The stream that is open now.

    Only time that was spent on waiting counts as age of the stream or as silence. All other time is
    added to ``opened_at`` and ``heard_at``.
    """

    opened_at: float
    heard_at: float  # when the current silence began
    received_at: float  # when the latest response was received
    empty: Optional[Position] = None  # the position of an empty response that may be the end
    last_group: list[Event] = field(default_factory=list)  # more of its events may follow


@dataclass
class _Tally:
    """What this drain has read so far."""

    received: int = 0
    decoded: int = 0
    first_reject: Optional[RejectedEvent] = None
    published_at: Optional[str] = None  # of the last event that has a publishing time
    moved: bool = False  # the drain has reached a new position

    @property
    def unreadable(self) -> Optional[RejectedEvent]:
        """The first rejected event, if all events so far were rejected. None otherwise."""
        return None if self.decoded else self.first_reject


class Backlog:
    """One topic's drain.

    Args:
        start: where to begin.
        bounds: the limits.
        hold: the topic is held.
        awaited: the topic is awaited.

    Attributes:
        resume: where the next stream starts.
    """

    def __init__(self, start: Start, bounds: Bounds, *, hold: bool, awaited: bool) -> None:
        self.resume = start
        self._bounds = bounds
        self._hold = hold
        self._awaited = awaited
        self._stream: Optional[_Stream] = None
        self._tally = _Tally(published_at=start.at if isinstance(start, Position) else None)
        self._busy = False  # the last decoded event was published after the poll began

    # -- one stream

    def opened(self, now: float) -> None:
        """A stream that starts at ``resume`` was opened."""
        self._stream = _Stream(opened_at=now, heard_at=now, received_at=now)

    def received(self, response: Response, now: float) -> Sequence[Event]:
        """Take a response. Returns the events of whole groups, to decode and deliver now."""
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
        """Take ``told``, the result of decoding ``events``. They are events of whole groups.

        Returns the position that may become the cursor as soon as the events are uploaded.
        """
        self._count(told)
        self._busy = (told.published_at or "") > self._bounds.began_at
        last = next((event for event in reversed(events) if event.replay_id), None)
        if last is None:
            return None
        return self._move(Position(last.replay_id, self._tally.published_at, last.event_id))

    def suspended(self, seconds: float) -> None:
        """The process was suspended for this many seconds and could receive nothing.

        This time does not count as silence, so the drain waits again before it ends.
        """
        stream = self._open_stream()
        stream.opened_at += seconds
        stream.heard_at += seconds

    def patience(self, now: float) -> float:
        """How many seconds to wait for the next response."""
        stream = self._open_stream()
        if stream.empty:
            return 0  # only check whether a response follows the empty one
        return max(min(self._silence_ends(stream), self._bounds.deadline) - now, 0)

    def look(self, now: float, *, silent: bool) -> Optional[End]:
        """Decide whether the drain is over. The drain calls this after each wait for a response.

        Returns None if the drain continues.

        A delivery may have to wait for an upload. That time counts neither as silence nor as age
        of the stream, because responses may have arrived meanwhile.

        Args:
            now: the time. If a response was received, the silence begins now.
            silent: whether the wait ended without a response.
        """
        stream = self._open_stream()
        if silent and stream.empty:
            return End(CAUGHT_UP, stream.last_group, stream.empty)
        if (self._hold or self._awaited) and self._busy:
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
        """The drain is over and its last events are delivered. ``told`` is their result.

        Raises:
            AllUndecodableError: the topic had events, and every one of them was rejected.
            SalesforceUnavailableError: the topic was held, and no position came at all.
        """
        self._count(told)
        if end.position:
            self._move(end.position)
        tally = self._tally
        if reject := tally.unreadable:
            raise AllUndecodableError(
                f"{topic}: none of {tally.received} event(s) could be read. The first is"
                f" {reject.event_id} with schema {reject.schema_id}: {reject.error}."
                " All are kept as rejected events with their bytes, and the cursor moves on."
                " Report this message: see 'AllUndecodableError' in docs/operations.md"
            )
        if self._hold and not tally.moved:
            raise SalesforceUnavailableError(
                f"{topic}: Salesforce sent no position, but it should send one within 270"
                " seconds of silence. If this error stays, check the network and set"
                " MAX_RUN_SECONDS to at least 400"
            )

    # -- from one stream to the next

    def broken(self) -> None:
        """A stream could not be opened, or it broke, or a schema could not be fetched for now."""
        was_open, self._stream = self._stream is not None, None
        if was_open and self.resume is Preset.LATEST:
            # A second LATEST would start later, and the events in between would be lost.
            self.resume = Preset.EARLIEST

    def rejected(self) -> None:
        """Salesforce rejected the position in ``resume``. Hold the topic, start from EARLIEST."""
        self._tally.published_at = None
        self._busy = False
        self._hold = True
        self.resume = Preset.EARLIEST

    # -- both

    def _open_stream(self) -> _Stream:
        assert self._stream, "opened() comes first"
        return self._stream

    def _silence_ends(self, stream: _Stream) -> float:
        # If no event could be read so far, the drain waits as for a held topic. Then the cursor can
        # move past these events, and the topic fails in one poll and not in every poll.
        held = self._hold or self._awaited or self._tally.unreadable
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
