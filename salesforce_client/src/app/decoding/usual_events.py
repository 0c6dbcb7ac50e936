"""Turns platform events into deletes, column by column, if all of them are as most events are.

This is faster than ``platform_events``, because most checks are made once for all events.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Optional

from ..model.events import Event
from ..model.ids import have_checksums
from ..model.rows import Delete
from .decode import Decoded
from .event_plan import DELETE, EventPlan
from .rows import LONGEST_ID, LONGEST_TEXT, Origin, keys_of, new_row
from .times import PLAIN_FROM, PLAIN_TO
from .values import from_milliseconds


def usual_deletes(
    decoded: Sequence[Decoded], events: Sequence[Event], origin: Origin, plan: EventPlan
) -> Optional[list[Delete]]:
    """One delete for each event, as ``from_platform_event`` makes it.

    Args:
        decoded: the decoded payloads of the events, at least one.
        events: the events, which have one schema.
        origin: where the events come from.
        plan: which field of the events fills which column.

    Returns:
        None if one of the events needs more than its values: it is no delete, or a value is
        missing, too long, no text, or not in the usual form.
    """
    values, payloads = zip(*decoded)
    event_ids, schema_ids, contents, replay_ids = zip(*events)
    kinds = set(map(plan.kind, values)) if plan.clauses else {plan.otherwise}
    if kinds != {DELETE}:
        return None
    object_names, record_ids, users, times, owner_ids = zip(*map(plan.columns, values))
    texts = (*object_names, *record_ids, *users, *owner_ids)
    if not (
        set(map(type, texts)) == {str}
        and set(map(type, times)) == {int}
        and all(texts)
        and all(event_ids)
        and max(map(len, texts)) <= LONGEST_TEXT
        and max(map(len, event_ids)) <= LONGEST_ID
        and min(times) >= PLAIN_FROM
        and max(times) < PLAIN_TO
        and have_checksums(record_ids)
        # JSON without a backslash has no U+0000, so no value has it either.
        and "\\" not in "".join(payloads)
        and "\0" not in "".join(event_ids)
    ):
        return None
    rows = zip(
        keys_of(event_ids, contents),
        repeat(origin.topic),
        object_names,
        record_ids,
        users,
        map(from_milliseconds, times),
        owner_ids,
        payloads,
        repeat(origin.received_at),
        replay_ids,
        schema_ids,
    )
    return [new_row(Delete, row) for row in rows]
