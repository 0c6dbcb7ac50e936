"""The rules of a drain, tested with scripted inputs: no server, no waiting, no clock."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from salesforce_client.src.app.backlog import (
    CAUGHT_UP,
    DEADLINE,
    IDLE,
    Backlog,
    Bounds,
    End,
)
from salesforce_client.src.app.errors import AllUndecodableError, SalesforceUnavailableError
from salesforce_client.src.app.model.events import Event, Response
from salesforce_client.src.app.model.positions import Position, Preset, Start
from salesforce_client.src.app.model.rows import Delivery, RejectedEvent

TOPIC = "/data/AccountChangeEvent"
BEGAN_AT = "2026-02-01T12:00:00.000Z"
BEFORE, AFTER = "2026-02-01T11:00:00.000Z", "2026-02-01T12:00:00.001Z"
BOUNDS = Bounds(BEGAN_AT, deadline=420, idle_seconds=30, hold_seconds=285)
OLD = Position(b"old", "2026-01-31T00:00:00.000Z", "old event")
EMPTY = Position(b"empty", "2026-02-01T12:01:00.000Z", None)


def events(*replay_ids: str) -> list[Event]:
    """One event for each of these replay ids. Each event has an id of its own."""
    return [
        Event(f"{replay_id}-{place}", "s", b"", replay_id.encode())
        for place, replay_id in enumerate(replay_ids)
    ]


def response(*replay_ids: str) -> Response:
    return Response(events(*replay_ids), None, "rpc")


EMPTY_RESPONSE = Response([], EMPTY, "rpc")


def told(
    count: int, published_at: str | None = BEFORE, rejected: int = 0, reject: str = "poison"
) -> Delivery:
    """The result of decoding ``count`` events."""
    event = RejectedEvent("r", TOPIC, reject, b"p", "schema-1", b"", "it does not fit", BEFORE)
    return Delivery((), count, 0, [event] * rejected, published_at)


class Script:
    """Drives a ``Backlog`` as ``drain.py`` does. A test says what happens.

    Attributes:
        delivered: the replay ids of the delivered events, in order.
        positions: the positions that the drain moved to, in order.
    """

    def __init__(
        self,
        start: Start = OLD,
        *,
        hold: bool = False,
        awaited: bool = False,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self.backlog = Backlog(start, bounds, hold=hold, awaited=awaited)
        self.delivered: list[str] = []
        self.positions: list[Position] = []
        self.end: End | None = None
        self.backlog.opened(0)

    def hear(
        self,
        now: float,
        *replay_ids: str,
        published_at: str | None = BEFORE,
        rejected: int = 0,
        until: float | None = None,
    ) -> Script:
        """Receive these events at ``now``. Decoding and delivering them ends at ``until``."""
        whole = self.backlog.received(response(*replay_ids), now)
        if whole:
            self._deliver(whole)
            position = self.backlog.decoded(
                whole, told(len(whole), published_at, min(rejected, len(whole)))
            )
            if position:
                self.positions.append(position)
        return self._look(now if until is None else until, silent=False)

    def hear_nothing_but_a_position(self, now: float) -> Script:
        """Receive an empty response."""
        assert not self.backlog.received(EMPTY_RESPONSE, now)
        return self._look(now, silent=False)

    def wait(self, now: float) -> Script:
        """Receive nothing until ``now``."""
        return self._look(now, silent=True)

    def finish(self, published_at: str | None = BEFORE, rejected: int = 0) -> str:
        """Deliver the remaining events, and return why the drain ended."""
        assert self.end
        self._deliver(self.end.rest)
        if self.end.position:
            self.positions.append(self.end.position)
        rest = told(
            len(self.end.rest), published_at if self.end.rest else None, rejected, "another poison"
        )
        self.backlog.ended(TOPIC, self.end, rest)
        return self.end.why

    def _look(self, now: float, *, silent: bool) -> Script:
        self.end = self.backlog.look(now, silent=silent)
        return self

    def _deliver(self, some: Sequence[Event]) -> None:
        self.delivered += [event.replay_id.decode() for event in some]


# -- whole groups


def test_a_group_is_delivered_when_an_event_with_another_replay_id_follows() -> None:
    """The last group of a response may continue in the next response."""
    script = Script().hear(1, "a", "b", "b")
    assert script.delivered == ["a"]
    script.hear(2, "b", "c")
    assert script.delivered == ["a", "b", "b", "b"]
    assert [position.replay_id for position in script.positions] == [b"a", b"b"]


def test_the_position_is_that_of_the_last_whole_group() -> None:
    """The position has the publishing time and the id of the group's last event.

    The cursor stores both.
    """
    script = Script().hear(1, "a", "b", "c")
    assert script.positions == [Position(b"b", BEFORE, "b-1")]
    assert script.backlog.resume == script.positions[-1]


def test_a_position_without_a_time_of_its_own_takes_the_last_known_time() -> None:
    """At first, the last known time is that of the cursor.

    A gap may begin too early, but never too late.
    """
    script = Script().hear(1, "a", "b", published_at=None)
    assert script.positions[-1].at == OLD.at
    script.hear(2, "c", published_at=BEFORE).hear(3, "d", published_at=None)
    assert [position.at for position in script.positions[1:]] == [BEFORE, BEFORE]


def test_an_event_without_a_replay_id_is_delivered_but_moves_no_position() -> None:
    """A position needs a replay id."""
    script = Script().hear(1, "", "a")
    assert script.delivered == [""]
    assert script.positions == []


@pytest.mark.parametrize(("at", "why"), [(420, DEADLINE), (32, IDLE)], ids=["deadline", "idle"])
def test_the_last_group_is_delivered_but_the_position_stays_before_it(at: float, why: str) -> None:
    """The rule holds at the deadline and when the topic is idle.

    More events of that group may follow, and a position behind the group would lose them.
    """
    script = Script().hear(1, "a", "b", "b").wait(at)
    assert script.finish() == why
    assert script.delivered == ["a", "b", "b"]
    assert [position.replay_id for position in script.positions] == [b"a"]
    assert script.backlog.resume == script.positions[-1]


def test_an_empty_response_at_the_end_makes_the_last_group_whole() -> None:
    """The cursor moves to the position of the empty response, which is behind all events."""
    script = Script().hear(1, "a", "b", "b").hear_nothing_but_a_position(61).wait(61)
    assert script.finish() == CAUGHT_UP
    assert script.delivered == ["a", "b", "b"]
    assert script.positions[-1] == script.backlog.resume == EMPTY


def test_after_a_broken_stream_the_last_group_is_read_again() -> None:
    """The drain drops what it has of the group, and the next stream brings the whole group."""
    script = Script().hear(1, "a", "b")
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")
    script.backlog.opened(3)
    script.hear(4, "b", "b", "c")
    assert script.delivered == ["a", "b", "b"]


# -- the end


def test_an_early_empty_response_proves_nothing() -> None:
    """An early empty response may come before the backlog.

    So it does not end the drain, and its position is not used.
    """
    script = Script().hear_nothing_but_a_position(29.9).wait(30.1)
    assert script.end is None
    script.hear(31, "a", "b").wait(61.1)
    assert script.finish() == IDLE
    assert EMPTY not in script.positions


def test_a_late_empty_response_with_nothing_behind_it_ends_the_drain() -> None:
    """The cursor moves to the position of that response."""
    script = Script().hear_nothing_but_a_position(30)
    assert script.end is None
    assert script.backlog.patience(30) == 0, "whether anything follows is checked without waiting"
    assert script.wait(30).finish() == CAUGHT_UP
    assert script.positions == [EMPTY]


def test_events_after_a_late_empty_response_cancel_it() -> None:
    """The position of that response is before these events, so the drain continues."""
    script = Script().hear_nothing_but_a_position(40).hear(40, "a", "b").wait(41)
    assert script.end is None
    assert script.backlog.patience(41) == 29


def test_an_empty_response_is_early_or_late_by_the_age_of_its_own_stream() -> None:
    """Each stream may begin with an early empty response."""
    script = Script()
    script.backlog.broken()
    script.backlog.opened(51)
    assert script.hear_nothing_but_a_position(80.9).wait(80.9).end is None
    assert script.hear_nothing_but_a_position(81).wait(81).finish() == CAUGHT_UP


def test_silence_for_idle_seconds_ends_a_topic_that_is_not_held() -> None:
    """Each response starts the count again."""
    script = Script().hear(10, "a")
    assert script.backlog.patience(10) == 30
    assert script.wait(39.9).end is None
    assert script.wait(40).finish() == IDLE


def test_the_time_that_a_delivery_takes_is_not_silence() -> None:
    """A delivery may wait for an upload, and events may arrive meanwhile."""
    script = Script().hear(10, "a", "b", until=100)
    assert script.end is None
    assert script.wait(129).end is None
    assert script.wait(130).finish() == IDLE


def test_after_a_suspension_the_drain_waits_again_before_the_topic_is_idle() -> None:
    """Events that were sent during the suspension wait in the socket.

    The deadline does not move.
    """
    script = Script().hear(10, "a")
    script.backlog.suspended(1000)
    assert script.backlog.look(1020, silent=True) == End(DEADLINE, events("a"), None)
    script = Script(bounds=Bounds(BEGAN_AT, 2000, 30)).hear(10, "a")
    script.backlog.suspended(1000)
    assert script.wait(1039).end is None
    assert script.wait(1040).finish() == IDLE


def test_a_long_delivery_does_not_make_an_empty_response_late() -> None:
    """Salesforce may have sent that response before the backlog.

    So the age of a stream does not include the time of deliveries.
    """
    script = Script().hear(0.1, "a", "b", until=45).hear_nothing_but_a_position(45).wait(45)
    assert script.end is None
    assert script.hear_nothing_but_a_position(74.8).wait(74.8).end is None
    assert script.hear_nothing_but_a_position(74.9).wait(74.9).finish() == CAUGHT_UP


def test_a_suspension_does_not_make_an_empty_response_late() -> None:
    """That response may be the first one of the stream.

    So the age of a stream does not include suspensions.
    """
    script = Script()
    script.backlog.suspended(100)
    script.backlog.suspended(20)
    assert script.hear_nothing_but_a_position(149).wait(149).end is None
    assert script.hear_nothing_but_a_position(150).wait(150).finish() == CAUGHT_UP


def test_the_deadline_ends_the_drain() -> None:
    """The drain ends at the deadline both right after a response and during silence."""
    script = Script().hear(419, "a")
    assert script.backlog.patience(419) == 1
    script.hear(420, "b")
    assert script.finish() == DEADLINE
    assert Script().wait(420).finish() == DEADLINE


@pytest.mark.parametrize("now", [30, 31, 420, 500])
def test_the_drain_does_not_wait_after_the_silence_or_the_deadline_has_passed(now: float) -> None:
    """A delivery may end after that moment. The drain then takes only what has already arrived."""
    assert Script().backlog.patience(now) == 0


# -- holding


def test_a_held_topic_waits_for_an_empty_response() -> None:
    """Salesforce sends an empty response after 60 to 270 seconds of silence."""
    script = Script(hold=True).hear(10, "a", "b")
    assert script.backlog.patience(10) == 285
    assert script.wait(279).end is None
    assert script.hear_nothing_but_a_position(280).wait(280).finish() == CAUGHT_UP


def test_a_held_topic_waits_at_least_idle_seconds() -> None:
    """Here ``idle_seconds`` is longer than ``hold_seconds``."""
    script = Script(hold=True, bounds=Bounds(BEGAN_AT, 1000, idle_seconds=300)).hear(10, "a")
    assert script.backlog.patience(10) == 300


def test_a_held_topic_is_idle_after_hold_seconds_of_silence() -> None:
    """Salesforce is never silent for so long.

    The topic does not fail, as it has reached a position.
    """
    script = Script(hold=True).hear(10, "a", "b")
    assert script.wait(294.9).end is None
    assert script.wait(295).finish() == IDLE


@pytest.mark.parametrize("at", [285, 420])
def test_a_held_topic_that_reaches_no_position_fails(at: float) -> None:
    """Its cursor would grow older with each poll, until Salesforce no longer accepts it."""
    script = Script(Preset.LATEST, hold=True).wait(at)
    with pytest.raises(SalesforceUnavailableError) as raised:
        script.finish()
    assert raised.value.text == (
        "/data/AccountChangeEvent: Salesforce sent no position, but it should send one within 270"
        " seconds of silence. If this error stays, check the network and set MAX_RUN_SECONDS to"
        " at least 400"
    )


def test_a_held_topic_is_caught_up_at_an_event_published_after_the_poll_began() -> None:
    """A busy topic is never silent.

    All events are delivered, and the position is that of the last whole group.
    """
    script = Script(hold=True).hear(1, "a", "b", published_at=BEGAN_AT)
    assert script.end is None
    script.hear(2, "c", "d", published_at=AFTER)
    assert script.finish() == CAUGHT_UP
    assert script.delivered == ["a", "b", "c", "d"]
    assert script.positions[-1].replay_id == b"c"


def test_an_awaited_topic_waits_like_a_held_one() -> None:
    """A check of its objects needs to know that every event before the poll was read."""
    script = Script(awaited=True).hear(10, "a", "b")
    assert script.backlog.patience(10) == 285
    assert script.hear_nothing_but_a_position(280).wait(280).finish() == CAUGHT_UP


def test_a_busy_awaited_topic_is_caught_up_at_an_event_published_after_the_poll_began() -> None:
    """It is never silent, and would otherwise never be checked."""
    script = Script(awaited=True).hear(1, "a", "b", published_at=AFTER)
    assert script.finish() == CAUGHT_UP


def test_an_awaited_topic_that_reaches_no_position_does_not_fail() -> None:
    """Its cursor is fresh, so only the check must wait for the next poll."""
    assert Script(Preset.LATEST, awaited=True).wait(285).finish() == IDLE
    assert Script(Preset.LATEST, awaited=True).wait(420).finish() == DEADLINE


def test_a_held_topic_is_not_caught_up_by_an_event_without_a_publishing_time() -> None:
    """The event may be an old one."""
    assert Script(hold=True).hear(1, "a", "b", published_at=None).end is None


def test_a_topic_that_is_not_held_continues_after_an_event_published_after_the_poll_began() -> None:
    """Such an event ends only the drain of a held topic. Any other drain has time to read more."""
    assert Script().hear(1, "a", "b", published_at=AFTER).end is None


# -- events that cannot be read


def test_rejected_events_move_the_cursor_like_other_events() -> None:
    """The event file keeps the bytes of rejected events."""
    script = Script().hear(1, "a", "b", "c", rejected=2).hear(2, "d").wait(40)
    assert script.finish() == IDLE
    assert [position.replay_id for position in script.positions] == [b"b", b"c"]


def test_a_topic_fails_if_none_of_its_events_can_be_read_but_its_cursor_moves() -> None:
    """The events themselves are probably not the cause. The error names the first event."""
    script = (
        Script()
        .hear(1, "a", "b", rejected=1, published_at=None)
        .hear_nothing_but_a_position(60)
        .wait(60)
    )
    with pytest.raises(AllUndecodableError) as raised:
        script.finish(None, rejected=1)
    assert raised.value.text == (
        "/data/AccountChangeEvent: none of 2 event(s) could be read. The first is poison with"
        " schema schema-1: it does not fit. All are kept as rejected events with their bytes, and"
        " the cursor moves on."
        " Report this message: see 'AllUndecodableError' in docs/operations.md"
    )
    assert script.positions[-1] == EMPTY


def test_a_topic_does_not_fail_if_one_event_can_be_read() -> None:
    """The readable event may be the last one or the first one."""
    script = Script().hear(1, "a", "b", rejected=1).wait(400)
    assert script.finish(rejected=0) == IDLE
    script = Script().hear(1, "a", "b").hear(2, "c", "d", rejected=2).wait(400)
    assert script.finish(rejected=1) == IDLE


def test_a_topic_is_held_while_none_of_its_events_can_be_read() -> None:
    """The drain waits until the cursor can move behind all of these events.

    So the topic fails once and not in each poll.
    """
    script = Script().hear(1, "a", "b", rejected=1)
    assert script.wait(100).end is None
    assert script.hear(101, "c").wait(131).finish() == IDLE


def test_a_topic_without_events_does_not_fail() -> None:
    """There was nothing to read."""
    assert Script().wait(30).finish() == IDLE


# -- broken streams


def test_latest_is_not_requested_again_after_its_stream_was_open() -> None:
    """A second LATEST starts later. Events published between the two would be lost."""
    script = Script(Preset.LATEST, hold=True)
    script.backlog.broken()
    assert script.backlog.resume is Preset.EARLIEST


def test_latest_stays_latest_until_its_stream_is_open() -> None:
    """Before it opens the stream, the drain checks the topic, and the check may fail."""
    backlog = Backlog(Preset.LATEST, BOUNDS, hold=True, awaited=False)
    backlog.broken()
    assert backlog.resume is Preset.LATEST


def test_latest_that_breaks_after_a_position_resumes_from_that_position() -> None:
    """No event is missing."""
    script = Script(Preset.LATEST, hold=True).hear(1, "a", "b")
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1]


def test_latest_continues_from_earliest_if_its_events_cannot_be_decoded_yet() -> None:
    """The schema cannot be fetched for now.

    Without it the position does not move, although the events were received.
    """
    script = Script(Preset.LATEST, hold=True)
    assert script.backlog.received(response("a", "b"), 1)
    script.backlog.broken()
    assert script.backlog.resume is Preset.EARLIEST


def test_events_that_cannot_be_decoded_yet_are_read_again() -> None:
    """The next stream starts before these events."""
    script = Script().hear(1, "a", "b")
    assert script.backlog.received(response("c", "d"), 2)
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")


def test_the_last_group_is_read_again_if_it_cannot_be_decoded_yet() -> None:
    """The position of the empty response behind the group is not used."""
    script = Script().hear(1, "a", "b").hear_nothing_but_a_position(60).wait(60)
    assert script.end
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")


# -- rejected replay ids


def test_after_a_rejected_replay_id_the_topic_starts_from_earliest_and_is_held() -> None:
    """The drain treats the topic like one without a cursor."""
    script = Script()
    script.backlog.rejected()
    assert script.backlog.resume is Preset.EARLIEST
    script.backlog.opened(2)
    assert script.backlog.patience(2) == 285


def test_after_a_reset_earlier_times_and_events_do_not_count() -> None:
    """The oldest retained event may be older than the events that were read before."""
    script = Script().hear(1, "a", "b", published_at=AFTER)
    script.backlog.rejected()
    script.backlog.opened(3)
    assert script.hear_nothing_but_a_position(3).end is None, (
        "held, and not caught up by an event from before the reset"
    )
    script.hear(4, "x", "y", published_at=None)
    assert script.positions[-1] == Position(b"x", None, "x-0")


# -- all rules together


class Published(NamedTuple):
    """An event of a random topic. Up to four are published at once, under one replay id."""

    at: float
    replay_id: str
    key: str


def history(chance: random.Random) -> list[Published]:
    at, number = 0.0, 0
    found: list[Published] = []
    for _ in range(chance.randint(1, 40)):
        at += chance.choice((1, 20, 50, 400, 3000))
        number += chance.choice((1, 3))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            found.append(Published(at, f"{number:04}", f"key{len(found)}"))
    return found


def served(
    topic: Sequence[Published], start: Start, now: float, chance: random.Random
) -> Iterator[tuple[float, Response | None]]:
    """Yield what a server sends and when.

    None ends the stream. The server may stall, break, or be silent for 270 seconds.
    """
    behind = start.replay_id.decode() if isinstance(start, Position) else ""
    waiting = [event for event in topic if event.replay_id > behind]

    def empty() -> Response:
        tip = max([behind, *(event.replay_id for event in topic if event.at <= now)])
        return Response([], Position(tip.encode(), f"{now:09.1f}", None) if tip else None, "")

    if chance.random() < 0.5:
        yield now, empty()
    heard_at = now
    while True:
        if chance.random() < 0.03:
            yield now + 1, None
            return
        if waiting and waiting[0].at <= now:
            now += chance.choice((0.1, 0.1, 5, 40))
            due = [event for event in waiting if event.at <= now][: chance.choice((1, 2, 3, 50))]
            waiting = waiting[len(due) :]
            yield (
                now,
                Response(
                    [Event(event.key, "s", b"", event.replay_id.encode()) for event in due],
                    None,
                    "",
                ),
            )
            heard_at = now
            continue
        empty_at = heard_at + chance.choice((60, 120, 270))
        if waiting and waiting[0].at <= empty_at:
            now = max(now, waiting[0].at)
        else:
            now = heard_at = max(now, empty_at)
            yield now, empty()


def poll(
    topic: Sequence[Published],
    start: Start,
    now: float,
    chance: random.Random,
    *,
    hold: bool,
    rows: set[str],
) -> Start:
    """Run one drain, and return where the next one starts."""
    moments = {event.key: event.at for event in topic}
    bounds = Bounds(f"{now:09.1f}", now + 420, 30, 285)
    backlog = Backlog(start, bounds, hold=hold, awaited=False)

    def deliver(some: Sequence[Event]) -> Delivery:
        rows.update(event.event_id for event in some)
        return Delivery(
            (), len(some), 0, (), f"{moments[some[-1].event_id]:09.1f}" if some else None
        )

    while True:
        backlog.opened(now)
        for at, received in served(topic, backlog.resume, now, chance):
            end = None
            if at > now + backlog.patience(now):
                now += backlog.patience(now)
                end = backlog.look(now, silent=True)
                assert end, "no more waiting, so this is the end"
            else:
                now = at
                if received is None:
                    break
                if some := backlog.received(received, now):
                    start = backlog.decoded(some, deliver(some)) or start
                end = backlog.look(now, silent=False)
            if end:
                deliver(end.rest)
                return end.position or start
        backlog.broken()
        now += 1


def test_many_polls_of_a_random_topic_lose_no_event() -> None:
    """There are groups, stalls, broken streams, and early and late empty responses.

    Some runs are killed before or after their upload.
    """
    for seed in range(500):
        chance = random.Random(seed)
        topic, now, rows = history(chance), 1800.0, set[str]()
        cursor: Start = Preset.EARLIEST
        while now < topic[-1].at + 4 * 1800:
            last = now >= topic[-1].at + 2 * 1800
            uploaded: set[str] = set()
            found = poll(
                topic, cursor, now, chance, hold=last or chance.random() < 0.3, rows=uploaded
            )
            fate = chance.random()
            if last or fate > 0.1:  # else killed before the upload
                rows |= uploaded
            if last or fate > 0.2:  # else killed before the cursor moved
                cursor = found
            now += 1800
        assert rows == {event.key for event in topic}, f"seed {seed}"
