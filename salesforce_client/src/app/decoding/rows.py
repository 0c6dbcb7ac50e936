"""What all kinds of events share: their origin, notes, restores, rejected events and gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from ..model.events import Event
from ..model.ids import identity
from ..model.rows import Gap, RejectedEvent, Restore
from .values import as_json, text

# An escape sequence of JSON. After an escaped backslash, u0000 is plain text.
ESCAPE = re.compile(r"\\(?:u0000|.)")
WITHOUT_ID = "the event has no id; a second delivery of it would make a duplicate row"
INSTEAD_OF_NUL = "\ufffd"  # the Unicode replacement character
# Makes a named tuple of a plain one, in half the time that a call of its class takes.
new_row = tuple.__new__
LONGEST_TEXT = 255  # characters of a text column in Snowflake, also of the key
DIGEST_CHARACTERS = 16
# So the key of a platform event has room for a record id.
LONGEST_ID = LONGEST_TEXT - len(f":{DIGEST_CHARACTERS * '0'}:{18 * '0'}")


class Origin(NamedTuple):
    """Where and when events were received. ``received_at`` is UTC text."""

    org_id: str
    topic: str
    received_at: str


def keys_of(event_ids: Sequence[str], contents: Sequence[bytes]) -> list[str]:
    """The keys of platform events with these ids and these bytes.

    Publishers choose the event id, and some use the same id again. The digest of the bytes
    distinguishes such events.
    """
    return [
        f"{event_id}:{sha256(content).hexdigest()[:DIGEST_CHARACTERS]}"
        for event_id, content in zip(event_ids, contents)
    ]


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


def fitting(value: Any, column: str, notes: dict[str, Any]) -> str | None:
    """The value as text that fits into its column. None if it is missing or empty.

    A longer text is cut, and the notes get the name of the column.
    """
    # Nearly all values are like this.
    if type(value) is str and 0 < len(value) <= LONGEST_TEXT and "\0" not in value:
        return value
    found = text(value)
    if found is None:
        return None
    if len(found) > LONGEST_TEXT:
        notes.setdefault("cut", []).append(column)
        found = found[:LONGEST_TEXT]
    return found.replace("\0", INSTEAD_OF_NUL)


def restores(
    keys: Mapping[str, str],
    origin: Origin,
    event: Event,
    object_name: Any,
    restored_by: Any,
    restored_date: str,
) -> Sequence[Restore]:
    """The restores that an event tells of, one for each record.

    A restore keeps no payload, so there is no place for notes. Its texts are cut, and U+FFFD
    replaces U+0000, as in deletes.

    Args:
        keys: the ids of the restores, each with its record id.
        origin: where the event comes from.
        event: the event.
        object_name: the value of this column, as the event has it.
        restored_by: the same.
        restored_date: when the records came back.
    """
    first = Restore(
        restore_id="",
        topic=origin.topic,
        object_name=fitting(object_name, "object_name", {}),
        record_id=None,
        restored_by=fitting(restored_by, "restored_by", {}),
        restored_date=restored_date,
        found_by="event",
        ingested_at=origin.received_at,
        replay_id=event.replay_id,
        schema_id=event.schema_id,
    )
    return [first._replace(restore_id=key, record_id=record_id) for key, record_id in keys.items()]


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


def cursor_gap(reason: str, origin: Origin, cursor: bytes | None, since: str | None) -> Gap:
    """The gap of an unusable cursor, or of a topic that could not be read, until now.

    The drain reads all events that Salesforce still has, unless it starts from LATEST.

    Each poll that notices it makes a gap of its own. A poll may be killed after it has stored a gap
    and before it has moved the cursor. The next poll finds the same cursor, and more events may
    have expired until then.

    Args:
        reason: ``expired_cursor``, ``unreadable_cursor`` or ``not_readable``.
        origin: where and when the collector noticed it.
        cursor: the replay id that Salesforce rejected, or the bytes that could not be read. None if
            the topic was never read.
        since: the time of the cursor's position, or of the first try, if it is known.
    """
    return Gap(
        gap_id=identity(origin.org_id, origin.topic, cursor or b"", reason, origin.received_at),
        topic=origin.topic,
        reason=reason,
        object_name=None,
        from_replay_id=cursor,
        from_time=since,
        to_time=origin.received_at,
        detected_at=origin.received_at,
    )
