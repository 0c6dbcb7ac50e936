"""The mock's org: its topics, the positions of its events, and what a test may compare with.

It opens no sockets. ``history`` computes what happens, ``events`` makes events of it, and
``listing`` says what REST lists. All follow from the time, so every process on every machine has
the same history, and cursors stay valid although the mock stores nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..model.ids import with_checksum
from . import schemas
from .events import ROOM, Deleted, OrgEvent, Restored, event, position
from .faults import Faults
from .history import ALL_CHANGES, CHANNEL, DELETE_EVENT_TOPIC, Change, history_of
from .ids import random_of
from .listing import Listing
from .rhythm import plan_of

RETENTION = timedelta(hours=72)
ORG_ID = with_checksum("00D5f000004rDel")
ARCHIVE_EVENT_TOPIC = "/event/Archive_Event__e"  # has only the events that clients publish
TOPICS = {  # each with the schema id that GetTopic returns; empty if the topic has several schemas
    DELETE_EVENT_TOPIC: schemas.schema_id(schemas.DELETE_EVENT),
    ARCHIVE_EVENT_TOPIC: schemas.schema_id(schemas.ARCHIVE_EVENT),
    "/data/AccountChangeEvent": schemas.schema_id(schemas.ACCOUNT),
    "/data/ContactChangeEvent": schemas.schema_id(schemas.CONTACT),
    ALL_CHANGES: "",
    CHANNEL: "",
}


@dataclass(frozen=True)
class Hidden:
    """A delete or restore that no event of some topics tells of.

    Attributes:
        kind: a kind of the fault ``hide``; ``one_transaction``; ``gap`` (an event reports a gap
            that contains it); ``filtered``; or ``no_topic`` (these topics never have it).
        change: what happened.
    """

    kind: str
    change: Change


@dataclass(frozen=True)
class Merged:
    """A merge: the loser was deleted, and the winner has its children now."""

    object_name: str
    loser: str
    winner: str
    at: datetime


def replay_id(position: int) -> bytes:
    """Return the replay id of a position in the form that live orgs use.

    It has ten bytes: the position as eight bytes, big-endian, and two zero bytes.
    """
    return position.to_bytes(8, "big") + b"\0\0"


def opaque_replay_id(position: int) -> bytes:
    """Return a replay id for a position in an org whose ids have no order and no fixed length."""
    noise = hashlib.sha256(b"id %d" % position).digest()
    mask = hashlib.sha256(noise[:4]).digest()
    hidden = bytes(one ^ other for one, other in zip(position.to_bytes(8, "big"), mask))
    return noise[:4] + hidden + noise[4 : 4 + position % 20]


class UnknownReplayIdError(Exception):
    """The bytes are not a replay id that this org accepts."""


class Org:
    """The org and its clock.

    Args:
        interval_seconds: the time between two events of the history.
        now: the clock. The default is the machine's clock. A test may replace it at any time.
        faults: the org applies those that change the clock, the history, its events and their
            positions, and ignores the others.

    Attributes:
        now: the clock.
        history: what happened, also what no event tells of.
        listing: what Salesforce lists as deleted, for a user who may see everything.
    """

    def __init__(
        self,
        interval_seconds: float = 60,
        now: Callable[[], datetime] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.org_id = ORG_ID
        self._faults = faults or Faults()
        self._published: list[OrgEvent] = []
        clock = now or (lambda: datetime.now(timezone.utc))
        off = timedelta(seconds=self._faults.number("clock_off") or 0)
        self.now: Callable[[], datetime] = lambda: clock() + off
        self.history = history_of(plan_of(interval_seconds, self._faults))
        self.listing = Listing(self.history, self._faults)
        self._lock = threading.Lock()
        self._told = 0  # the newest position that a keepalive or a published event has used

    def events(self, topic: str, after: int, limit: int) -> list[OrgEvent]:
        """Return up to ``limit`` events of ``topic`` after the position ``after``, oldest first."""
        found: list[OrgEvent] = []
        for one in self._history(max(after // ROOM, 0), topic):
            if one.position > after:
                found.append(one)
                if len(found) == limit:
                    break
        published = [one for one in self._published if topic in one.topics and one.position > after]
        return (
            sorted([*found, *published], key=lambda one: one.position)[:limit]
            if published
            else found
        )

    def publish(self, topic: str, event_id: str, schema_id: str, payload: bytes) -> OrgEvent:
        """Put a client's event on the bus now."""
        with self._lock:
            self._told = self._tip() + random_of("published", len(self._published)).randint(2, 9)
            published = OrgEvent(self._told, event_id, (topic,), schema_id, payload, ())
            self._published.append(published)
            return published

    def deletes(self, topics: Sequence[str], since: datetime, until: datetime) -> list[Deleted]:
        """Return the deletes that events told of after ``since`` and up to ``until``.

        Each delete on any of ``topics`` is in the list once.
        """
        return [it for one in self._between(topics, since, until) for it in one.deleted]

    def restores(self, topics: Sequence[str], since: datetime, until: datetime) -> list[Restored]:
        """Return the restores that events told of after ``since`` and up to ``until``."""
        return [it for one in self._between(topics, since, until) for it in one.restored]

    def gaps(
        self, topics: Sequence[str], since: datetime, until: datetime
    ) -> list[tuple[str, str, str]]:
        """Return the gaps that the events of the history report after ``since`` up to ``until``.

        Each gap has a topic, an event id and a reason. A gap is in the list once for each topic.
        """
        return [
            (topic, one.event_id, one.gap)
            for one in self._between(topics, since, until)
            if one.gap
            for topic in one.topics
            if topic in topics
        ]

    def changes(self, objects: Sequence[str], since: datetime, until: datetime) -> list[Change]:
        """Return all deletes and restores of these objects, also those that no event tells of."""
        return [
            change
            for happening in self.history.between(since, until, objects)
            for change in happening.changes
        ]

    def hidden(self, topics: Sequence[str], since: datetime, until: datetime) -> list[Hidden]:
        """Return the deletes and restores that no event of these topics tells of."""
        found = []
        for happening in self.history.between(since, until):
            on_topics = set(happening.topics) & set(topics)
            filtered = self.history.is_filtered(happening.number)
            kind = None if on_topics else "filtered" if filtered else "no_topic"
            found += [Hidden(it.hidden or kind or "", it) for it in happening.changes]
        return [it for it in found if it.kind]

    def merges(self, since: datetime, until: datetime) -> list[Merged]:
        """Return the merges after ``since`` and up to ``until``, one for each loser."""
        return [
            Merged(it.object_name, it.record_id, it.merged_into, it.at)
            for happening in self.history.between(since, until)
            for it in happening.changes
            if it.merged_into
        ]

    def state(self, record: str, at: datetime) -> str:
        """Return what is true of a record: ``live``, ``bin``, ``purged`` or ``gone``.

        A ``purged`` record is no longer in the recycle bin, but queryAll still returns it.
        """
        return self.history.state(record, at)

    def _between(
        self, topics: Sequence[str], since: datetime, until: datetime
    ) -> Iterator[OrgEvent]:
        for happening in self.history.between(since, until):
            if set(happening.topics) & set(topics):
                yield self._event(happening.number)

    def earliest(self) -> int:
        """Return the position before the oldest retained event."""
        return self.history.number(self.now() - RETENTION) * ROOM + ROOM - 1

    def tip(self) -> int:
        """Return the newest position of all events and keepalives."""
        with self._lock:
            return self._tip()

    def keepalive_position(self, tip: int | None = None) -> int:
        """Return a position after every event so far. No event will ever have this position.

        Args:
            tip: the result of the method ``tip``. The stream called it before it looked for events
                and found none. Events that happened since then come after the returned position.
        """
        with self._lock:
            position = (self._tip() if tip is None else tip) + 1
            self._told = max(self._told, position)
            return position

    def replay_id(self, position: int) -> bytes:
        """Return the replay id of a position in this org."""
        return opaque_replay_id(position) if self._faults.on("opaque_ids") else replay_id(position)

    def position(self, raw: bytes) -> int:
        """Return the position of a replay id.

        Raises:
            UnknownReplayIdError: this org never used the replay id, or no longer accepts it.
        """
        position = self._position_of(raw)
        if self._faults.on("strict_retention") and position < self.earliest():
            raise UnknownReplayIdError
        if (
            self.replay_id(position) != raw
            or not ROOM <= position <= self.history.number(self.now()) * ROOM + ROOM
        ):
            raise UnknownReplayIdError
        return position

    def _position_of(self, raw: bytes) -> int:
        if not self._faults.on("opaque_ids"):
            return int.from_bytes(raw[:8], "big")
        mask = hashlib.sha256(raw[:4]).digest()
        return int.from_bytes(bytes(one ^ other for one, other in zip(raw[4:12], mask)), "big")

    def _tip(self) -> int:
        return max(position(self.history.number(self.now())), self._told)

    def _event(self, number: int) -> OrgEvent:
        second_schema = self._faults.on("schema_change") and number // 3 % 2 == 1
        large, split = int(self._faults.number("large") or 0), self._faults.value("split")
        return event(number, self.history.plan, large, split, second_schema=second_schema)

    def _history(self, number: int, topic: str) -> Iterator[OrgEvent]:
        every = int(self._faults.number("duplicate", topic) or 0)
        while number <= self.history.number(self.now()):
            if topic in self.history.topics(number):
                found = self._event(number)
                yield found
                if every and number % every == 0:
                    yield dataclasses.replace(found, position=found.position + 1)
            number += 1
