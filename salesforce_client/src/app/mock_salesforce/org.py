"""The mock's org: its events, their topics and their positions. It opens no sockets.

The history is computed. Event number n happens n intervals after a fixed time, ``EPOCH``. Its
content, id and replay id are computed from n. So every process on every machine has the same
history, and cursors stay valid although the mock stores nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import avro.io
import avro.schema

from ..model import with_checksum
from . import schemas
from .faults import Faults

EPOCH = datetime(2025, 1, 1, tzinfo=timezone.utc)
RETENTION = timedelta(hours=72)
ORG_ID = with_checksum("00D5f000004rDel")
KEY_PREFIXES = {
    "User": "005",
    "Account": "001",
    "Contact": "003",
    "Opportunity": "006",
    "Case": "500",
}
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROOM = 1_000_000  # positions for each event of the history, so that replay ids are not consecutive
LAST_NAMES = (
    "Müller",
    "O'Brien",
    'Smith "Jr."',
    "山田",
    "Núñez",
    "D$$l",
    "100%s",
    "back\\slash",
    "two\nlines",
    "🦊 Fox",
)

DELETE_EVENT_TOPIC = "/event/Delete_Event__e"
ARCHIVE_EVENT_TOPIC = "/event/Archive_Event__e"  # has only the events that clients publish
ALL_CHANGES = "/data/ChangeEvents"
TOPICS = {  # each with the schema id that GetTopic returns; empty if the topic has several schemas
    DELETE_EVENT_TOPIC: schemas.schema_id(schemas.DELETE_EVENT),
    ARCHIVE_EVENT_TOPIC: schemas.schema_id(schemas.ARCHIVE_EVENT),
    "/data/AccountChangeEvent": schemas.schema_id(schemas.ACCOUNT),
    "/data/ContactChangeEvent": schemas.schema_id(schemas.CONTACT),
    ALL_CHANGES: "",
}
# The history repeats these events. Each has its object, its change, and its maximum of records.
RHYTHM = (
    ("Opportunity", "EVENT", 1),
    ("Account", "CREATE", 1),
    ("Account", "DELETE", 1),
    ("Contact", "DELETE", 1),
    ("Case", "EVENT", 1),
    ("Account", "UPDATE", 1),
    ("Account", "DELETE", 20),
    ("Contact", "UPDATE", 1),
    ("Opportunity", "EVENT", 1),
    ("Account", "DELETE", 1),
    ("Account", "UNDELETE", 1),
    ("Contact", "DELETE", 3),
)
Rhythm = tuple[tuple[str, str, int], ...]
RARE_RHYTHM: Rhythm = (
    *RHYTHM,
    ("Account", "GAP_DELETE", 3),
    ("Contact", "GAP_OVERFLOW", 1),
    ("Account", "SNAPSHOT", 1),
    ("Account", "WILDCARD", 1),
    ("Contact", "GAP_UPDATE", 1),
)


@dataclass(frozen=True)
class Deleted:
    """A deleted record as the org itself knows it. Tests compare it with the delivered rows.

    ``at`` is in UTC. ``key`` is the row's ``event_id`` in the event file.
    """

    key: str
    object_name: str
    record_id: str
    deleted_by: str
    at: datetime


@dataclass(frozen=True)
class OrgEvent:
    """One event on the bus.

    Attributes:
        position: the event's place in the order of events. The replay id is made from it.
        gap: the reason of the gap that the event reports. None if it reports no gap.
        parts: ids and payloads of the events that are sent instead of this event. They all have
            this event's replay id.
    """

    position: int
    event_id: str
    topics: tuple[str, ...]
    schema_id: str
    payload: bytes
    deleted: tuple[Deleted, ...]
    gap: str | None = None
    parts: tuple[tuple[str, bytes], ...] = ()


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
        faults: the org applies ``opaque_ids``, ``strict_retention``, ``rare_changes``,
            ``schema_change``, ``duplicate``, ``split`` and ``large``, and ignores the others.
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
        self.now = now or (lambda: datetime.now(timezone.utc))
        self._interval = timedelta(seconds=interval_seconds)
        self._lock = threading.Lock()
        self._told = 0  # the newest position that a keepalive or a published event has used

    def events(self, topic: str, after: int, limit: int) -> list[OrgEvent]:
        """Return up to ``limit`` events of ``topic`` after the position ``after``, oldest first."""
        found: list[OrgEvent] = []
        for event in self._history(max(after // ROOM, 0), topic):
            if event.position > after:
                found.append(event)
                if len(found) == limit:
                    break
        published = [
            event for event in self._published if topic in event.topics and event.position > after
        ]
        return (
            sorted([*found, *published], key=lambda event: event.position)[:limit]
            if published
            else found
        )

    def publish(self, topic: str, event_id: str, schema_id: str, payload: bytes) -> OrgEvent:
        """Put a client's event on the bus now."""
        with self._lock:
            self._told = self._tip() + _random("published", len(self._published)).randint(2, 9)
            event = OrgEvent(self._told, event_id, (topic,), schema_id, payload, ())
            self._published.append(event)
            return event

    def deletes(self, topics: Sequence[str], since: datetime, until: datetime) -> list[Deleted]:
        """Return the deletes after ``since`` and up to ``until`` on any of ``topics``.

        Each delete is in the list once.
        """
        return [
            deleted for event in self._between(topics, since, until) for deleted in event.deleted
        ]

    def gaps(
        self, topics: Sequence[str], since: datetime, until: datetime
    ) -> list[tuple[str, str, str]]:
        """Return the gaps that the events of the history report after ``since`` up to ``until``.

        Each gap has a topic, an event id and a reason. A gap is in the list once for each topic.
        """
        return [
            (topic, event.event_id, event.gap)
            for event in self._between(topics, since, until)
            if event.gap
            for topic in event.topics
            if topic in topics
        ]

    def _between(
        self, topics: Sequence[str], since: datetime, until: datetime
    ) -> Iterator[OrgEvent]:
        for number in range(self._number(since) + 1, self._number(until) + 1):
            event = self._event(number)
            if set(event.topics) & set(topics):
                yield event

    def earliest(self) -> int:
        """Return the position before the oldest retained event."""
        return self._number(self.now() - RETENTION) * ROOM + ROOM - 1

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
            or not ROOM <= position <= self._number(self.now()) * ROOM + ROOM
        ):
            raise UnknownReplayIdError
        return position

    def _position_of(self, raw: bytes) -> int:
        if not self._faults.on("opaque_ids"):
            return int.from_bytes(raw[:8], "big")
        mask = hashlib.sha256(raw[:4]).digest()
        return int.from_bytes(bytes(one ^ other for one, other in zip(raw[4:12], mask)), "big")

    def _tip(self) -> int:
        return max(_position(self._number(self.now())), self._told)

    def _event(self, number: int) -> OrgEvent:
        rhythm = RARE_RHYTHM if self._faults.on("rare_changes") else RHYTHM
        second_schema = self._faults.on("schema_change") and number // 3 % 2 == 1
        large, split = int(self._faults.number("large") or 0), self._faults.value("split")
        return _event(number, self._interval, rhythm, large, split, second_schema=second_schema)

    def _number(self, at: datetime) -> int:
        """Return the number of the last event up to the time ``at``."""
        return (at - EPOCH) // self._interval

    def _history(self, number: int, topic: str) -> Iterator[OrgEvent]:
        rhythm = RARE_RHYTHM if self._faults.on("rare_changes") else RHYTHM
        every = int(self._faults.number("duplicate", topic) or 0)
        while number <= self._number(self.now()):
            if topic in _topics(*rhythm[number % len(rhythm)][:2]):
                event = self._event(number)
                yield event
                if every and number % every == 0:
                    yield dataclasses.replace(event, position=event.position + 1)
            number += 1


