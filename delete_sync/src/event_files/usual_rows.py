"""The quick way for rows of ``events`` and ``listed_deletes`` as the collector writes them.

A row takes this way only if it is certain that Snowflake accepts it as it is. Every other row takes
the exact way, ``rows.delete`` or ``companion_rows.listed_delete``, which has the rules and the
reasons. Both ways make the same line.

What makes it certain: ``orjson`` reads the payload and writes its value again, and the result is
the payload, byte for byte. Then the payload is JSON in UTF-8 on one line, no object has a key
twice, no number has more than 20 digits or is too large, and no character is half.

In the payload of a change event, the fields after the header are mostly null, and the same in many
rows. So header and fields are checked as two objects, and the second one only once. If each is
certain, and they have no common key, then the payload is certain.
"""

from __future__ import annotations

import functools
from typing import Any

import orjson

from .lines import Row
from .payloads import DEEPEST, LARGEST, is_utf8
from .values import LONGEST_KEY, LONGEST_TEXT, SHORT_ID, is_time

# The payload is the bytes of the text, or nothing if it is not a text.
COLUMNS = (
    *("id", "event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id"),
    *("deleted_date", "ingested_at"),
    "CASE WHEN typeof(payload) = 'text' THEN CAST(payload AS BLOB) END",
)
DELETED_DATE = COLUMNS.index("deleted_date")
LONG_ID = 18  # characters of a record id with its checksum
LISTED_BY = ("both", "getDeleted", "queryAll")
STATES = ("bin", "purged", "unknown")
HEADER = b'{"ChangeEventHeader":{'
NO_KEYS: frozenset[str] = frozenset()
MOST_FIELDS = 16_000  # bytes of fields that are remembered
_is_time = functools.lru_cache(maxsize=100)(is_time)  # the events of a response have one time


def delete(row: Row, name: str) -> bytes | None:
    """The line of a row of ``events``, or nothing if the row has to take the exact way.

    Args:
        row: the columns ``COLUMNS``, from a file whose texts are stored in UTF-8.
        name: the name of the file in the container.
    """
    _, event_id, topic, object_name, record_id, deleted_by, owner_id, date, ingested_at, raw = row
    if not event_id or not raw or not is_time(date) or not _is_time(ingested_at):
        return None
    if not _fit(row[1:7]) or (record_id and len(record_id) == SHORT_ID):  # it needs its checksum
        return None
    return _line(
        {
            "kind": "delete",
            "event_file": name,
            "event_id": event_id,
            "topic": topic,
            "object_name": object_name,
            "record_id": record_id,
            "deleted_by": deleted_by,
            "deleted_date": date[:23],
            "owner_id": owner_id,
            "ingested_at": ingested_at[:23],
            "payload": None,
        },
        raw,
    )


def listed_delete(row: Row, name: str) -> bytes | None:
    """The line of a row of ``listed_deletes``, or nothing if it has to take the exact way.

    Args:
        row: the columns ``companion_rows.LISTED_DELETES``.
        name: the name of the file in the container.
    """
    key, object_name, record_id, date, deleted_by, owner_id, merged_into, *others = row
    listed_by, state, payload = others
    if not key or listed_by not in LISTED_BY or state not in STATES or not is_time(date):
        return None
    if not _fit((key, object_name, record_id, deleted_by, owner_id, merged_into)):
        return None
    if len(key) > LONGEST_KEY or len(record_id or "") != LONG_ID:
        return None
    if len(merged_into or record_id) != LONG_ID:
        return None
    if type(payload) is not str or not is_utf8(payload):
        return None
    return _line(
        {
            "kind": "listed",
            "event_file": name,
            "check_id": key,
            "object_name": object_name,
            "record_id": record_id,
            "deleted_date": date[:23],
            "deleted_by": deleted_by,
            "owner_id": owner_id,
            "merged_into": merged_into,
            "listed_by": listed_by,
            "state": state,
            "payload": None,
        },
        payload.encode(),
    )


def _fit(texts: Row) -> bool:
    """Whether all of them are texts or null, and short enough for any column."""
    try:
        # All together are seldom as long as one may be.
        return len("".join([it for it in texts if it is not None])) <= LONGEST_TEXT
    except TypeError:
        return False


def _line(values: dict[str, Any], payload: bytes) -> bytes | None:
    """The line of these values and the payload, or nothing if it is not certain."""
    header, fields = _parts(payload)
    try:
        values["payload"] = value = orjson.loads(header)
        keys = _keys(fields) if fields else NO_KEYS
        line = orjson.dumps(values)
    except (TypeError, ValueError):
        return None
    certain = (
        type(value) is dict
        and line.endswith(header, 0, -1)
        and len(payload) <= LARGEST
        and not _is_deep(header)
        and not _has_nul(line)
    )
    if not certain or keys is None or not keys.isdisjoint(value):
        return None
    return b"%b,%b}" % (line[:-2], fields) if fields else line


def _parts(payload: bytes) -> tuple[bytes, bytes]:
    """The object with the header alone, and the fields after it with their closing bracket.

    If the payload has no header, all of it is the first part, and the second one is empty.
    """
    if payload.startswith(HEADER):
        end = payload.find(b'},"', len(HEADER))
        if end > 0 and len(payload) - end <= MOST_FIELDS:
            return payload[: end + 1] + b"}", payload[end + 2 :]
    return payload, b""


@functools.lru_cache(maxsize=100)
def _keys(fields: bytes) -> frozenset[str] | None:
    """The keys of these fields, or nothing if they are not certain.

    Raises:
        ValueError: they are not JSON.
    """
    text = b"{" + fields
    value = orjson.loads(text)
    certain = orjson.dumps(value) == text and not _is_deep(text) and not _has_nul(text)
    return frozenset(value) if certain else None


def _is_deep(text: bytes) -> bool:
    """Whether the JSON may have too many levels."""
    return _count(text, b"{") + _count(text, b"[") > DEEPEST


def _has_nul(text: bytes) -> bool:
    """Whether the JSON may have U+0000, which needs a note.

    JSON writes it with a backslash, for which the search is fastest.
    """
    return b"\\" in text and b"\\u0000" in text


def _count(text: bytes, byte: bytes) -> int:
    """How often a rare byte is in the text. ``bytes.count`` takes five times as long."""
    return len(text) - len(text.replace(byte, b""))
