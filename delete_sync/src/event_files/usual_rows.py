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
from collections.abc import Sequence
from itertools import chain
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
PAYLOAD = len(COLUMNS) - 1
LONG_ID = 18  # characters of a record id with its checksum
LISTED_BY = ("both", "getDeleted", "queryAll")
STATES = ("bin", "purged", "unknown")
HEADER = b'{"ChangeEventHeader":{'
NO_KEYS: frozenset[str] = frozenset()
MOST_FIELDS = 16_000  # bytes of fields that are remembered
TEXT_OR_NULL = frozenset((str, type(None)))


def deletes(some: Sequence[Row], name: str) -> bytes | None:
    """The lines of some rows of ``events``, or nothing if one of them has to take the exact way.

    Args:
        some: rows of the columns ``COLUMNS``, from a file whose texts are stored in UTF-8.
        name: the name of the file in the container.
    """
    _, *texts, dates, ingested, payloads = zip(*some)
    if not all(map(is_time, dates)) or not all(map(is_time, set(ingested))):
        return None
    if not all(texts[0]) or not all(payloads) or not _fit([*chain(*texts)]):
        return None
    if SHORT_ID in map(len, filter(None, texts[3])):  # it needs its checksum
        return None
    lines = _Lines()
    for row in some:
        _, event_id, topic, object_name, record_id, deleted_by, owner_id, date, at, payload = row
        values = {
            "kind": "delete",
            "event_file": name,
            "event_id": event_id,
            "topic": topic,
            "object_name": object_name,
            "record_id": record_id,
            "deleted_by": deleted_by,
            "deleted_date": date[:23],
            "owner_id": owner_id,
            "ingested_at": at[:23],
            "payload": None,
        }
        if not lines.add(values, payload):
            return None
    return lines.joined()


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
    lines = _Lines()
    certain = lines.add(
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
    joined = lines.joined() if certain else None
    return joined[:-1] if joined else None


def _fit(texts: Sequence[Any]) -> bool:
    """Whether all of them are texts or null, and short enough for any column."""
    return (
        TEXT_OR_NULL.issuperset(map(type, texts))
        and max(map(len, filter(None, texts)), default=0) <= LONGEST_TEXT
    )


class _Lines:
    """Lines of rows, one after the other. It remembers the fields of the last payload."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._fields = b""  # with the comma before them and the bracket after them
        self._keys: frozenset[str] = NO_KEYS

    def add(self, values: dict[str, Any], payload: bytes) -> bool:
        """Add the line of these values and the payload, if it is certain."""
        if not self._fields or not payload.endswith(self._fields):
            self._fields, self._keys = _fields(payload)
        fields = self._fields
        header = payload[: -len(fields)] + b"}" if fields else payload
        try:
            values["payload"] = value = orjson.loads(header)
            line = orjson.dumps(values)
        except (TypeError, ValueError):
            return False
        if (
            type(value) is not dict
            or not line.endswith(header, 0, -1)
            or len(payload) > LARGEST
            or header.count(b"{") + header.count(b"[") > DEEPEST
        ):
            return False
        if not fields:
            self._parts += (line, b"\n")
            return True
        self._parts += (line[:-2], fields, b"}\n")
        return bool(value) and self._keys.isdisjoint(value)  # no comma may follow {

    def joined(self) -> bytes | None:
        """All lines, each with a line break, or nothing if one of them is not certain."""
        text = b"".join(self._parts)
        return None if _has_nul(text) else text


def _fields(payload: bytes) -> tuple[bytes, frozenset[str]]:
    """The fields after the header, and their keys. Nothing if they are not certain."""
    if payload.startswith(HEADER):
        end = payload.find(b'},"', len(HEADER)) + 1
        if end > 0 and len(payload) - end <= MOST_FIELDS:
            fields = payload[end:]
            keys = _keys(fields)
            if keys is not None:
                return fields, keys
    return b"", NO_KEYS


@functools.lru_cache(maxsize=100)
def _keys(fields: bytes) -> frozenset[str] | None:
    """The keys of these fields, or nothing if they are not certain."""
    text = b"{" + fields[1:]
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    certain = orjson.dumps(value) == text and not _is_deep(text) and not _has_nul(text)
    return frozenset(value) if certain else None


def _is_deep(text: bytes) -> bool:
    """Whether the JSON may have too many levels."""
    return text.count(b"{") + text.count(b"[") > DEEPEST


def _has_nul(text: bytes) -> bool:
    """Whether the JSON may have U+0000, which needs a note.

    JSON writes it with a backslash, for which the search is fastest.
    """
    return b"\\" in text and b"\\u0000" in text
