"""Reads the times that publishers write into platform events.

A time should be milliseconds since 1970, as Salesforce writes it, or ISO-8601 text with a zone.
Publishers also write other things, which are read in the plausible way. A number is in the unit
that puts it in the years 2000 to 2099. Salesforce's own Python sample writes ``CreatedDate`` in
seconds (github.com/forcedotcom/pub-sub-api). In Apex, ``String.valueOf(Datetime)`` writes
``2026-01-31 02:30:00``, and ``JSON.serialize(Datetime)`` writes a time in quotes.
"""

from __future__ import annotations

import math
import re
import string
from datetime import datetime
from typing import Any, Union

from ..model.times import timestamp
from .values import from_milliseconds

# The beginnings of the years 2000 and 2100, in seconds since 1970.
EARLIEST, LATEST = 946_684_800, 4_102_444_800
PLAIN_FROM, PLAIN_TO = EARLIEST * 1000, LATEST * 1000
# The name of each unit and how many of it are a second. Milliseconds are the plain value, so their
# name is empty. No number is plausible in two of these units.
UNITS = (("", 10**3), ("seconds", 1), ("microseconds", 10**6), ("nanoseconds", 10**9))
BLANKS_AND_QUOTES = f"{string.whitespace}\"'"
NUMBER = re.compile(r"\d{1,25}(\.\d{0,25})?(E\+?\d{1,2})?", re.ASCII | re.IGNORECASE)
ISO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?)?"
    r"\s*(?:(Z|UTC|GMT)|([+-]\d\d)(?::?(\d\d))?)?",
    re.ASCII | re.IGNORECASE,
)


def read_time(value: Any) -> tuple[str, str] | None:
    """Read a time of any of these forms.

    Returns the UTC text and how the value was read. The second is empty if the value is plain:
    milliseconds since 1970, also as text, or text with a zone. Otherwise it is ``seconds``,
    ``microseconds``, ``nanoseconds``, ``no_zone`` (text without a zone, read as UTC) or
    ``date_only`` (a day, read as its beginning in UTC). Returns None if the value is no time in the
    years 2000 to 2099.
    """
    if type(value) is int and PLAIN_FROM <= value < PLAIN_TO:  # nearly all values are like this
        return from_milliseconds(value), ""
    if isinstance(value, str):
        text = value.strip(BLANKS_AND_QUOTES)
        number = NUMBER.fullmatch(text)
        if not number:
            return _from_iso(text)
        whole = number[1] is None and number[2] is None
        return _from_number(int(text) if whole else float(text))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _from_number(value)
    return None


def _from_number(value: Union[int, float]) -> tuple[str, str] | None:
    for unit, in_a_second in UNITS:
        if EARLIEST * in_a_second <= value < LATEST * in_a_second:
            milliseconds = (
                value * 1000 // in_a_second
                if isinstance(value, int)
                else math.floor(value * 1000 / in_a_second + 0.5)
            )
            return from_milliseconds(milliseconds), unit
    return None


def _from_iso(text: str) -> tuple[str, str] | None:
    match = ISO_TIME.fullmatch(text)
    if not match:
        return None
    day, minute, second, fraction, utc, hours, minutes = match.groups()
    zone = f"{hours}:{minutes or '00'}" if hours else "+00:00"
    micro = f"{(fraction or '') + '000000':.6}"
    try:
        moment = datetime.fromisoformat(f"{day}T{minute or '00:00'}{second or ':00'}.{micro}{zone}")
    except ValueError:
        return None
    if not EARLIEST <= moment.timestamp() < LATEST:
        return None
    if minute is None:
        return timestamp(moment), "date_only"
    return timestamp(moment), "" if utc or hours else "no_zone"
