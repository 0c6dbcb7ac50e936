"""A drain on scripted streams, with a clock that the test moves: no server, no waiting."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Optional, Union

import pytest

from salesforce_client.src.app.backlog import Bounds
from salesforce_client.src.app.drain import Beginning, Drain, Outcome
from salesforce_client.src.app.errors import (
    AllUndecodableError,
    AuthenticationError,
    GapError,
    LimitExceededError,
    ReplayIdRejectedError,
    SalesforceUnavailableError,
    SessionExpiredError,
    TopicError,
)
from salesforce_client.src.app.model.events import Event, Response, Session
from salesforce_client.src.app.model.positions import Position, Preset, Start
from salesforce_client.src.app.model.rows import Delivery, Gap, RejectedEvent

TOPIC = "/data/AccountChangeEvent"
BEGAN_AT = "2026-02-01T12:00:00.000Z"
CURSOR = Position(b"cursor", "2026-02-01T11:30:00.000Z", "e0")
EMPTY = Position(b"empty", "2026-02-01T12:01:00.000Z", None)
Item = Union[Response, Exception, float]


class Clock:
    """A clock in seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The current time."""
        return self.now


class Streams:
    """A Pub/Sub API of scripted streams.

    A number in a stream is a wait of that many seconds, whatever timeout the drain passes.
    After its last item a stream is silent.

    Attributes:
        starts: where each stream was requested to start.
        sessions: the session of each stream. A login makes a new session.
        asked_for: how often the topic was checked.
    """

    def __init__(
        self, clock: Clock, *streams: Sequence[Item], topic_errors: Sequence[Exception] = ()
    ) -> None:
        self._clock = clock
        self._streams = deque(deque(items) for items in streams)
        self._topic_errors = deque(topic_errors)
        self._items: deque[Item] = deque()
        self.session = Session("token 0", "https://x.my.salesforce.com", "00D")
        self.starts: list[Start] = []
        self.sessions: list[Session] = []
        self.asked_for = 0

    def check_topic(self, _: str) -> None:
        """Raise the next scripted error, if there is one."""
        self.asked_for += 1
        if self._topic_errors:
            raise self._topic_errors.popleft()

    def renew(self, expired: Session) -> None:
        """Replace that session with a new one."""
        assert expired is self.session
        self.session = Session(f"token {len(self.starts)}", expired.instance_url, expired.org_id)

    def subscribe(self, _: str, start: Start) -> Streams:
        """Open the next stream."""
        self.starts.append(start)
        self.sessions.append(self.session)
        self._items = self._streams.popleft() if self._streams else deque()
        return self

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def next(self, timeout: float) -> Optional[Response]:
        """Return or raise the next item of the stream, or wait."""
        item = self._items.popleft() if self._items else timeout
        if isinstance(item, Exception):
            raise item
        if isinstance(item, Response):
            return item
        # Time moves on, however short the timeout is.
        self._clock.now = round(self._clock.now + item + 5e-7, 6)
        return None


class Decoding:
    """Counts events instead of making rows. First it raises its errors, one at each call."""

    def __init__(self, *errors: Exception, unreadable: bool = False) -> None:
        self.errors = deque(errors)
        self._unreadable = unreadable

    def read(self, topic: str, events: Sequence[Event]) -> Delivery:
        """Count the events as deletes, or as rejected events if they are unreadable."""
        if self.errors:
            raise self.errors.popleft()
        if self._unreadable:
            rejects = [
                RejectedEvent("r", topic, event.event_id, b"", "s", b"", "unreadable", BEGAN_AT)
                for event in events
            ]
            return Delivery(rejects, len(events), 0, rejects, None)
        return Delivery((), len(events), 0, (), "2026-02-01T11:59:00.000Z")

    def cursor_gap(
        self,
        topic: str,
        reason: str,
        cursor: Optional[bytes],
        *,
        since: Optional[str],
    ) -> Gap:
        """A gap that shows the arguments."""
        return Gap("gap", topic, reason, None, cursor, since, None, BEGAN_AT)


class Stop(threading.Event):
    """A stop signal. Waiting for it takes no real time, but moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Move the clock, and return at once."""
        self._clock.now += timeout or 0
        return self.is_set()


class Run:
    """A drain and its result.

    Attributes:
        taken: for each delivery, the number of events, the gaps, and the position's replay id.
        begun: for each beginning from LATEST, how many streams had been opened before it.
    """

    def __init__(
        self,
        streams: Streams,
        clock: Clock,
        beginning: Beginning = Beginning(CURSOR),  # noqa: B008  (frozen)
        decoding: Optional[Decoding] = None,
        deliver_seconds: float = 0,
        deadline: float = 1420,
    ) -> None:
        self.taken: list[tuple[int, list[Gap], Optional[bytes]]] = []
        stop = Stop(clock)

        def deliver(
            topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str
        ) -> None:
            assert topic == TOPIC
            clock.now += deliver_seconds
            gaps = [row for row in delivery.rows if isinstance(row, Gap)]
            self.taken.append((delivery.received, gaps, position and position.replay_id))
            self.rpc_id = rpc_id

        bounds = Bounds(BEGAN_AT, deadline, idle_seconds=30)
        self.begun: list[int] = []

        def begin(topic: str) -> None:
            assert topic == TOPIC
            self.begun.append(len(streams.starts))

        drain = Drain(
            TOPIC, beginning, streams, decoding or Decoding(), deliver, begin, stop, bounds, clock
        )
        self.outcome: Outcome = drain.run()


def response(*replay_ids: str) -> Response:
    return Response(
        [Event(f"e{replay_id}", "s", b"", replay_id.encode()) for replay_id in replay_ids],
        None,
        "rpc 1",
    )


def quiet(seconds: int) -> list[float]:
    """Silence of this length, in the half-second waits of a drain."""
    return [0.5] * (2 * seconds)


EMPTY_RESPONSE = Response([], EMPTY, "rpc 2")
UNAVAILABLE = SalesforceUnavailableError("the stream broke")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_backlog_is_delivered_with_its_positions_up_to_the_end(clock: Clock) -> None:
    """The stream starts from the cursor."""
    streams = Streams(
        clock, [response("1", "2", "2"), response("2", "3"), *quiet(60), EMPTY_RESPONSE]
    )
    run = Run(streams, clock, Beginning(CURSOR, hold=True))
    assert run.outcome == Outcome("caught_up")
    assert run.taken == [(1, [], b"1"), (3, [], b"2"), (1, [], b"empty")]
    assert streams.starts == [CURSOR]
    assert run.rpc_id == "rpc 2"


def test_events_that_arrive_during_a_slow_delivery_are_read_before_the_topic_is_idle(
    clock: Clock,
) -> None:
    """In this test, these events are the rest of a group under one replay id."""
    streams = Streams(clock, [response("1", "2"), 0.5, response("2", "3"), 0.5, response("3", "4")])
    run = Run(streams, clock, deliver_seconds=100)
    assert run.taken == [(1, [], b"1"), (2, [], b"2"), (2, [], b"3"), (1, [], None)]
    assert run.outcome == Outcome("idle")


def test_after_a_suspension_the_drain_reads_on_before_the_topic_is_idle(clock: Clock) -> None:
    """The drain notices a suspension because a wait of half a second took ten minutes."""
    streams = Streams(clock, [response("1", "2"), 600.0, 0.5, response("3")])
    run = Run(streams, clock, deadline=3000)
    assert run.taken == [(1, [], b"1"), (1, [], b"2"), (1, [], None)]
    assert run.outcome == Outcome("idle")


def test_silence_begins_after_a_delivery(clock: Clock) -> None:
    """The time of a delivery is not silence, even if it is short."""
    Run(Streams(clock, [response("1", "2")]), clock, deliver_seconds=1.9)
    assert clock.now >= 1000 + 1.9 + 30 + 1.9


def test_a_slow_delivery_does_not_make_an_empty_response_late(
    clock: Clock,
) -> None:
    """Salesforce may have sent that response before the backlog.

    Its position would skip the backlog.
    """
    streams = Streams(clock, [response("1", "2"), EMPTY_RESPONSE, 0.5, response("3", "4")])
    run = Run(streams, clock, deliver_seconds=100)
    assert run.outcome == Outcome("idle")
    assert b"empty" not in [position for _, _, position in run.taken]
    assert sum(count for count, _, _ in run.taken) == 4


def test_a_wait_that_takes_slightly_too_long_is_no_suspension(clock: Clock) -> None:
    """If such a wait counted as a suspension, a drain on a busy machine would never end."""
    streams = Streams(clock, [1.5] * 20)
    Run(streams, clock)
    assert clock.now < 1000 + 32


def test_after_a_broken_stream_the_drain_resumes_behind_the_last_whole_group(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The next stream brings the last group again. The session stays the same."""
    streams = Streams(clock, [response("1", "2"), UNAVAILABLE], [response("2", "2", "3")])
    run = Run(streams, clock)
    assert [start.replay_id for start in streams.starts if isinstance(start, Position)] == [
        b"cursor",
        b"1",
    ]
    assert run.taken == [(1, [], b"1"), (2, [], b"2"), (1, [], None)]
    assert run.outcome == Outcome("idle")
    assert {session.access_token for session in streams.sessions} == {"token 0"}
    assert "start=EARLIEST" not in caplog.text