def _position(number: int) -> int:
    return number * ROOM + _random("position", number).randrange(1000)


def _topics(entity: str, change: str) -> tuple[str, ...]:
    return (
        (DELETE_EVENT_TOPIC,) if change == "EVENT" else (f"/data/{entity}ChangeEvent", ALL_CHANGES)
    )


@functools.lru_cache(maxsize=20_000)
def _event(
    number: int,
    interval: timedelta,
    rhythm: Rhythm,
    kilobytes: int,
    split: str | None,
    *,
    second_schema: bool,
) -> OrgEvent:
    entity, change, most = rhythm[number % len(rhythm)]
    chance = _random("event", number)
    at = EPOCH + number * interval
    milliseconds = (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    event_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    user = record_id("User", chance.randrange(25))
    ids = [
        record_id(entity, number * 100 + place)
        for place in range(1 if most == 1 else chance.randint(2, max(most, 2)))
    ]
    if change == "WILDCARD":
        ids = [f"{KEY_PREFIXES[entity]}*"]
    schema = schemas.of(entity if change != "EVENT" else "", second=second_schema)
    if change == "EVENT":
        value: dict[str, Any] = {
            "CreatedDate": milliseconds,
            "CreatedById": user,
            "Object_Name__c": entity,
            "Record_Id__c": ids[0],
            "Deleted_By__c": user,
            "Deleted_Date__c": milliseconds,
            "Owner_Id__c": record_id("User", chance.randrange(25)),
            "Record_Name__c": f"{chance.choice(LAST_NAMES)} {number}" + "x" * 1024 * kilobytes,
        }
    else:
        value = _change(entity, change, ids, user, milliseconds, chance)
    gaps = {"GAP_OVERFLOW": "overflow", "WILDCARD": "wildcard"}
    payload = encode(schema, value)
    keys = {one: f"{event_id}:{one}" for one in ids}
    if change == "EVENT":
        keys = {ids[0]: f"{event_id}:{hashlib.sha256(payload).hexdigest()[:16]}"}
    parts: list[tuple[str, bytes]] = []
    if split and len(ids) > 1 and change in ("DELETE", "GAP_DELETE"):
        for one in ids:
            own_id = str(uuid.uuid5(uuid.UUID(event_id), one)) if split == "own" else event_id
            keys[one] = f"{own_id}:{one}"
            alone = {
                **value,
                "ChangeEventHeader": {**value["ChangeEventHeader"], "recordIds": [one]},
            }
            parts.append((own_id, encode(schema, alone)))
    return OrgEvent(
        position=_position(number),
        event_id=event_id,
        topics=_topics(entity, change),
        schema_id=schemas.schema_id(schema),
        payload=payload,
        deleted=tuple(
            Deleted(keys[one], entity, one, user, at)
            for one in ids
            if change in ("EVENT", "DELETE", "GAP_DELETE", "WILDCARD")
        ),
        gap=gaps.get(change),
        parts=tuple(parts),
    )


def _change(
    entity: str, change: str, ids: list[str], user: str, milliseconds: int, chance: random.Random
) -> dict[str, Any]:
    header = {
        "entityName": entity,
        "recordIds": [] if change == "GAP_OVERFLOW" else ids,
        "changeType": "DELETE" if change == "WILDCARD" else change,
        "changeOrigin": "com/salesforce/api/rest/66.0",
        "transactionKey": str(uuid.UUID(int=chance.getrandbits(128))),
        "sequenceNumber": 1,
        "commitTimestamp": milliseconds,
        "commitNumber": 12_000_000_000_000 + milliseconds,
        "commitUser": user,
        "nulledFields": [],
        "diffFields": [],
        "changedFields": ["0x400", "4-0x06"] if change == "UPDATE" else [],
    }
    body: dict[str, Any] = {"Phone": f"+49 {chance.randrange(10**9)}"} if change == "UPDATE" else {}
    if change in ("CREATE", "UNDELETE"):
        body = {
            "Phone": "+1 555 0100",
            "OwnerId": user,
            "CreatedDate": milliseconds,
            "CreatedById": user,
        }
    return {"ChangeEventHeader": header, **body}


def record_id(entity: str, number: int) -> str:
    """Return an 18-character record id: the object's key prefix, instance, number, checksum."""
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return with_checksum(f"{KEY_PREFIXES[entity]}5f00{digits}")


def _random(about: str, number: int) -> random.Random:
    return random.Random(hashlib.sha256(f"{about} {number}".encode()).digest())


@functools.cache
def _writer(schema_json: str) -> tuple[avro.io.DatumWriter, tuple[str, ...]]:
    fields = tuple(field["name"] for field in json.loads(schema_json)["fields"])
    return avro.io.DatumWriter(avro.schema.parse(schema_json)), fields


def encode(schema_json: str, value: dict[str, Any]) -> bytes:
    """Return a record in Avro binary. Fields that are not in ``value`` are null."""
    writer, fields = _writer(schema_json)
    out = io.BytesIO()
    writer.write({field: value.get(field) for field in fields}, avro.io.BinaryEncoder(out))
    return out.getvalue()
