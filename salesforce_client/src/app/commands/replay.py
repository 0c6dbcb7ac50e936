"""``replay``: read a topic again, if the org's allocation has enough left for it."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta, timezone
from typing import Optional

from ..adapters import App
from ..console import TRY_AGAIN, USAGE, WELL, StoppedError
from ..errors import CollectorError
from ..model import Cursor, Position, moment_of
from ..salesforce.pubsub import PubSub
from .call import Call

HELP = "read a topic again, from the oldest event or from a position in an event file"
EXAMPLE = "replay /event/Delete_Event__e --from EARLIEST"
EARLIEST = "EARLIEST"
RETAINED = timedelta(hours=72)
ALLOCATION = "DailyDeliveredPlatformEvents"
EVENT_FILE = re.compile(r"events_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.db")


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
        position, since = (None, None) if start == EARLIEST else _position(app, start, topic)
        with app.source() as source:
            org_id = source.session.org_id
            cost = _cost(app, topic, since)
            left = _left(app, source, call)
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
        cursors = app.cursors()
        call.console.confirm(f"Let the next poll read {topic} from {start}?")
        stored = cursors.load(org_id, topic) if cursors.exists() else None
        if stored is None:
            raise StoppedError(f"{topic} has no cursor yet: the first poll reads all of it", USAGE)
        if cursors.save(Cursor(org_id, topic, position), stored.etag) is None:
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


def _position(app: App, name: str, topic: str) -> tuple[Position, datetime]:
    """The position in an event file, and when the file was begun."""
    begun = EVENT_FILE.fullmatch(name)
    files = app.past_files()
    if begun is None or not files.exists() or name not in files.names():
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
    moment = datetime(*map(int, begun.groups()), tzinfo=timezone.utc)  # type: ignore[misc,arg-type]
    if datetime.now(timezone.utc) - moment > RETAINED:
        raise StoppedError(
            f"{name} is older than 72 hours, and Salesforce no longer accepts its positions: write"
            " EARLIEST",
            USAGE,
        )
    return position, moment


def _cost(app: App, topic: str, since: Optional[datetime]) -> int:
    """About how many events a replay delivers: those that polls have read since then.

    Events that no poll has read yet would be delivered anyway.
    """
    first = since or datetime.now(timezone.utc) - RETAINED
    files = app.past_files()
    polls = files.polls_since(first) if files.exists() else ()
    return sum(it.received for it in polls if it.topic == topic and moment_of(it.began_at) >= first)


def _left(app: App, source: PubSub, call: Call) -> Optional[int]:
    """How many deliveries are left. None if the user may not see that."""
    try:
        limit = app.limits(source).get(ALLOCATION)
    except CollectorError as error:
        call.console.note(f"what is left of the allocation is not known: {error}")
        return None
    return limit.left if limit else None