def test_a_lasting_failure_ends_the_drain_but_delivered_events_stay_delivered(clock: Clock) -> None:
    """The drain makes five attempts at one position, with longer and longer pauses.

    It checks the topic only once.
    """
    streams = Streams(clock, [response("1", "2"), UNAVAILABLE], *[[UNAVAILABLE]] * 10)
    run = Run(streams, clock)
    assert run.outcome == Outcome("failed", UNAVAILABLE)
    assert run.taken == [(1, [], b"1")]
    assert len(streams.starts) == 5, "the first stream, whose position moved, and four retries"
    assert streams.asked_for == 1
    assert 1000 + (1 + 2 + 4 + 8) / 2 <= clock.now <= 1000 + 1 + 2 + 4 + 8 + 1


def test_the_check_of_a_topic_is_retried_if_unavailable_but_not_if_forbidden(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The check comes before any stream is opened, so a retry may still start from LATEST."""
    streams = Streams(clock, [*quiet(60), EMPTY_RESPONSE], topic_errors=[UNAVAILABLE, UNAVAILABLE])
    assert Run(streams, clock, Beginning(Preset.LATEST, hold=True)).outcome == Outcome("caught_up")
    assert streams.starts == [Preset.LATEST]
    assert "start=EARLIEST" not in caplog.text
    forbidden = TopicError("no")
    streams = Streams(clock, topic_errors=[forbidden])
    assert Run(streams, clock).outcome == Outcome("failed", forbidden)
    assert streams.starts == []


def test_latest_that_breaks_continues_from_earliest_and_logs_it_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The drain also begins the topic from LATEST only once."""
    caplog.set_level(logging.WARNING)
    streams = Streams(
        clock, [UNAVAILABLE], [UNAVAILABLE], [response("1"), *quiet(60), EMPTY_RESPONSE]
    )
    run = Run(streams, clock, Beginning(Preset.LATEST, hold=True))
    assert run.outcome == Outcome("caught_up")
    assert streams.starts == [Preset.LATEST, Preset.EARLIEST, Preset.EARLIEST]
    assert run.begun == [0]
    assert caplog.text.count(f"topic={TOPIC} start=EARLIEST reason=") == 1


@pytest.mark.parametrize("error", [UNAVAILABLE, SessionExpiredError("expired")])
def test_events_whose_schema_cannot_be_fetched_yet_move_no_cursor_and_are_read_again(
    clock: Clock, error: Exception
) -> None:
    """The rule holds for events within a stream and for the last events of a drain."""
    streams = Streams(clock, [response("1", "2")], [response("1", "2")])
    run = Run(streams, clock, decoding=Decoding(error))
    assert streams.starts == [CURSOR, CURSOR]
    assert run.taken == [(1, [], b"1"), (1, [], None)]
    assert run.outcome == Outcome("idle")
    streams = Streams(
        clock,
        [response("1"), *quiet(60), EMPTY_RESPONSE],
        [response("1"), *quiet(60), EMPTY_RESPONSE],
    )
    run = Run(streams, clock, Beginning(CURSOR, hold=True), Decoding(error), deadline=5000)
    assert streams.starts == [CURSOR, CURSOR]
    assert run.taken == [(1, [], b"empty")]


def test_an_expired_session_is_renewed_as_long_as_there_is_progress(clock: Clock) -> None:
    """Each stream is opened with the newest session. Without progress the drain fails."""
    expired = SessionExpiredError("expired")
    streams = Streams(
        clock, [response("1", "2"), expired], [response("2", "3"), expired], [expired], [expired]
    )
    run = Run(streams, clock)
    assert [session.access_token for session in streams.sessions] == [
        "token 0",
        "token 1",
        "token 2",
    ]
    assert isinstance(run.outcome.error, AuthenticationError)
    assert run.taken == [(1, [], b"1"), (1, [], b"2")]


def test_events_without_a_replay_id_are_no_progress(clock: Clock) -> None:
    """An event without a replay id moves no position.

    If it counted as progress, the drain could renew the session without end.
    """
    expired = SessionExpiredError("expired")
    ending: list[Item] = [response("", "1"), expired]
    run = Run(Streams(clock, [expired], *[ending] * 5), clock)
    assert isinstance(run.outcome.error, AuthenticationError)
    assert run.taken == [(1, [], None)]


def test_a_rejected_replay_id_leaves_a_gap_and_retained_events_are_read_again(clock: Clock) -> None:
    """The rest succeeds, but the outcome is an error, because a person must know about the gap."""
    streams = Streams(
        clock, [ReplayIdRejectedError("corrupted")], [response("1"), *quiet(60), EMPTY_RESPONSE]
    )
    run = Run(streams, clock, Beginning(CURSOR))
    gap = Gap("gap", TOPIC, "expired_cursor", None, b"cursor", CURSOR.at, None, BEGAN_AT)
    assert run.taken == [(1, [gap], b"empty")]
    assert streams.starts == [CURSOR, Preset.EARLIEST]
    assert run.outcome.why == "caught_up"
    assert isinstance(run.outcome.error, GapError)
    assert f"corrupted; the cursor's time is {CURSOR.at}" in str(run.outcome.error)
    assert "after that" not in str(run.outcome.error)


def test_a_second_rejected_replay_id_ends_the_drain_and_both_are_reported(clock: Clock) -> None:
    """The drain does not start from EARLIEST again."""
    rejected = ReplayIdRejectedError("corrupted")
    streams = Streams(clock, [rejected], [response("1", "2"), UNAVAILABLE], [rejected])
    run = Run(streams, clock)
    assert run.outcome.why == "failed"
    assert isinstance(run.outcome.error, GapError)
    assert "after that: corrupted" in str(run.outcome.error)
    assert [(bool(gaps), position) for _, gaps, position in run.taken] == [(True, b"1")]


def test_a_gap_is_recorded_once_with_the_first_position_behind_it(clock: Clock) -> None:
    """The gap grows until the drain reaches a position.

    If it reaches none, it records no gap, because the recorded gap would end too early.
    """
    rejected = ReplayIdRejectedError("corrupted")
    streams = Streams(clock, [rejected], [LimitExceededError("used up")])
    run = Run(streams, clock)
    assert run.taken == []
    assert str(run.outcome.error).endswith("; after that: used up")
    run = Run(Streams(clock, [rejected], [response("1")]), clock, deadline=5000)
    assert run.taken == [(1, [], None)]
    streams = Streams(clock, [rejected], [response("1"), response("2"), response("3")])
    run = Run(streams, clock, deadline=5000)
    assert [(len(gaps), position) for _, gaps, position in run.taken] == [
        (1, b"1"),
        (0, b"2"),
        (0, None),
    ]


def test_an_unreadable_cursor_leaves_a_gap_with_its_bytes(clock: Clock) -> None:
    """The replay id of the cursor and the beginning of the gap are not known."""
    streams = Streams(clock, [*quiet(60), EMPTY_RESPONSE])
    run = Run(streams, clock, Beginning(Preset.EARLIEST, hold=True, unreadable=b"{"))
    ((_, [gap], position),) = run.taken
    assert position == b"empty"
    assert (gap.reason, gap.from_replay_id, gap.from_time) == ("unreadable_cursor", b"{", None)
    assert isinstance(run.outcome.error, GapError)
    assert "the cursor's time is not known" in str(run.outcome.error)


SINCE = "2026-01-20T00:00:00.000Z"


def test_the_gap_of_a_topic_that_could_not_be_read_comes_with_its_first_position(
    clock: Clock,
) -> None:
    """It is recorded once, and the operator learns that events may be lost."""
    streams = Streams(clock, [response("1"), response("2"), *quiet(60), EMPTY_RESPONSE])
    run = Run(streams, clock, Beginning(Preset.EARLIEST, hold=True, unread_since=SINCE))
    gap = Gap("gap", TOPIC, "not_readable", None, None, SINCE, None, BEGAN_AT)
    assert run.taken == [(1, [gap], b"1"), (1, [], b"empty")]
    assert isinstance(run.outcome.error, GapError)
    assert str(run.outcome.error) == (
        f"{TOPIC}: no poll could read this topic since {SINCE}, and this is the first one that"
        " could. Events since then may be lost. This gap (not_readable) is recorded."
        " To fetch the lost deletes see 'GapError' in docs/operations.md"
    )


def test_a_topic_that_still_cannot_be_read_fails_with_the_reason(clock: Clock) -> None:
    """The gap is not over, so there is nothing to record yet."""
    denied = TopicError("no rights")
    run = Run(
        Streams(clock, topic_errors=[denied]),
        clock,
        Beginning(Preset.EARLIEST, hold=True, unread_since=SINCE),
    )
    assert (run.taken, run.outcome) == ([], Outcome("failed", denied))


def test_a_topic_fails_if_none_of_its_events_can_be_read_but_its_cursor_moves(clock: Clock) -> None:
    """The topic fails only once.

    The drain waits until the cursor can move behind all these events.
    """
    streams = Streams(clock, [response("1", "2"), *quiet(200), EMPTY_RESPONSE])
    run = Run(streams, clock, decoding=Decoding(unreadable=True))
    assert run.taken == [(1, [], b"1"), (1, [], b"empty")]
    assert run.outcome.why == "failed"
    assert isinstance(run.outcome.error, AllUndecodableError)


def test_a_held_topic_without_a_position_is_not_retried(clock: Clock) -> None:
    """The drain has already waited for 285 seconds."""
    streams = Streams(clock)
    run = Run(streams, clock, Beginning(Preset.LATEST, hold=True))
    assert isinstance(run.outcome.error, SalesforceUnavailableError)
    assert len(streams.starts) == 1
    assert 1285 <= clock.now < 1290


def test_a_drain_that_is_stopped_before_a_retry_opens_no_other_stream(clock: Clock) -> None:
    """The stop signal means that the poll is over."""

    class StoppedMeanwhile(Stop):
        """A stop signal that is set during the first wait."""

        def wait(self, timeout: Optional[float] = None) -> bool:
            """Set the signal, then wait."""
            self.set()
            return super().wait(timeout)

    streams = Streams(clock, [UNAVAILABLE], [response("1", "2")])
    stop, bounds = StoppedMeanwhile(clock), Bounds(BEGAN_AT, 1420, idle_seconds=30)

    def deliver(topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str) -> None:
        pytest.fail("nothing is delivered")

    drain = Drain(
        TOPIC, Beginning(CURSOR), streams, Decoding(), deliver, print, stop, bounds, clock
    )
    assert drain.run() == Outcome("failed")
    assert len(streams.starts) == 1


def test_a_stopped_drain_fails_without_an_error_of_its_own(clock: Clock) -> None:
    """The code that stopped the drain reports the reason."""
    streams = Streams(clock, [response("1", "2"), response("3", "4")])
    stop = threading.Event()

    def deliver(topic: str, delivery: Delivery, position: Optional[Position], rpc_id: str) -> None:
        stop.set()

    bounds = Bounds(BEGAN_AT, 1420, idle_seconds=30)
    drain = Drain(
        TOPIC, Beginning(CURSOR), streams, Decoding(), deliver, print, stop, bounds, clock
    )
    assert drain.run() == Outcome("failed")
