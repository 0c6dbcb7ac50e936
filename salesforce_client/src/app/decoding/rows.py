"""What the rows of all kinds of events share: their origin, notes, rejected events and gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model import Event, Gap, RejectedEvent, identity
from .values import as_json

# An escape sequence of JSON. After an escaped backslash, u0000 is plain text.
ESCAPE = re.compile(r"\\(?:u0000|.)")
WITHOUT_ID = "the event has no id; a second delivery of it would make a duplicate row"
INSTEAD_OF_NUL = "\ufffd"  # the Unicode replacement character


class Origin(NamedTuple):
    """Where and when events were received. ``received_at`` is UTC text."""

    org_id: str
    topic: str
    received_at: str


def noted(payload: str, notes: Mapping[str, Any]) -> str:
    """The event's JSON, with the remarks of this app in the field ``_tracker``."""
    return f'{payload[:-1]},"_tracker":{as_json(notes)}}}'


def without_nul(payload: str) -> str:
    r"""The event's JSON with U+FFFD for each U+0000. It is the same object if it has none.

    Snowflake stores no U+0000. In JSON it is the escape sequence ``\u0000``. The search for one
    backslash takes a tenth of the time of a search for the sequence, and few events have one.
    """
    if "\\" not in payload or "\\u0000" not in payload:
        return payload
    found = ESCAPE.sub(lambda it: INSTEAD_OF_NUL if it[0] == "\\u0000" else it[0], payload)
    return payload if found == payload else found


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
