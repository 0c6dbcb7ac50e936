"""The rules of a drain, each with scripted inputs: no server, no waiting, no clock."""

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
from salesforce_client.src.app.model import (
    Delivery,
    Event,
    Position,
    Preset,
    RejectedEvent,
    Response,
    Start,
)

TOPIC = "/data/AccountChangeEvent"
BEGAN_AT = "2026-02-01T12:00:00.000Z"
BEFORE, AFTER = "2026-02-01T11:00:00.000Z", "2026-02-01T12:00:00.001Z"
BOUNDS = Bounds(BEGAN_AT, deadline=420, idle_seconds=30, hold_seconds=285)
OLD = Position(b"old", "2026-01-31T00:00:00.000Z", "old event")
EMPTY = Position(b"empty", "2026-02-01T12:01:00.000Z", None)


def events(*replay_ids: str) -> list[Event]:
    """An event for each of these replay ids, with ids of their own."""
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
    """What the decoding of so many events gave."""
    event = RejectedEvent("r", TOPIC, reject, b"p", "schema-1", b"", "it does not fit", BEFORE)
    return Delivery((), count, 0, [event] * rejected, published_at)


class Script:
    """Plays a drain against ``Backlog`` as ``drain.py`` does, with what happens given by a test.

    Attributes:
        delivered: replay ids of the events that were delivered, in their order.
        positions: those that were moved to.
    """

    def __init__(self, start: Start = OLD, *, hold: bool = False, bounds: Bounds = BOUNDS) -> None:
        self.backlog = Backlog(start, bounds, hold=hold)
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
        """A response with these events, and how its decoding ended at the time ``until``."""
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
        """An empty response."""
        assert not self.backlog.received(EMPTY_RESPONSE, now)
        return self._look(now, silent=False)

    def wait(self, now: float) -> Script:
        """Nothing is received until now."""
        return self._look(now, silent=True)

    def finish(self, published_at: str | None = BEFORE, rejected: int = 0) -> str:
        """The end's rest is delivered; returns why it is the end."""
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


def test_events_are_delivered_once_an_event_with_another_replay_id_follows() -> None:
    """The last group of a response may go on in the next one."""
    script = Script().hear(1, "a", "b", "b")
    assert script.delivered == ["a"]
    script.hear(2, "b", "c")
    assert script.delivered == ["a", "b", "b", "b"]
    assert [position.replay_id for position in script.positions] == [b"a", b"b"]


def test_a_position_is_that_of_the_last_whole_group_with_its_time_and_event() -> None:
    """They stand in the cursor."""
    script = Script().hear(1, "a", "b", "c")
    assert script.positions == [Position(b"b", BEFORE, "b-1")]
    assert script.backlog.resume == script.positions[-1]


def test_the_time_of_a_position_is_the_last_known_one_if_its_event_does_not_tell() -> None:
    """A gap then begins too early, never too late. Of the first event, the cursor's."""
    script = Script().hear(1, "a", "b", published_at=None)
    assert script.positions[-1].at == OLD.at
    script.hear(2, "c", published_at=BEFORE).hear(3, "d", published_at=None)
    assert [position.at for position in script.positions[1:]] == [BEFORE, BEFORE]


def test_an_event_without_a_replay_id_is_delivered_and_moves_nothing() -> None:
    """No position can be made of it."""
    script = Script().hear(1, "", "a")
    assert script.delivered == [""]
    assert script.positions == []


@pytest.mark.parametrize(("at", "why"), [(420, DEADLINE), (32, IDLE)], ids=["deadline", "idle"])
def test_at_the_end_everything_is_delivered_and_the_position_stays_before_the_last_group(
    at: float, why: str
) -> None:
    """Its rest may still come: a cursor inside a group would lose it."""
    script = Script().hear(1, "a", "b", "b").wait(at)
    assert script.finish() == why
    assert script.delivered == ["a", "b", "b"]
    assert [position.replay_id for position in script.positions] == [b"a"]
    assert script.backlog.resume == script.positions[-1]


def test_an_empty_response_at_the_end_makes_the_last_group_whole() -> None:
    """The cursor moves to its position, which is behind all events."""
    script = Script().hear(1, "a", "b", "b").hear_nothing_but_a_position(61).wait(61)
    assert script.finish() == CAUGHT_UP
    assert script.delivered == ["a", "b", "b"]
    assert script.positions[-1] == EMPTY


def test_a_broken_stream_drops_the_last_group_and_resumes_behind_whole_ones() -> None:
    """It comes again, whole."""
    script = Script().hear(1, "a", "b")
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")
    script.backlog.opened(3)
    script.hear(4, "b", "b", "c")
    assert script.delivered == ["a", "b", "b"]


# -- the end


def test_an_early_empty_response_proves_nothing() -> None:
    """It may precede the backlog: neither an end nor a position."""
    script = Script().hear_nothing_but_a_position(29.9).wait(30.1)
    assert script.end is None
    script.hear(31, "a", "b").wait(61.1)
    assert script.finish() == IDLE
    assert EMPTY not in script.positions


