"""What an event says about deleted records: decoded events into deletes and gaps. Pure.

Sources: Salesforce "Change Data Capture Developer Guide", pages "Change Event Header Fields", "Gap Events" and "Overflow
Events"; "Platform Events Developer Guide".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union

from .decode import TELLS_OF_DELETES, Decoded, Fields
from .errors import DecodeError
from .values import as_json, identity, text, time_of


class Delete(NamedTuple):
    """One deleted record: a row of ``events`` in the event file. Times are UTC text as ``timestamp`` makes it."""

    event_id: str
    topic: str
    object_name: str | None
    record_id: str | None
    deleted_by: str | None
    deleted_date: str
    owner_id: str | None
    payload: str
    ingested_at: str
    replay_id: bytes
    schema_id: str

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return f"Delete(event_id={self.event_id!r}, topic={self.topic!r}, record_id={self.record_id!r})"


class RejectedEvent(NamedTuple):
    """An event that could not be decoded, kept byte for byte."""

    reject_id: str
    topic: str
    event_id: str
    replay_id: bytes
    schema_id: str
    payload: bytes
    error: str
    received_at: str

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return f"RejectedEvent(event_id={self.event_id!r}, topic={self.topic!r}, error={self.error!r})"


class Gap(NamedTuple):
    """A stretch of a topic that can no longer be had."""

    gap_id: str
    topic: str
    reason: str
    object_name: str | None
    from_replay_id: bytes | None
    from_time: str | None
    to_time: str | None
    detected_at: str


class Event(NamedTuple):
    """One event as delivered. ``replay_id`` is opaque; ``payload`` is bare Avro binary."""

    event_id: str
    schema_id: str
    payload: bytes
    replay_id: bytes

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return f"Event(event_id={self.event_id!r}, schema_id={self.schema_id!r})"


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
    """The deletes and gaps in one event; none for a change that is not a delete.

    Args:
        decoded: what is in its payload.
        event: the event.
        origin: where it comes from.
        event_fields: for platform events, the field that fills each of ``object_name``, ``record_id``, ``deleted_by``,
            ``deleted_date`` and ``owner_id``.
        schema_fields: the names that a change event's bitmaps refer to.
        header_only: why a change event's header is all that could be decoded, if so.

    Raises:
        DecodeError: the event is readable but cannot be a row, as it has no id or no time.
    """
    if not event.event_id:
        raise DecodeError("the event has no id, so that it could not be told from its redelivery")
    value, _ = decoded
    header = value.get("ChangeEventHeader")
    if not isinstance(header, dict):
        return (_from_platform_event(decoded, event, origin, event_fields),)
    if header.get("changeType") not in TELLS_OF_DELETES:
        return ()
    remarks = {"header_only": header_only} if header_only else _expanded(header, schema_fields)
    return _from_change_event(header, decoded, event, origin, remarks)


def _from_platform_event(decoded: Decoded, event: Event, origin: Origin, event_fields: Mapping[str, str]) -> Delete:
    value, payload = decoded
    get = value.get
    deleted_date = time_of(get(event_fields["deleted_date"])) or time_of(get("CreatedDate"))
    if deleted_date is None:
        raise DecodeError(f"neither {event_fields['deleted_date']} nor CreatedDate is a time")
    return Delete(
        event.event_id,
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
    header: Mapping[str, Any], decoded: Decoded, event: Event, origin: Origin, remarks: Mapping[str, Any]
) -> Sequence[Union[Delete, Gap]]:
    value, payload = decoded
    committed = time_of(header.get("commitTimestamp"))
    if committed is None:
        raise DecodeError(f"commitTimestamp {header.get('commitTimestamp')!r} is not a time")
    object_name = text(header.get("entityName"))
    change_type = header["changeType"]
    if change_type == "GAP_OVERFLOW":
        return (_gap("overflow", object_name, committed, event, origin),)

    record_ids = _record_ids(header)
    notes = {**remarks, "gap": True} if change_type == "GAP_DELETE" else remarks
    deleted_by, owner_id = text(header.get("commitUser")), text(value.get("OwnerId"))
    rows: list[Union[Delete, Gap]] = []
    unnamed = False
    for record_id in record_ids:
        wildcard = record_id[-1] == "*"
        unnamed = unnamed or wildcard
        rows.append(
            Delete(
                event.event_id if len(record_ids) == 1 else f"{event.event_id}:{record_id}",
                origin.topic,
                object_name,
                record_id,
                deleted_by,
                committed,
                owner_id,
                _noted(payload, {**notes, "wildcard": True} if wildcard else notes) if wildcard or notes else payload,
                origin.received_at,
                event.replay_id,
                event.schema_id,
            )
        )
    if unnamed:
        rows.append(_gap("wildcard", object_name, committed, event, origin))
    return rows


def _record_ids(header: Mapping[str, Any]) -> Sequence[str]:
    """Those that a change event names, each once."""
    named = header.get("recordIds")
    record_ids: Sequence[Any] = named if isinstance(named, list) else ()
    for record_id in record_ids:
        if not record_id or not isinstance(record_id, str):
            record_ids = ()
            break
    if not record_ids:
        raise DecodeError(f"a {header['changeType']} of {text(header.get('entityName'))} names no record id")
    return record_ids if len(record_ids) == 1 else list(dict.fromkeys(record_ids))


def _noted(payload: str, notes: Mapping[str, Any]) -> str:
    """The event's JSON, with what the tracker has to add."""
    return f'{payload[:-1]},"_tracker":{as_json(notes)}}}'


