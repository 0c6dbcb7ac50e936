"""The quick way for rows of ``events`` as the collector writes them.

A row takes this way only if it is certain that Snowflake accepts it as it is. Every other row takes
the exact way, ``rows.delete``, which has the rules and the reasons. Both ways make the same line.

What makes it certain: ``orjson`` reads the payload and writes its value again, and the result is
the payload, byte for byte. Then the payload is JSON in UTF-8 on one line, no object has a key
twice, no number has more than 20 digits or is too large, and no character is half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from .payloads import DEEPEST, LARGEST
from .values import LONGEST_TEXT, SHORT_ID, is_time

# The payload is the bytes of the text, or nothing if it is not a text.
COLUMNS = (
    *("id", "event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id"),
    *("deleted_date", "ingested_at"),
    "CASE WHEN typeof(payload) = 'text' THEN CAST(payload AS BLOB) END",
)
DELETED_DATE = COLUMNS.index("deleted_date")


def delete(row: Sequence[Any], name: str) -> bytes | None:
    """The line of a row of ``events``, or nothing if the row has to take the exact way.

    Args:
        row: the columns ``COLUMNS``, from a file whose texts are stored in UTF-8.
        name: the name of the file in the container.
    """
    _, event_id, topic, object_name, record_id, deleted_by, owner_id, date, ingested_at, raw = row
    if not event_id or not is_time(date) or not is_time(ingested_at):
        return None
    try:
        # All together are seldom as long as one may be. Anything but a text is an error here.
        if len("".join([it for it in row[1:7] if it is not None])) > LONGEST_TEXT:
            return None
        if record_id and len(record_id) == SHORT_ID:  # it needs its checksum
            return None
        payload = orjson.loads(raw)
        line = orjson.dumps(
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
                "payload": payload,
            }
        )
    except (TypeError, ValueError):
        return None
    certain = (
        type(payload) is dict
        and line.endswith(raw, 0, -1)
        and len(raw) <= LARGEST
        and _count(raw, b"{") + _count(raw, b"[") <= DEEPEST
        # U+0000 needs a note. JSON writes it with a backslash, for which the search is fastest.
        and not (b"\\" in line and b"\\u0000" in line)
    )
    return line if certain else None


def _count(text: bytes, byte: bytes) -> int:
    """How often a rare byte is in the text. ``bytes.count`` takes five times as long."""
    return len(text) - len(text.replace(byte, b""))
