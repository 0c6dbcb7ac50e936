"""The events of the mock's history: their ids, their payloads, and what they tell of."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import avro.io
import avro.schema

from . import schemas
from .history import Happening, chance_of, history_of
from .ids import random_of, record_id
from .rhythm import RESTORES, Plan

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


@dataclass(frozen=True)
class Deleted:
    """A deleted record that an event tells of. Tests compare it with the delivered rows.

    ``at`` is in UTC. ``key`` is the row's ``event_id`` in the event file.
    """

    key: str
    object_name: str
    record_id: str
    deleted_by: str
    at: datetime


@dataclass(frozen=True)
class Restored:
    """A restored record that an event tells of. ``key`` is made as that of a delete."""

    key: str
    object_name: str
    record_id: str
    restored_by: str
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
    restored: tuple[Restored, ...] = ()


def position(number: int) -> int:
    """Return the position of the event with this number."""
    return number * ROOM + random_of("position", number).randrange(1000)


@functools.lru_cache(maxsize=20_000)
def event(
    number: int, plan: Plan, kilobytes: int, split: str | None, *, second_schema: bool
) -> OrgEvent:
    """Return the event with this number.

    Args:
        number: the event's number in the history.
        plan: what the history is computed from.
        kilobytes: extra text of a platform event.
        split: how a delete of several records is split (``shared`` or ``own``). None if it is not.
        second_schema: use the second version of the schema.
    """
    happening = history_of(plan).happening(number)
    step, event_id, ids = happening.step, happening.event_id, happening.ids
    is_platform_event = step.change == "EVENT"
    schema = schemas.of("" if is_platform_event else step.entity, second=second_schema)
    if is_platform_event:
        value = _platform_event(happening, kilobytes)
    else:
        value = _change(happening, history_of(plan).owner)
    payload = encode(schema, value)
    keys = {one: f"{event_id}:{one}" for one in ids}
    if is_platform_event:
        keys = {ids[0]: f"{event_id}:{hashlib.sha256(payload).hexdigest()[:16]}"}
    parts: list[tuple[str, bytes]] = []
    if split and len(ids) > 1 and step.change in ("DELETE", "GAP_DELETE"):
        for one in ids:
            part_id = own_id(event_id, one) if split == "own" else event_id
            keys[one] = f"{part_id}:{one}"
            header = {**value["ChangeEventHeader"], "recordIds": [one]}
            parts.append((part_id, encode(schema, {**value, "ChangeEventHeader": header})))
    deletes = happening.told_as in ("EVENT", "DELETE", "GAP_DELETE")
    restores = happening.told_as in RESTORES
    told = [(keys[one], step.entity, one, happening.user, happening.at) for one in ids]
    return OrgEvent(
        position=position(number),
        event_id=event_id,
        topics=happening.topics,
        schema_id=schemas.schema_id(schema),
        payload=payload,
        deleted=tuple(Deleted(*it) for it in told if deletes),
        gap={"GAP_OVERFLOW": "overflow", "WILDCARD": "wildcard"}.get(step.change),
        parts=tuple(parts),
        restored=tuple(Restored(*it) for it in told if restores),
    )


def _milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def _chance(happening: Happening) -> random.Random:
    return chance_of(happening.number, happening.step)[0]


def _platform_event(happening: Happening, kilobytes: int) -> dict[str, Any]:
    chance, milliseconds = _chance(happening), _milliseconds(happening.at)
    return {
        "CreatedDate": milliseconds,
        "CreatedById": happening.user,
        "Object_Name__c": happening.step.entity,
        "Record_Id__c": happening.ids[0],
        "Deleted_By__c": happening.user,
        "Deleted_Date__c": milliseconds,
        "Owner_Id__c": record_id("User", chance.randrange(25)),
        "Record_Name__c": f"{chance.choice(LAST_NAMES)} {happening.number}"
        + "x" * 1024 * kilobytes,
    }


def own_id(event_id: str, record_id: str) -> str:
    """The id of the part of a split event that names this record."""
    return str(uuid.uuid5(uuid.UUID(event_id), record_id))


def _change(happening: Happening, owner: Callable[[str], str]) -> dict[str, Any]:
    chance, milliseconds = _chance(happening), _milliseconds(happening.at)
    change = happening.told_as
    header = {
        "entityName": happening.step.entity,
        "recordIds": list(happening.ids),
        "changeType": change,
        "changeOrigin": "com/salesforce/api/rest/66.0",
        "transactionKey": str(uuid.UUID(int=chance.getrandbits(128))),
        "sequenceNumber": 1,
        "commitTimestamp": milliseconds,
        "commitNumber": 12_000_000_000_000 + milliseconds,
        "commitUser": happening.user,
        "nulledFields": [],
        "diffFields": [],
        "changedFields": ["0x400", "4-0x06"] if change == "UPDATE" else [],
    }
    body: dict[str, Any] = {"Phone": f"+49 {chance.randrange(10**9)}"} if change == "UPDATE" else {}
    if change in ("CREATE", "UNDELETE"):
        body = {
            "Phone": "+1 555 0100",
            "OwnerId": owner(happening.ids[0]),
            "CreatedDate": milliseconds,
            "CreatedById": happening.user,
        }
    return {"ChangeEventHeader": header, **body}


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
