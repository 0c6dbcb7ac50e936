"""Turns the rows of an event file into lines of JSON for Snowflake.

A row of ``events`` with a value that Snowflake would refuse becomes a reject. In the other tables,
such a value is cut, replaced or left out, so that the row arrives.

Each text of the file is a str in which every byte that is not UTF-8 is a surrogate, as Python's
error handler ``surrogateescape`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from json.encoder import encode_basestring as quote
from typing import Any

from .payloads import RefusedValueError, checked, is_utf8, parsed

Row = Sequence[Any]

LONGEST_TEXT = 255  # characters of a VARCHAR in the tables; Snowflake counts no bytes
LONGEST_KEY = 64  # characters: a SHA-256 in hex
MOST_BYTES = 8_000_000  # of a rejected payload, because its hex must fit into a VARCHAR of 16 MB
EARLIEST_TIME = "1582"  # the Gregorian calendar begins; Snowflake advises against earlier years

# The columns that the functions below expect in a row, in this order.
EVENTS = (
    *("id", "event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id"),
    *("deleted_date", "ingested_at", "payload", "replay_id", "schema_id"),
)
TEXTS = EVENTS[1:7]
REJECTED_EVENTS = (
    *("rowid", "reject_id", "topic", "event_id", "replay_id", "schema_id", "error"),
    *("received_at", "payload"),
)
GAPS = (
    *("rowid", "gap_id", "topic", "reason", "object_name", "from_replay_id", "from_time"),
    *("to_time", "detected_at"),
)
COUNTS = ("received", "deletes", "restores", "skipped", "rejected", "gaps")
POLLS = (
    *("rowid", "poll_id", "org_id", "writer", "topic", "began_at", "ended_at", "objects"),
    *("ended", "read_until", "error", *COUNTS),
)

ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def delete(row: Row, name: str) -> bytes:
    """The line of a row of ``events`` that goes into ``delete_tracker``.

    U+0000 in a text becomes U+FFFD, and the payload says so.

    Args:
        row: the columns ``EVENTS``.
        name: the name of the file in the container.

    Raises:
        RefusedValueError: Snowflake would refuse a value.
    """
    _, *values, deleted_date, ingested_at, payload, _, _ = row
    texts = [_fitting(column, value) for column, value in zip(TEXTS, values)]
    clean = [text and text.replace("\0", "\ufffd") for text in texts]
    if not texts[0]:
        raise RefusedValueError("event_id is empty")
    if not _is_time(deleted_date):
        raise RefusedValueError("deleted_date is not a time")
    if not _is_time(ingested_at):
        raise RefusedValueError("ingested_at is not a time")
    if type(payload) is not str:
        raise RefusedValueError("payload is not text")
    payload = checked(payload, nul_replaced=clean != texts)
    event_id, topic, object_name, record_id, deleted_by, owner_id = (
        "null" if text is None else quote(text) for text in clean
    )
    line = (
        f'{{"kind":"delete","event_file":{quote(name)},"event_id":{event_id},"topic":{topic},'
        f'"object_name":{object_name},"record_id":{record_id},"deleted_by":{deleted_by},'
        f'"deleted_date":"{deleted_date[:23]}","owner_id":{owner_id},"payload":{payload},'
        f'"ingested_at":"{ingested_at[:23]}"}}'
    )
    try:
        return line.encode()
    except UnicodeEncodeError:
        raise RefusedValueError(f"{_not_utf8(row)} is not UTF-8") from None


def refused_row(row: Row, name: str, sha256: str, problem: str) -> bytes:
    """The line of a row of ``events`` that becomes a reject.

    Args:
        row: the columns ``EVENTS``.
        name: the name of the file in the container.
        sha256: the SHA-256 of its content. With the row's id it identifies the reject.
        problem: why Snowflake would refuse the row.
    """
    number, event_id, topic, _, _, _, _, _, ingested_at, payload, replay_id, schema_id = row
    return _line(
        kind="reject",
        refused_by="sync",
        reject_id=f"{sha256}:{number}",
        event_file=name,
        topic=_text(topic),
        event_id=_text(event_id, 1000),
        replay_id=_hex(replay_id),
        schema_id=_text(schema_id),
        error=problem,
        received_at=_text(ingested_at),
        payload=_hex(payload),
    )


def rejected_event(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``rejected_events``.

    Args:
        row: the columns ``REJECTED_EVENTS``.
        name: the name of the file in the container.
        sha256: the SHA-256 of its content.
    """
    number, key, topic, event_id, replay_id, schema_id, error, received_at, payload = row
    return _line(
        kind="reject",
        refused_by="collector",
        reject_id=_key(key, sha256, "reject_id", number),
        event_file=name,
        topic=_text(topic),
        event_id=_text(event_id, 1000),
        replay_id=_hex(replay_id),
        schema_id=_text(schema_id),
        error=_text(error, 4000),
        received_at=_text(received_at),
        payload=_hex(payload),
    )


