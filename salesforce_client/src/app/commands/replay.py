"""``replay``: read a topic again, if the org's allocation has enough left for it."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from typing import Optional

from ..adapters import App
from ..collect import EARLIEST_REACHES
from ..console import TRY_AGAIN, USAGE, WELL, StoppedError
from ..errors import CollectorError
from ..model.limits import DELIVERIES
from ..model.positions import Cursor, Position, StoredCursor
from ..model.times import is_ahead, moment_of
from ..salesforce.pubsub import PubSub
from ..storage.blobs import blob_name
from .call import Call

HELP = "read a topic again, from the oldest event or from a position in an event file"
EXAMPLE = "replay /event/Delete_Event__e --from EARLIEST"
EARLIEST = "EARLIEST"
RETAINED = timedelta(hours=72)
HOURS = EARLIEST_REACHES // timedelta(hours=1)
NO_CURSOR = StoredCursor(None, None)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("topic", help="one of SALESFORCE_TOPICS")
    parser.add_argument(
        "--from",
        dest="start",
        default=EARLIEST,
        metavar="EARLIEST|FILE",
        help="the oldest event that Salesforce has (EARLIEST), or behind the events of the topic in"
        " this event file",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Move the topic's cursor back. The next poll reads from there, and no row is doubled."""
    topic, start = options.topic, options.start
    with call.app() as app:
        if topic not in app.settings.topics:
            raise StoppedError(
                f"{topic} is not in SALESFORCE_TOPICS, which has {', '.join(app.settings.topics)}",
                USAGE,
            )
        position = None if start == EARLIEST else _position(app, start, topic)
        with app.source() as source:
            org_id = source.session.org_id
            cost = _cost(app, topic, None if start == EARLIEST else start)
            left = _left(app, source, call)
        cursors = app.cursors()
        stored = cursors.load(org_id, topic) if cursors.exists() else NO_CURSOR
        moved = moved_back(topic, stored, position)
        known = "an unknown number" if left is None else f"{left:,}"
        call.console.line(f"about {cost:,} events of {topic} will be delivered again")
        call.console.line(f"{known} of the org's deliveries are left for 24 hours")
        if left is not None and cost > left:
            raise StoppedError(
                f"{topic}: the replay would cost about {cost:,} deliveries, but only {left:,} are"
                " left. Nothing was changed: try again when more are left, or replay from a newer"
                " event file",
                TRY_AGAIN,
            )
        call.console.confirm(f"Let the next poll read {topic} from {start}?")
        if cursors.save(moved, stored.etag) is None:
            raise StoppedError(
                f"{topic}: a poll has just moved the cursor. Nothing was changed: run the command"
                " again after the poll",
                TRY_AGAIN,
            )
    call.console.line(f"the next poll reads {topic} from {start}")
    call.console.result(
        {"exit_code": WELL, "topic": topic, "from": start, "cost": cost, "left": left}
    )
    return WELL


def moved_back(topic: str, stored: StoredCursor, position: Optional[Position]) -> Cursor:
    """The cursor that takes the place of the stored one. It hides no gap.

    Args:
        topic: the topic.
        stored: what is stored for the topic.
        position: where the next poll begins. None for EARLIEST: the cursor then keeps the time up
            to which the topic was read, so that the next poll records what it cannot reach.

    Raises:
        StoppedError: only a poll can find out whether events are lost.
    """
    old = stored.cursor
    if stored.etag is None:
        raise StoppedError(
            f"{topic} has no cursor yet, so no poll has read it: the first poll starts where"
            " SALESFORCE_REPLAY_PRESET says",
            USAGE,
        )
    if old is None:
        raise StoppedError(
            f"{topic}: its cursor cannot be read, so events may be lost. Nothing was changed: run a"
            " poll first. It starts from EARLIEST and records the gap",
            USAGE,
        )
    read_until = old.position.at if old.position else old.tried_at
    if old.position and (read_until is None or is_ahead(_age_seconds(read_until))):
        time, first = "not known", "run a poll first"
        if read_until:
            time, first = "in the future", "check this machine's clock, and run a poll first"
        raise StoppedError(
            f"{topic}: the time of its cursor is {time}, so events may be lost. Nothing was"
            f" changed: {first}. It finds out, and records the gap if there is one",
            USAGE,
        )
    if position is None:
        return Cursor(old.org_id, topic, None, tried_at=read_until)
    if old.position is None or _is_old(old.position):
        raise StoppedError(
            f"{topic}: its cursor has no position, or one that is over {HOURS} hours old, so events"
            " may be lost. Nothing was changed: run a poll first. It records the gap, if any",
            USAGE,
        )
    return Cursor(old.org_id, topic, position)


def _is_old(position: Position) -> bool:
    """Whether Salesforce may no longer accept the position. One without a time counts as old."""
    if position.at is None:
        return True
    return _age_seconds(position.at) > EARLIEST_REACHES.total_seconds()


def _age_seconds(at: str) -> float:
    return (datetime.now(timezone.utc) - moment_of(at)).total_seconds()


def _position(app: App, name: str, topic: str) -> Position:
    """The position in an event file."""
    files = app.past_files()
    if not files.exists() or name not in files.names():
        raise StoppedError(
            f"{name} is not an event file in container {app.settings.events_container}: write"
            " EARLIEST or a name such as events_20260131T120000Z.db",
            USAGE,
        )
    position = files.last_position(name, topic)
    if position is None:
        raise StoppedError(
            f"{name} has fewer than two events of {topic}, so it names no position: choose another"
            " file, or EARLIEST",
            USAGE,
        )
    if _is_old(position):
        raise StoppedError(
            f"{name}: its position is of {position.at or 'an unknown time'}. Salesforce accepts"
            " positions for 72 hours, and one of them is for the next poll: write EARLIEST",
            USAGE,
        )
    return position


def _cost(app: App, topic: str, file: Optional[str]) -> int:
    """About how many events a replay delivers: those that polls have read since this file.

    Events that no poll has read yet would be delivered anyway. Without a file, the polls of the
    last 72 hours count.
    """
    files = app.past_files()
    after = file or blob_name(datetime.now(timezone.utc) - RETAINED)
    polls = files.polls_after(after) if files.exists() else ()
    return sum(it.received for it in polls if it.topic == topic)


def _left(app: App, source: PubSub, call: Call) -> Optional[int]:
    """How many deliveries are left. None if the user may not see that."""
    try:
        limit = app.limits(source).get(DELIVERIES)
    except CollectorError as error:
        call.console.note(f"what is left of the allocation is not known: {error}")
        return None
    return limit.left if limit else None
