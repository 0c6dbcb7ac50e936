"""Turns decoded events into deletes and gaps.

Sources: Salesforce "Change Data Capture Developer Guide", pages "Change Event Header Fields",
"Gap Events" and "Overflow Events", and "Platform Events Developer Guide".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Union

from ..errors import DecodeError
from ..model import Delete, Event, Gap, RejectedEvent, identity
from .decode import TELLS_OF_DELETES, Decoded, Fields
from .values import as_json, text, time_of

DIGEST_BYTES = 8  # 16 hex digits


class Origin(NamedTuple):
    """Where and when events were received. ``received_at`` is UTC text."""

    org_id: str
    topic: str
    received_at: str


def interpret(
    decoded: Decoded,
    event: Event,
    origin: Origin,
    event_fields: Mapping[str, str],
    schema_fields: Fields = (),
    *,
    header_only: str | None = None,
) -> Sequence[Union[Delete, Gap]]:
    """The deletes and gaps in one event. Empty if the event reports no delete.

    Args:
        decoded: the event's decoded payload.
        event: the event.
        origin: where the event comes from.
        event_fields: which field of the platform event has the ``object_name``, ``record_id``,
            ``deleted_by``, ``deleted_date`` and ``owner_id``.
        schema_fields: the field names for the bitmaps in the header of a change event.
        header_only: the reason, if only the header could be decoded.

    Raises:
        DecodeError: the event can be read but cannot become a row, because it has no id, no record
            id or no time.
    """
    if not event.event_id:
        raise DecodeError("the event has no id; a second delivery of it would make a duplicate row")
    value, payload = decoded
    header = value.get("ChangeEventHeader")
    if isinstance(header, dict) and header.get("changeType") not in TELLS_OF_DELETES:
        return ()
    assert payload is not None  # it is None only if the event reports no delete
    if not isinstance(header, dict):
        return (_from_platform_event(value, payload, event, origin, event_fields),)
    remarks = {"header_only": header_only} if header_only else _expanded(header, schema_fields)
    owner_id = text(value.get("OwnerId"))
    return _from_change_event(header, owner_id, payload, event, origin, remarks)


def _from_platform_event(
    value: Mapping[str, Any],
    payload: str,
    event: Event,
    origin: Origin,
    event_fields: Mapping[str, str],
) -> Delete:
    get = value.get
    deleted_date = time_of(get(event_fields["deleted_date"])) or time_of(get("CreatedDate"))
    if deleted_date is None:
        raise DecodeError(f"neither {event_fields['deleted_date']} nor CreatedDate is a time")
    return Delete(
        # Publishers choose the event id, and some use the same id again. The digest of the bytes
        # distinguishes such events.
        f"{event.event_id}:{sha256(event.payload).digest()[:DIGEST_BYTES].hex()}",
        origin.topic,
        text(get(event_fields["object_name"])),
        text(get(event_fields["record_id"])),
        text(get(event_fields["deleted_by"])) or text(get("CreatedById")),
        deleted_date,
        text(get(event_fields["owner_id"])),
        payload,
        origin.received_at,
        event.replay_id,
        event.schema_id,
    )


def _from_change_event(
    header: Mapping[str, Any],
    owner_id: str | None,
    payload: str,
    event: Event,
    origin: Origin,
    remarks: Mapping[str, Any],
) -> Sequence[Union[Delete, Gap]]:
    committed = time_of(header.get("commitTimestamp"))
    if committed is None:
        raise DecodeError("commitTimestamp is not a time")
    object_name = text(header.get("entityName"))
    change_type = header["changeType"]
    if change_type == "GAP_OVERFLOW":
        return (_gap("overflow", object_name, committed, event, origin),)

    record_ids = _record_ids(header)
    notes = {**remarks, "gap": True} if change_type == "GAP_DELETE" else remarks
    deleted_by = text(header.get("commitUser"))
    rows: list[Union[Delete, Gap]] = []
    unnamed = False
    for record_id in record_ids:
        wildcard = record_id[-1] == "*"
        unnamed = unnamed or wildcard
        rows.append(
            Delete(
                f"{event.event_id}:{record_id}",
                origin.topic,
                object_name,
                record_id,
                deleted_by,
                committed,
                owner_id,
                _noted(payload, {**notes, "wildcard": True} if wildcard else notes)
                if wildcard or notes
                else payload,
                origin.received_at,
                event.replay_id,
                event.schema_id,
            )
        )
    if unnamed:
        rows.append(_gap("wildcard", object_name, committed, event, origin))
    return rows


def _record_ids(header: Mapping[str, Any]) -> Sequence[str]:
    """The record ids of a change event, each once."""
    named = header.get("recordIds")
    record_ids: Sequence[Any] = named if isinstance(named, list) else ()
    for record_id in record_ids:
        if not record_id or not isinstance(record_id, str):
            record_ids = ()
            break
    if not record_ids:
        raise DecodeError(
            f"a {header['changeType']} of {text(header.get('entityName'))} names no record id"
        )
    return record_ids if len(record_ids) == 1 else list(dict.fromkeys(record_ids))


def _noted(payload: str, notes: Mapping[str, Any]) -> str:
    """The event's JSON, with the remarks of this app in the field ``_tracker``."""
    return f'{payload[:-1]},"_tracker":{as_json(notes)}}}'


