"""Makes the values of a row fit into the columns of a companion table.

A value that Snowflake would refuse is cut, replaced or left out, so that its row arrives.

Each text of an event file is a str in which every byte that is not UTF-8 is a surrogate, as
Python's error handler ``surrogateescape`` makes it.
"""

from __future__ import annotations

import functools
import hashlib
import re
import string
from datetime import date
from typing import Any

from . import record_ids
from .payloads import RefusedValueError, checked, is_utf8, parsed

LONGEST_TEXT = 255  # characters of a VARCHAR in the tables; Snowflake counts no bytes
LONGEST_KEY = 64  # characters: a SHA-256 in hex
MOST_BYTES = 8_000_000  # of a rejected payload, because its hex must fit into a VARCHAR of 16 MB
EARLIEST_TIME = "1582"  # the Gregorian calendar begins; Snowflake advises against earlier years
LENGTH_OF_DAY = len("2026-01-31")
TIME_OF_DAY = re.compile(r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z")
SHORT_ID = record_ids.SHORT
ID_LETTERS = frozenset(string.ascii_letters + string.digits)


def text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """A value of any type as a text of limited length, in characters."""
    if value is None:
        return None
    found = value.decode(errors="surrogateescape") if type(value) is bytes else str(value)
    return _utf8(found[:longest]).replace("\0", "\ufffd")


def _utf8(value: str) -> str:
    """The text with U+FFFD for everything that is not UTF-8."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def is_time(value: Any) -> bool:
    """Whether the value is a time in the form that event files use."""
    return (
        type(value) is str
        and TIME_OF_DAY.fullmatch(value, LENGTH_OF_DAY) is not None
        and _is_day(value[:LENGTH_OF_DAY])
    )


@functools.lru_cache(maxsize=10_000)  # nearly all times are of few days
def _is_day(value: str) -> bool:
    try:
        return value >= EARLIEST_TIME and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def time(value: Any) -> str | None:
    """A time without its Z, because TIMESTAMP_NTZ has no time zone. None if it is no time."""
    return value[:23] if is_time(value) else None


def hexadecimal(value: Any) -> str | None:
    """Bytes as hexadecimal text. None if there are none, or too many for a VARCHAR."""
    if value is None:
        return None
    raw = value if type(value) is bytes else str(value).encode(errors="surrogateescape")
    return raw.hex().upper() if len(raw) < MOST_BYTES else None


def count(value: Any) -> int | None:
    """A number of things. None if the value is something else."""
    return value if type(value) is int and value >= 0 else None


def names(value: Any) -> list[str | None] | None:
    """The names in a JSON list of texts. None if the value is something else."""
    try:
        found = parsed(value) if type(value) is str else None
    except RefusedValueError:
        return None
    if type(found) is not list or not all(type(name) is str for name in found):
        return None
    return [text(name) for name in found]


def payload(value: Any) -> str:
    """A payload as one line of JSON that Snowflake can store. Empty if that is not possible."""
    try:
        line = checked(value) if type(value) is str else ""
    except RefusedValueError:
        return ""
    return line if is_utf8(line) else ""


def record_id(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """A record id. If it has 15 characters, its checksum is added."""
    found = text(value, longest)
    if found is None or len(found) != SHORT_ID or not set(found) <= ID_LETTERS:
        return found
    return record_ids.with_checksum(found)


def is_key(value: Any, longest: int = LONGEST_KEY) -> bool:
    """Whether the value is a well-formed key. A key identifies a row, so it cannot be cut."""
    return type(value) is str and 0 < len(value) <= longest and "\0" not in value and is_utf8(value)


def key(value: Any, sha256: str, column: str, number: int) -> str:
    """The key of a row.

    If it is malformed, the place of the row in its file identifies the row.
    """
    return value if is_key(value) else f"{sha256}:{column}:{number}"


def key_without_place(value: Any, sha256: str, column: str, longest: int = LONGEST_KEY) -> str:
    """The key of a row in a table WITHOUT ROWID, where a row has no place.

    If it is malformed, its digest identifies the row in its file. So a row that names the key of
    another row still names it.
    """
    if is_key(value, longest):
        return str(value)
    raw = value if type(value) is bytes else str(value).encode(errors="surrogateescape")
    digest = hashlib.sha256(type(value).__name__.encode() + b":" + raw).hexdigest()
    return f"{sha256}:{column}:{digest[:16]}"
