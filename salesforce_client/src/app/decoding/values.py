"""Writes values in the form that the event file has: times and JSON."""

from __future__ import annotations

import base64
import functools
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECONDS = tuple(f".{millisecond:03}Z" for millisecond in range(1000))


def from_milliseconds(since_1970: int) -> str:
    """The UTC text for milliseconds since 1970.

    Raises:
        ValueError, OverflowError: the time is not in the years 1 to 9999.
    """
    seconds, milliseconds = divmod(since_1970, 1000)
    return _second(seconds) + MILLISECONDS[milliseconds]


@functools.lru_cache(maxsize=1024)
def _second(since_1970: int) -> str:
    return (EPOCH + timedelta(seconds=since_1970)).isoformat()[:19]


def as_json(value: Any) -> str:
    """A decoded Avro value as compact JSON.

    Integers are exact and bytes are base64. NaN and infinities are strings.
    """
    try:
        quick = orjson.dumps(value, default=_base64)
        # orjson writes NaN and infinities as null, so a text with null needs the slow way.
        if (
            b":null" not in quick
            and b",null" not in quick
            and b"[null" not in quick
            and quick != b"null"
        ):
            return quick.decode()
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        pass
    return ENCODER.encode(_without_nan(value))


def as_json_without_doubles(value: Any) -> str:
    """The same for a value that has no doubles. The search for NaN takes most of the time."""
    try:
        return orjson.dumps(value, default=_base64).decode()
    except orjson.JSONEncodeError:
        return as_json(value)


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_base64
)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return str(value) if value - value != 0 else value  # NaN and the infinities
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value


def text(value: Any) -> str | None:
    """The value as text. None if it is missing or empty."""
    return None if value is None or value == "" else str(value)


def time_of(value: Any) -> str | None:
    """The UTC text for milliseconds since 1970. None if the value is not such a number."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return from_milliseconds(value)
    except (ValueError, OverflowError):
        pass
    return None
