"""The lines of JSON that Snowflake loads, one for each row of an event file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Row = Sequence[Any]

ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def line(raw_payload: str = "", /, **values: Any) -> bytes:
    """A line with these values, and with the payload, which is JSON already, if there is one."""
    encoded = ENCODER.encode(values)
    if raw_payload:
        encoded = f'{encoded[:-1]},"payload":{raw_payload}}}'
    return encoded.encode()