def test_a_late_empty_response_is_the_end_and_gives_the_position() -> None:
    """With nothing received behind it."""
    script = Script().hear_nothing_but_a_position(30)
    assert script.end is None
    assert script.backlog.patience(30) == 0, (
        "what was received behind it is looked at without waiting"
    )
    assert script.wait(30).finish() == CAUGHT_UP
    assert script.positions == [EMPTY]


def test_events_behind_a_late_empty_response_cancel_it() -> None:
    """Its position stands before them; the drain goes on."""
    script = Script().hear_nothing_but_a_position(40).hear(40, "a", "b").wait(41)
    assert script.end is None
    assert script.backlog.patience(41) == 29


def test_whether_an_empty_response_is_early_counts_from_its_own_stream() -> None:
    """Each stream may begin with one."""
    script = Script()
    script.backlog.broken()
    script.backlog.opened(51)
    assert script.hear_nothing_but_a_position(80.9).wait(80.9).end is None
    assert script.hear_nothing_but_a_position(81).wait(81).finish() == CAUGHT_UP


def test_silence_for_idle_seconds_ends_a_topic_that_is_not_held() -> None:
    """Each response begins it anew."""
    script = Script().hear(10, "a")
    assert script.backlog.patience(10) == 30
    assert script.wait(39.9).end is None
    assert script.wait(40).finish() == IDLE


def test_the_time_spent_on_delivering_is_no_silence() -> None:
    """An upload may hold the drain back, and events arrive meanwhile."""
    script = Script().hear(10, "a", "b", until=100)
    assert script.end is None
    assert script.wait(129).end is None
    assert script.wait(130).finish() == IDLE


def test_a_process_that_stood_still_looks_once_more_before_it_concludes_silence() -> None:
    """What was sent meanwhile waits in the socket."""
    script = Script().hear(10, "a")
    script.backlog.suspended(1000)
    assert script.backlog.look(1020, silent=True) == End(DEADLINE, events("a"), None)
    script = Script(bounds=Bounds(BEGAN_AT, 2000, 30)).hear(10, "a")
    script.backlog.suspended(1000)
    assert script.wait(1039).end is None
    assert script.wait(1040).finish() == IDLE


def test_an_empty_response_read_after_a_long_delivery_is_no_later_for_that() -> None:
    """It may have been sent before the backlog: the time of the delivery is no time of waiting."""
    script = Script().hear(0.1, "a", "b", until=45).hear_nothing_but_a_position(45).wait(45)
    assert script.end is None
    assert script.hear_nothing_but_a_position(74.8).wait(74.8).end is None
    assert script.hear_nothing_but_a_position(74.9).wait(74.9).finish() == CAUGHT_UP


def test_an_empty_response_read_after_the_process_stood_still_is_no_later_for_that() -> None:
    """It may be the stream's first."""
    script = Script()
    script.backlog.suspended(100)
    assert script.hear_nothing_but_a_position(101).wait(101).end is None


def test_the_deadline_ends_a_stream_that_never_rests() -> None:
    """Between two responses as well as in silence."""
    script = Script().hear(419, "a")
    assert script.backlog.patience(419) == 1
    script.hear(420, "b")
    assert script.finish() == DEADLINE
    assert Script().wait(420).finish() == DEADLINE


# -- holding


def test_a_held_topic_waits_until_an_empty_response_comes() -> None:
    """Salesforce sends one after 60 to 270 seconds of silence."""
    script = Script(hold=True).hear(10, "a", "b")
    assert script.backlog.patience(10) == 285
    assert script.wait(279).end is None
    assert script.hear_nothing_but_a_position(280).wait(280).finish() == CAUGHT_UP


def test_holding_is_never_shorter_than_idling() -> None:
    """Whatever somebody sets."""
    script = Script(hold=True, bounds=Bounds(BEGAN_AT, 1000, idle_seconds=300)).hear(10, "a")
    assert script.backlog.patience(10) == 300


def test_a_held_topic_is_idle_after_hold_seconds_of_silence() -> None:
    """Longer than Salesforce is ever silent, though it gave a position before."""
    script = Script(hold=True).hear(10, "a", "b")
    assert script.wait(294.9).end is None
    assert script.wait(295).finish() == IDLE


@pytest.mark.parametrize("at", [285, 420])
def test_a_held_topic_without_any_position_is_a_failure(at: float) -> None:
    """The next poll may begin later and miss what lies between: no success."""
    script = Script(Preset.LATEST, hold=True).wait(at)
    with pytest.raises(
        SalesforceUnavailableError, match=f"{TOPIC}: .*no position.*MAX_RUN_SECONDS"
    ):
        script.finish()


def test_a_held_topic_that_shows_an_event_from_after_the_polls_beginning_is_caught_up() -> None:
    """A busy topic never rests. All is delivered; the position is that of the last whole group."""
    script = Script(hold=True).hear(1, "a", "b", published_at=BEGAN_AT)
    assert script.end is None
    script.hear(2, "c", "d", published_at=AFTER)
    assert script.finish() == CAUGHT_UP
    assert script.delivered == ["a", "b", "c", "d"]
    assert script.positions[-1].replay_id == b"c"


