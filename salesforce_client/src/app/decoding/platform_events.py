"""Turns decoded platform events into deletes and restores.

Source: Salesforce "Platform Events Developer Guide". Publishers choose the fields and what is in
them. What is wrong in them either is read in the only plausible way and noted in ``_tracker``, or
makes the event a rejected event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

from ..errors import DecodeError
from ..model.events import Event
from ..model.rows import Delete, Restore
from .decode import Decoded
from .event_plan import RESTORE, SKIP, EventPlan
from .record_ids import read_record_ids
from .rows import (
    INSTEAD_OF_NUL,
    LONGEST_ID,
    WITHOUT_ID,
    Origin,
    fitting,
    keys_of,
    new_row,
    noted,
    restores,
    without_nul,
)
from .times import read_time

MOST_CHARACTERS = 16_000_000  # of the payloads of all rows of one event


def from_platform_event(
    decoded: Decoded, event: Event, origin: Origin, plan: EventPlan
) -> Sequence[Union[Delete, Restore]]:
    """The deletes or the restores in one platform event: one for each record that it names.

    Empty if the event is neither a delete nor a restore.

    Args:
        decoded: the event's decoded payload.
        event: the event.
        origin: where the event comes from.
        plan: which field of the event fills which column.

    Raises:
        DecodeError: the event can be read but cannot become a row, because it has no id or too long
            an id, or because its field of the record id is not usable.
    """
    event_id, schema_id, content, replay_id = event
    if not 0 < len(event_id) <= LONGEST_ID:
        raise _unusable(event_id)
    value, payload = decoded
    kind = plan.kind(value) if plan.clauses else plan.otherwise
    if kind == SKIP:
        return ()
    assert payload is not None  # it is None only for change events
    object_name, record_id, user, time, owner_id = plan.columns(value)
    record_ids, restored = read_record_ids(record_id, plan.record_id)
    deleted_date, read_from = read_time(time) or _instead(value, origin)
    notes: dict[str, Any] = {}
    if read_from:
        notes["deleted_date_from"] = read_from
    if restored:
        notes["record_id_from"] = "checksum"
    user = user or value.get("CreatedById")
    (key,) = keys_of((event_id,), (content,))
    if kind == RESTORE:
        key = key.replace("\0", INSTEAD_OF_NUL)
        keys = (
            {key: record_ids[0]}
            if len(record_ids) == 1
            else {f"{key}:{record_id}": record_id for record_id in record_ids}
        )
        return restores(keys, origin, event, object_name, user, deleted_date)
    object_name = fitting(object_name, "object_name", notes)
    user = fitting(user, "deleted_by", notes)
    owner_id = fitting(owner_id, "owner_id", notes)
    plain = without_nul(payload)
    if plain is not payload or "\0" in key:
        key = key.replace("\0", INSTEAD_OF_NUL)
        notes["nul_replaced"] = True
    row = new_row(
        Delete,
        (
            key,
            origin.topic,
            object_name,
            record_ids[0],
            user,
            deleted_date,
            owner_id,
            noted(plain, notes) if notes else plain,
            origin.received_at,
            replay_id,
            schema_id,
        ),
    )
    return (row,) if len(record_ids) == 1 else _one_for_each(record_ids, row)


def _unusable(event_id: str) -> DecodeError:
    if not event_id:
        return DecodeError(WITHOUT_ID)
    return DecodeError(f"the event's id has more than {LONGEST_ID} characters")


def _one_for_each(record_ids: Sequence[str], row: Delete) -> Sequence[Delete]:
    """The rows of an event that names several records. ``row`` is that of the first one."""
    if len(record_ids) * len(row.payload) > MOST_CHARACTERS:
        raise DecodeError("the event names so many records that its rows would be too large")
    return [
        row._replace(event_id=f"{row.event_id}:{record_id}", record_id=record_id)
        for record_id in record_ids
    ]


def _instead(value: Mapping[str, Any], origin: Origin) -> tuple[str, str]:
    """The time of an event that does not tell its own, and what it is, as ``_tracker`` says it."""
    found = read_time(value.get("CreatedDate"))
    return (found[0], "created_date") if found else (origin.received_at, "ingested_at")
