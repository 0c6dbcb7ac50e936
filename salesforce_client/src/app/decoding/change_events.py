"""Turns decoded change events into deletes, restores and gaps.

Source: Salesforce "Change Data Capture Developer Guide", pages "Change Event Header Fields",
"Gap Events" and "Overflow Events".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ..errors import DecodeError
from ..model.events import Event
from ..model.ids import identity
from ..model.rows import Delete, Gap, Restore
from .decode import TELLS_OF_DELETES, Decoded, Fields
from .rows import (
    LONGEST_TEXT,
    WITHOUT_ID,
    Origin,
    fitting,
    new_row,
    noted,
    restores,
    without_nul,
)
from .values import text, time_of

# A restore needs only the header of its event, so the body is not read (``Decoder``).
TELLS_OF_RESTORES = frozenset(("UNDELETE", "GAP_UNDELETE"))
EARLIEST_TIME = "1582"  # the sync accepts no time before this year


def from_change_event(
    decoded: Decoded,
    event: Event,
    origin: Origin,
    schema_fields: Fields = (),
    *,
    header_only: str | None = None,
) -> Sequence[Union[Delete, Restore, Gap]]:
    """The deletes, restores and gaps in one change event. Empty if the event reports none.

    Args:
        decoded: the event's decoded payload.
        event: the event.
        origin: where the event comes from.
        schema_fields: the field names for the bitmaps in the header.
        header_only: the reason, if only the header could be decoded.

    Raises:
        DecodeError: the event can be read but cannot become a row, because it has no id, no record
            id or no time, or because the ids make no key.
    """
    if not event.event_id:
        raise DecodeError(WITHOUT_ID)
    value, payload = decoded
    header = value["ChangeEventHeader"]
    restored = header["changeType"] in TELLS_OF_RESTORES
    if not restored and header["changeType"] not in TELLS_OF_DELETES:
        return ()
    committed = time_of(header.get("commitTimestamp"))
    if committed is None or committed < EARLIEST_TIME:
        raise DecodeError(f"commitTimestamp is not a time of the years {EARLIEST_TIME} to 9999")
    if restored:
        return _restores(header, committed, event, origin)
    assert payload is not None  # it is None only if the event reports no delete
    if header["changeType"] == "GAP_OVERFLOW":
        return (_gap("overflow", header, committed, event, origin),)
    notes = {"header_only": header_only} if header_only else _expanded(header, schema_fields)
    owner_id = text(value.get("OwnerId"))
    return _deletes(header, owner_id, committed, payload, event, origin, notes)


def _deletes(
    header: Mapping[str, Any],
    owner_id: str | None,
    committed: str,
    payload: str,
    event: Event,
    origin: Origin,
    notes: Mapping[str, Any],
) -> Sequence[Union[Delete, Gap]]:
    keys = _keys(header, event)
    if header["changeType"] == "GAP_DELETE":
        notes = {**notes, "gap": True}
    plain = without_nul(payload)
    object_name, deleted_by = text(header.get("entityName")), text(header.get("commitUser"))
    if (
        plain is not payload
        or len(object_name or "") > LONGEST_TEXT
        or len(deleted_by or "") > LONGEST_TEXT
        or len(owner_id or "") > LONGEST_TEXT
    ):
        notes = {**notes, "nul_replaced": True} if plain is not payload else {**notes}
        payload = plain
        object_name = fitting(object_name, "object_name", notes)
        deleted_by = fitting(deleted_by, "deleted_by", notes)
        owner_id = fitting(owner_id, "owner_id", notes)
    rows: list[Union[Delete, Gap]] = []
    unnamed = False
    for key, record_id in keys.items():
        wildcard = record_id[-1] == "*"
        unnamed = unnamed or wildcard
        rows.append(
            new_row(
                Delete,
                (
                    key,
                    origin.topic,
                    object_name,
                    record_id,
                    deleted_by,
                    committed,
                    owner_id,
                    noted(payload, {**notes, "wildcard": True} if wildcard else notes)
                    if wildcard or notes
                    else payload,
                    origin.received_at,
                    event.replay_id,
                    event.schema_id,
                ),
            )
        )
    if unnamed:
        rows.append(_gap("wildcard", header, committed, event, origin))
    return rows


def _restores(
    header: Mapping[str, Any], committed: str, event: Event, origin: Origin
) -> Sequence[Union[Restore, Gap]]:
    """The restores. A pattern names no record, so it is only a gap."""
    keys = _keys(header, event)
    named = {key: record_id for key, record_id in keys.items() if record_id[-1] != "*"}
    found = restores(
        named, origin, event, header.get("entityName"), header.get("commitUser"), committed
    )
    if len(named) == len(keys):
        return found
    return [*found, _gap("wildcard", header, committed, event, origin)]


def _keys(header: Mapping[str, Any], event: Event) -> Mapping[str, str]:
    """The record ids of a change event, each by the key that it makes with the event's id."""
    record_ids = header.get("recordIds")
    keys: dict[str, str] = {}
    for record_id in record_ids if isinstance(record_ids, list) else ():
        if not record_id or not isinstance(record_id, str):
            keys = {}
            break
        key = f"{event.event_id}:{record_id}"
        if len(key) > LONGEST_TEXT or "\0" in key:
            raise DecodeError(
                "the event's id and a record id make no key: together they have more than"
                f" {LONGEST_TEXT - 1} characters, or one of them has U+0000"
            )
        keys[key] = record_id
    if not keys:
        kind = header["changeType"]
        raise DecodeError(
            f"{'an' if kind[0] == 'U' else 'a'} {kind} of {text(header.get('entityName'))}"
            " names no record id"
        )
    return keys


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


def _gap(
    reason: str, header: Mapping[str, Any], committed: str, event: Event, origin: Origin
) -> Gap:
    return Gap(
        gap_id=identity(origin.org_id, origin.topic, event.event_id, reason),
        topic=origin.topic,
        reason=reason,
        object_name=fitting(header.get("entityName"), "object_name", {}),
        from_replay_id=event.replay_id,
        from_time=committed,
        to_time=committed,
        detected_at=origin.received_at,
    )
