"""The mock's org: what happens in it, on which topics it shows, and where each event stands. State without sockets.

The history is a function of time. Event number n happens n intervals after a fixed epoch, and its content, id and replay id
follow from n: any process on any machine tells the same history, so that cursors stay valid without stored state.
"""

from __future__ import annotations

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

from ..auth import with_checksum
from . import schemas

EPOCH = datetime(2025, 1, 1, tzinfo=timezone.utc)
RETENTION = timedelta(hours=72)
ORG_ID = with_checksum("00D5f000004rDel")
KEY_PREFIXES = {"User": "005", "Account": "001", "Contact": "003", "Opportunity": "006", "Case": "500"}
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROOM = 1_000_000  # positions between two events of the history: replay ids have holes
LAST_NAMES = ("Müller", "O'Brien", 'Smith "Jr."', "山田", "Núñez", "D$$l", "100%s", "back\\slash", "two\nlines", "🦊 Fox")

DELETE_EVENT_TOPIC = "/event/Delete_Event__e"
ALL_CHANGES = "/data/ChangeEvents"
TOPICS = {  # with the schema id that GetTopic tells; blank on a channel of several types
    DELETE_EVENT_TOPIC: schemas.schema_id(schemas.DELETE_EVENT),
    "/data/AccountChangeEvent": schemas.schema_id(schemas.ACCOUNT),
    "/data/ContactChangeEvent": schemas.schema_id(schemas.CONTACT),
    ALL_CHANGES: "",
}
# What the history repeats: the object, what happens to it, and how many records one event names at the most.
RHYTHM = (
    ("Opportunity", "EVENT", 1), ("Account", "CREATE", 1), ("Account", "DELETE", 1), ("Contact", "DELETE", 1),
    ("Case", "EVENT", 1), ("Account", "UPDATE", 1), ("Account", "DELETE", 20), ("Contact", "UPDATE", 1),
    ("Opportunity", "EVENT", 1), ("Account", "DELETE", 1), ("Account", "UNDELETE", 1), ("Contact", "DELETE", 3),
)  # fmt: skip


@dataclass(frozen=True)
class Deleted:
    """A deleted record as the org itself knows it, for comparing with what arrives elsewhere. ``at`` is UTC."""

    event_id: str
    object_name: str
    record_id: str
    deleted_by: str
    at: datetime


@dataclass(frozen=True)
class OrgEvent:
    """One event on the bus. ``position`` orders events and makes the replay id."""

    position: int
    event_id: str
    topics: tuple[str, ...]
    schema_id: str
    payload: bytes
    deleted: tuple[Deleted, ...]

    @property
    def replay_id(self) -> bytes:
        """Ten bytes, as live orgs hand them out."""
        return replay_id(self.position)


def replay_id(position: int) -> bytes:
    """The replay id of a position: big-endian, followed by two zero bytes."""
    return position.to_bytes(8, "big") + b"\0\0"


class UnknownReplayIdError(Exception):
    """The bytes are no replay id of this org."""