def told_apart(deletes: Sequence[Delete], failures: Sequence[RejectedEvent] = ()) -> Sequence[Delete]:
    """The same deletes, with the record's id added to the key of those that share an event's id and name different records.

    Of ``failures``, which share an event's id with a delete, the record is not known and taken to be another.

    So a change of several records has the same keys, whether it came as one event or, on an enriched channel, as several under
    its id. Both must be given whole: a part of them would be keyed differently.
    """
    undecoded = {failure.event_id for failure in failures}
    if len({delete.event_id for delete in deletes}) == len(deletes) and not undecoded:
        return deletes
    records: dict[str, set[str | None]] = {event_id: {""} for event_id in undecoded}
    for delete in deletes:
        records.setdefault(delete.event_id, set()).add(delete.record_id)
    return [
        delete._replace(event_id=f"{delete.event_id}:{delete.record_id}") if len(records[delete.event_id]) > 1 else delete
        for delete in deletes
    ]


BITMAPS = {"changed_fields": "changedFields", "nulled_fields": "nulledFields", "diff_fields": "diffFields"}
BITMAP = re.compile(r"(?:(\d+)-)?0x([0-9A-Fa-f]+)")


def _expanded(header: Mapping[str, Any], schema_fields: Fields) -> dict[str, Any]:
    """The names behind the header's bitmaps, as far as they can be told; the raw ones stay in the payload.

    ``0x…`` is a set of top-level fields, least significant bit first; ``<position>-0x…`` one of the fields nested at a position
    (Salesforce "Pub/Sub API" guide, "Event Deserialization Considerations").
    """
    if not (header.get("changedFields") or header.get("nulledFields") or header.get("diffFields")):
        return {}
    names = {
        ours: [name for bitmap in header.get(theirs) or () for name in _names(str(bitmap), schema_fields)]
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
    """The record of an event that could not be decoded."""
    return RejectedEvent(
        reject_id=identity(origin.topic, event.event_id, event.replay_id, event.payload),
        topic=origin.topic,
        event_id=event.event_id,
        replay_id=event.replay_id,
        schema_id=event.schema_id,
        payload=event.payload,
        error=str(error),
        received_at=origin.received_at,
    )


def cursor_gap(reason: str, origin: Origin, *, cursor: bytes, lost_since: str | None) -> Gap:
    """The gap that an unusable cursor leaves: from when it was saved to now, of which EARLIEST brings back what is retained.

    Args:
        reason: ``expired_cursor`` or ``unreadable_cursor``.
        origin: where and when that was noticed.
        cursor: the replay id that cannot be used, or the bytes that could not be read.
        lost_since: when that cursor was saved, if known.
    """
    return Gap(
        gap_id=identity(origin.org_id, origin.topic, cursor, reason),
        topic=origin.topic,
        reason=reason,
        object_name=None,
        from_replay_id=cursor,
        from_time=lost_since,
        to_time=origin.received_at,
        detected_at=origin.received_at,
    )