def gap(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``gaps``.

    Args:
        row: the columns ``GAPS``.
        name: the name of the file in the container.
        sha256: the SHA-256 of its content.
    """
    number, key, topic, reason, object_name, from_replay_id, *times = row
    from_time, to_time, detected_at = (_time(value) for value in times)
    return _line(
        kind="gap",
        event_file=name,
        gap_id=_key(key, sha256, "gap_id", number),
        topic=_text(topic),
        reason=_text(reason),
        object_name=_text(object_name),
        from_replay_id=_hex(from_replay_id),
        from_time=from_time,
        to_time=to_time,
        detected_at=detected_at,
    )


def poll(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``polls``.

    Args:
        row: the columns ``POLLS``.
        name: the name of the file in the container.
        sha256: the SHA-256 of its content.
    """
    number, key, org_id, writer, topic, began_at, ended_at, objects, *others = row
    ended, read_until, error, *counts = others
    return _line(
        kind="poll",
        event_file=name,
        poll_id=_key(key, sha256, "poll_id", number),
        org_id=_text(org_id, 18),
        writer=_text(writer, 64),
        topic=_text(topic),
        began_at=_time(began_at),
        ended_at=_time(ended_at),
        objects=_names(objects),
        ended=_text(ended, 16),
        read_until=_time(read_until),
        **{column: _count(value) for column, value in zip(COUNTS, counts)},
        error=_text(error, 4000),
    )


def _line(**values: Any) -> bytes:
    return ENCODER.encode(values).encode()


def _fitting(column: str, value: Any) -> str | None:
    """The value itself, which fits into a VARCHAR of the table."""
    if value is None:
        return None
    if type(value) is not str:
        raise RefusedValueError(f"{column} is not text")
    if len(value) > LONGEST_TEXT:
        raise RefusedValueError(f"{column} is longer than {LONGEST_TEXT} characters")
    return value


def _not_utf8(row: Row) -> str:
    """The first column of a row of ``events`` that has a byte that is not UTF-8."""
    return next(
        column for column, value in zip(EVENTS, row) if type(value) is str and not is_utf8(value)
    )


def _utf8(text: str) -> str:
    """The text with U+FFFD for everything that is not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """A value of any type as a text of limited length, in characters."""
    if value is None:
        return None
    text = value.decode(errors="surrogateescape") if type(value) is bytes else str(value)
    return _utf8(text[:longest]).replace("\0", "\ufffd")


def _is_time(value: Any) -> bool:
    """Whether the value is a time in the form that event files use."""
    try:
        return (
            type(value) is str
            and value >= EARLIEST_TIME
            and f"{datetime.fromisoformat(value[:23]).isoformat(timespec='milliseconds')}Z" == value
        )
    except ValueError:
        return False


def _time(value: Any) -> str | None:
    """A time without its Z, because TIMESTAMP_NTZ has no time zone. None if it is no time."""
    return value[:23] if _is_time(value) else None


def _hex(value: Any) -> str | None:
    """Bytes as hexadecimal text. None if there are none, or too many for a VARCHAR."""
    if value is None:
        return None
    raw = value if type(value) is bytes else str(value).encode(errors="surrogateescape")
    return raw.hex().upper() if len(raw) < MOST_BYTES else None


def _count(value: Any) -> int | None:
    """A number of things. None if the value is something else."""
    return value if type(value) is int and value >= 0 else None


def _names(value: Any) -> list[str | None] | None:
    """The names in a JSON list of texts. None if the value is something else."""
    try:
        names = parsed(value) if type(value) is str else None
    except RefusedValueError:
        return None
    if type(names) is not list or not all(type(name) is str for name in names):
        return None
    return [_text(name) for name in names]


def _key(value: Any, sha256: str, column: str, number: int) -> str:
    """The key, which has 1 to 64 characters.

    It identifies a row that is delivered again, so it cannot be cut. If it is malformed, the place
    of the row in this file identifies it.
    """
    good = (
        type(value) is str
        and 0 < len(value) <= LONGEST_KEY
        and "\0" not in value
        and is_utf8(value)
    )
    return value if good else f"{sha256}:{column}:{number}"