class Org:
    """The org and its clock.

    Args:
        interval_seconds: between two events of the history.
        now: the clock; the machine's own by default. May be replaced at any time.
    """

    def __init__(self, interval_seconds: float = 60, now: Callable[[], datetime] | None = None) -> None:
        self.org_id = ORG_ID
        self.now = now or (lambda: datetime.now(timezone.utc))
        self._interval = timedelta(seconds=interval_seconds)
        self._lock = threading.Lock()
        self._told = 0  # the furthest position that a keepalive has named

    def events(self, topic: str, after: int, limit: int) -> list[OrgEvent]:
        """Up to ``limit`` events of ``topic`` behind the position ``after``, oldest first."""
        found: list[OrgEvent] = []
        for event in self._history(max(after // ROOM, 0), topic):
            if event.position > after:
                found.append(event)
                if len(found) == limit:
                    break
        return found

    def deletes(self, topics: Sequence[str], since: datetime, until: datetime) -> list[Deleted]:
        """Every delete that happened after ``since`` and up to ``until`` and shows on one of ``topics``, each once."""
        seen: dict[str, OrgEvent] = {}
        for number in range(self._number(since) + 1, self._number(until) + 1):
            event = _event(number, self._interval)
            if set(event.topics) & set(topics):
                seen[event.event_id] = event
        return [deleted for event in seen.values() for deleted in event.deleted]

    def earliest(self) -> int:
        """The position before the oldest event that is still retained."""
        return self._number(self.now() - RETENTION) * ROOM + ROOM - 1

    def tip(self) -> int:
        """The newest position, events and keepalives taken together."""
        with self._lock:
            return max(_position(self._number(self.now())), self._told)

    def keepalive_position(self) -> int:
        """A position ahead of every event so far, which no event will ever have."""
        with self._lock:
            self._told = max(_position(self._number(self.now())), self._told) + 1
            return self._told

    def position(self, raw: bytes) -> int:
        """The position of a replay id.

        Raises:
            UnknownReplayIdError: this org has never handed it out.
        """
        if len(raw) != 10 or raw[8:] != b"\0\0":
            raise UnknownReplayIdError
        position = int.from_bytes(raw[:8], "big")
        if not ROOM <= position <= self._number(self.now()) * ROOM + ROOM:
            raise UnknownReplayIdError
        return position

    def _number(self, at: datetime) -> int:
        """The number of the last event that has happened at ``at``."""
        return (at - EPOCH) // self._interval

    def _history(self, number: int, topic: str) -> Iterator[OrgEvent]:
        while number <= self._number(self.now()):
            if topic in _topics(*RHYTHM[number % len(RHYTHM)][:2]):
                yield _event(number, self._interval)
            number += 1


def _position(number: int) -> int:
    return number * ROOM + _random("position", number).randrange(1000)


def _topics(entity: str, change: str) -> tuple[str, ...]:
    return (DELETE_EVENT_TOPIC,) if change == "EVENT" else (f"/data/{entity}ChangeEvent", ALL_CHANGES)


@functools.lru_cache(maxsize=100_000)
def _event(number: int, interval: timedelta) -> OrgEvent:
    entity, change, most = RHYTHM[number % len(RHYTHM)]
    chance = _random("event", number)
    at = EPOCH + number * interval
    milliseconds = (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    event_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    user = record_id("User", chance.randrange(25))
    ids = [record_id(entity, number * 100 + place) for place in range(1 if most == 1 else chance.randint(2, most))]
    if change == "EVENT":
        schema = schemas.DELETE_EVENT
        value = {
            "CreatedDate": milliseconds, "CreatedById": user, "Object_Name__c": entity, "Record_Id__c": ids[0],
            "Deleted_By__c": user, "Deleted_Date__c": milliseconds, "Owner_Id__c": record_id("User", chance.randrange(25)),
            "Record_Name__c": f"{chance.choice(LAST_NAMES)} {number}",
        }  # fmt: skip
    else:
        schema = schemas.ACCOUNT if entity == "Account" else schemas.CONTACT
        value = _change(entity, change, ids, user, milliseconds, chance)
    return OrgEvent(
        position=_position(number),
        event_id=event_id,
        topics=_topics(entity, change),
        schema_id=schemas.schema_id(schema),
        payload=encode(schema, value),
        deleted=tuple(
            Deleted(event_id if len(ids) == 1 else f"{event_id}:{one}", entity, one, user, at)
            for one in ids
            if change in ("EVENT", "DELETE")
        ),
    )


def _change(entity: str, change: str, ids: list[str], user: str, milliseconds: int, chance: random.Random) -> dict[str, Any]:
    header = {
        "entityName": entity, "recordIds": ids, "changeType": change, "changeOrigin": "com/salesforce/api/rest/66.0",
        "transactionKey": str(uuid.UUID(int=chance.getrandbits(128))), "sequenceNumber": 1, "commitTimestamp": milliseconds,
        "commitNumber": 12_000_000_000_000 + milliseconds, "commitUser": user, "nulledFields": [], "diffFields": [],
        "changedFields": ["0x400"] if change == "UPDATE" else [],
    }  # fmt: skip
    body: dict[str, Any] = {"Phone": f"+49 {chance.randrange(10**9)}"} if change == "UPDATE" else {}
    if change in ("CREATE", "UNDELETE"):
        body = {"Phone": "+1 555 0100", "OwnerId": user, "CreatedDate": milliseconds, "CreatedById": user}
    return {"ChangeEventHeader": header, **body}


def record_id(entity: str, number: int) -> str:
    """An 18-character id of an object: key prefix, instance, number, checksum."""
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
    """Avro binary of a record; fields that ``value`` leaves out are null."""
    writer, fields = _writer(schema_json)
    out = io.BytesIO()
    writer.write({field: value.get(field) for field in fields}, avro.io.BinaryEncoder(out))
    return out.getvalue()
