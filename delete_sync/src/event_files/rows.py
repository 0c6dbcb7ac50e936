"""Turns the rows of ``events`` into lines of JSON for Snowflake.

A row with a value that Snowflake would refuse becomes a reject.

Each text of the file is a str in which every byte that is not UTF-8 is a surrogate, as Python's
error handler ``surrogateescape`` makes it.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quote
from typing import Any

from . import values
from .lines import Row, line
from .payloads import RefusedValueError, checked, is_utf8

# The columns that the functions expect in a row, in this order.
EVENTS = (
    *("id", "event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id"),
    *("deleted_date", "ingested_at", "payload", "replay_id", "schema_id"),
)
TEXTS = EVENTS[1:7]
DELETED_DATE = EVENTS.index("deleted_date")
RECORD_ID = TEXTS.index("record_id")


def delete(row: Row, name: str) -> bytes:
    """The line of a row of ``events`` that goes into ``delete_tracker``.

    U+0000 in a text becomes U+FFFD, and the payload says so. A record id of 15 characters gets its
    checksum.

    Args:
        row: the columns ``EVENTS``.
        name: the name of the file in the container.

    Raises:
        RefusedValueError: Snowflake would refuse a value.
    """
    _, *found, deleted_date, ingested_at, payload, _, _ = row
    texts = [_fitting(column, value) for column, value in zip(TEXTS, found)]
    clean = [text and text.replace("\0", "\ufffd") for text in texts]
    if not texts[0]:
        raise RefusedValueError("event_id is empty")
    if not values.is_time(deleted_date):
        raise RefusedValueError("deleted_date is not a time")
    if not values.is_time(ingested_at):
        raise RefusedValueError("ingested_at is not a time")
    if type(payload) is not str:
        raise RefusedValueError("payload is not text")
    payload = checked(payload, nul_replaced=clean != texts)
    record = clean[RECORD_ID]
    if record and len(record) == values.SHORT_ID:
        clean[RECORD_ID] = values.record_id(record)  # as _erased has it
    event_id, topic, object_name, record_id, deleted_by, owner_id = (
        "null" if text is None else quote(text) for text in clean
    )
    encoded = (
        f'{{"kind":"delete","event_file":{quote(name)},"event_id":{event_id},"topic":{topic},'
        f'"object_name":{object_name},"record_id":{record_id},"deleted_by":{deleted_by},'
        f'"deleted_date":"{deleted_date[:23]}","owner_id":{owner_id},'
        f'"ingested_at":"{ingested_at[:23]}","payload":{payload}}}'
    )
    try:
        return encoded.encode()
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
    _, event_id, topic, _, _, _, _, _, ingested_at, payload, replay_id, schema_id = row
    return line(
        kind="reject",
        refused_by="sync",
        reject_id=key_of_refused(row, sha256),
        event_file=name,
        topic=values.text(topic),
        event_id=values.text(event_id, 1000),
        replay_id=values.hexadecimal(replay_id),
        schema_id=values.text(schema_id),
        error=problem,
        received_at=values.text(ingested_at),
        payload=values.hexadecimal(payload),
    )


def key_of_refused(row: Row, sha256: str) -> str:
    """The key of the reject that a row of ``events`` becomes: the row's place."""
    return f"{sha256}:{row[0]}"


def _fitting(column: str, value: Any) -> str | None:
    """The value itself, which fits into a VARCHAR of the table."""
    if value is None:
        return None
    if type(value) is not str:
        raise RefusedValueError(f"{column} is not text")
    if len(value) > values.LONGEST_TEXT:
        raise RefusedValueError(f"{column} is longer than {values.LONGEST_TEXT} characters")
    return value


def _not_utf8(row: Row) -> str:
    """The first column of a row of ``events`` that has a byte that is not UTF-8."""
    return next(
        column for column, value in zip(EVENTS, row) if type(value) is str and not is_utf8(value)
    )