def test_a_topic_that_is_not_held_goes_on_behind_such_an_event() -> None:
    """There is nothing to prove, and time to read more."""
    assert Script().hear(1, "a", "b", published_at=AFTER).end is None


# -- what could not be read


def test_events_that_cannot_be_read_move_the_cursor_like_others() -> None:
    """Their bytes are safe."""
    script = Script().hear(1, "a", "b", "c", rejected=2).hear(2, "d").wait(40)
    assert script.finish() == IDLE
    assert [position.replay_id for position in script.positions] == [b"b", b"c"]


def test_a_topic_of_which_nothing_could_be_read_fails_although_its_cursor_moves() -> None:
    """That is hardly the events' fault; the error shows the first one."""
    script = (
        Script()
        .hear(1, "a", "b", rejected=1, published_at=None)
        .hear_nothing_but_a_position(60)
        .wait(60)
    )
    with pytest.raises(
        AllUndecodableError,
        match=r"none of 2 event.*The first, poison with schema schema-1: it does not fit",
    ):
        script.finish(None, rejected=1)
    assert script.positions[-1] == EMPTY


def test_one_event_that_could_be_read_is_enough() -> None:
    """At the end too."""
    script = Script().hear(1, "a", "b", rejected=1).wait(400)
    assert script.finish(rejected=0) == IDLE


def test_while_nothing_could_be_read_the_end_is_waited_for() -> None:
    """So that the cursor moves behind it, and the topic fails once and not in each poll."""
    script = Script().hear(1, "a", "b", rejected=1)
    assert script.wait(100).end is None
    assert script.hear(101, "c").wait(131).finish() == IDLE


def test_a_topic_without_events_is_no_failure() -> None:
    """There was nothing to read."""
    assert Script().wait(30).finish() == IDLE


# -- broken streams


def test_latest_that_was_open_once_is_never_asked_for_again() -> None:
    """A second LATEST is a later one: what was published between the two would be lost."""
    script = Script(Preset.LATEST, hold=True)
    script.backlog.broken()
    assert script.backlog.resume is Preset.EARLIEST


def test_latest_stays_latest_until_its_stream_is_open() -> None:
    """The question whether the topic is there comes before."""
    backlog = Backlog(Preset.LATEST, BOUNDS, hold=True)
    backlog.broken()
    assert backlog.resume is Preset.LATEST


def test_latest_that_broke_behind_a_position_goes_on_there() -> None:
    """Nothing is missing."""
    script = Script(Preset.LATEST, hold=True).hear(1, "a", "b")
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1]


def test_latest_whose_events_could_not_be_decoded_for_now_goes_on_from_earliest() -> None:
    """A schema that cannot be fetched moves nothing, and the events were received already."""
    script = Script(Preset.LATEST, hold=True)
    assert script.backlog.received(response("a", "b"), 1)
    script.backlog.broken()
    assert script.backlog.resume is Preset.EARLIEST


def test_events_that_could_not_be_decoded_for_now_come_again() -> None:
    """The next stream starts before them."""
    script = Script().hear(1, "a", "b")
    assert script.backlog.received(response("c", "d"), 2)
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")


def test_the_rest_that_could_not_be_decoded_for_now_comes_again() -> None:
    """Although the empty response behind it gave a position."""
    script = Script().hear(1, "a", "b").hear_nothing_but_a_position(60).wait(60)
    assert script.end
    script.backlog.broken()
    assert script.backlog.resume == script.positions[-1] == Position(b"a", BEFORE, "a-0")


# -- rejected replay ids


def test_a_rejected_replay_id_leads_to_earliest_and_a_held_topic() -> None:
    """As if there were no cursor."""
    script = Script()
    script.backlog.rejected()
    assert script.backlog.resume is Preset.EARLIEST
    script.backlog.opened(2)
    assert script.backlog.patience(2) == 285


def test_after_a_reset_neither_times_nor_events_from_before_count() -> None:
    """The oldest retained event may be older than what was read."""
    script = Script().hear(1, "a", "b", published_at=AFTER)
    script.backlog.rejected()
    script.backlog.opened(3)
    assert script.hear_nothing_but_a_position(3).end is None, (
        "held, and not caught up by an event of before"
    )
    script.hear(4, "x", "y", published_at=None)
    assert script.positions[-1] == Position(b"x", None, "x-0")


# -- all of them together


class Published(NamedTuple):
    """An event of a random topic; up to four are published at once, under one replay id."""

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
    """What a server sends and when; None is the end of the stream. It may stall, break, and be silent for 270 seconds."""
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
    """One drain; returns where the next one starts."""
    moments = {event.key: event.at for event in topic}
    backlog = Backlog(start, Bounds(f"{now:09.1f}", now + 420, 30, 285), hold=hold)

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
                assert end, "there is nothing to wait for"
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


def test_over_many_polls_of_a_random_topic_nothing_is_lost() -> None:
    """Groups, stalls, breaks, early and late empty responses, and runs that are killed before or after their upload."""
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