BITMAPS = {
    "changed_fields": "changedFields",
    "nulled_fields": "nulledFields",
    "diff_fields": "diffFields",
}
BITMAP = re.compile(r"(?:(\d+)-)?0x([0-9A-Fa-f]+)")


def _expanded(header: Mapping[str, Any], schema_fields: Fields) -> dict[str, Any]:
    """The field names for the bitmaps of the header, as far as the names are known.

    The payload also keeps the bitmaps. ``0x…`` is a set of top-level fields, least significant bit
    first. ``<position>-0x…`` is a set of fields inside the field at that position
    (Salesforce "Pub/Sub API" guide, "Event Deserialization Considerations").
    """
    if not (header.get("changedFields") or header.get("nulledFields") or header.get("diffFields")):
        return {}
    names = {
        ours: [
            name
            for bitmap in header.get(theirs) or ()
            for name in _names(str(bitmap), schema_fields)
        ]
        for ours, theirs in BITMAPS.items()
    }
    return {ours: found for ours, found in names.items() if found}


def _names(bitmap: str, schema_fields: Fields) -> list[str]:
    match = BITMAP.fullmatch(bitmap)
    if not match:
        return []
    position, bits = match[1], int(match[2], 16)
    if position is None:
        return [name for place, (name, _) in enumerate(schema_fields) if bits >> place & 1]
    if int(position) >= len(schema_fields):
        return []
    parent, nested = schema_fields[int(position)]
    return [f"{parent}.{name}" for place, name in enumerate(nested) if bits >> place & 1]


def _gap(reason: str, object_name: str | None, committed: str, event: Event, origin: Origin) -> Gap:
    return Gap(
        gap_id=identity(origin.org_id, origin.topic, event.event_id, reason),
        topic=origin.topic,
        reason=reason,
        object_name=object_name,
        from_replay_id=event.replay_id,
        from_time=committed,
        to_time=committed,
        detected_at=origin.received_at,
    )


def rejected(event: Event, origin: Origin, error: Exception) -> RejectedEvent:
    """The rejected event for an event that could not become a row."""
    return RejectedEvent(
        reject_id=identity(origin.topic, event.event_id, event.payload),
        topic=origin.topic,
        event_id=event.event_id,
        replay_id=event.replay_id,
        schema_id=event.schema_id,
        payload=event.payload,
        error=str(error),
        received_at=origin.received_at,
    )


def cursor_gap(reason: str, origin: Origin, cursor: bytes, since: str | None, version: str) -> Gap:
    """The gap of an unusable cursor, from the cursor's position until now.

    The drain starts again from EARLIEST and reads all events that Salesforce still has.

    Args:
        reason: ``expired_cursor`` or ``unreadable_cursor``.
        origin: where and when the collector noticed it.
        cursor: the replay id that Salesforce rejected, or the bytes that could not be read.
        since: the time of the cursor's position, if it is known.
        version: the ETag of the stored cursor. If the same bytes fail again later, their ETag is
            another one, so they make another gap.
    """
    return Gap(
        gap_id=identity(origin.org_id, origin.topic, cursor, reason, version),
        topic=origin.topic,
        reason=reason,
        object_name=None,
        from_replay_id=cursor,
        from_time=since,
        to_time=origin.received_at,
        detected_at=origin.received_at,
    )


def published_at(value: Mapping[str, Any]) -> str | None:
    """When a decoded event was published. None if the event has no such time.

    This is the commit time of a change event, or the creation time of a platform event.
    """
    header = value.get("ChangeEventHeader")
    return time_of(
        header.get("commitTimestamp") if isinstance(header, dict) else value.get("CreatedDate")
    )
