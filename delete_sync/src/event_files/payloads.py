"""Checks whether Snowflake can store a payload, and notes what it changes in one.

It changes one thing: Snowflake stores no U+0000, so this character becomes U+FFFD.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Bytes. A VARIANT held 16 MB (16,777,216 bytes) until 2025; a table that was made then still may.
# https://docs.snowflake.com/en/user-guide/semistructured-considerations
LARGEST = 16_000_000
# Objects and lists inside each other. Snowflake's documentation names no limit. An event is as deep
# as its Avro schema, which is a few levels. Every parser on the way reads this depth.
DEEPEST = 100
# Digits of a number. It is the precision of Snowflake's NUMBER. No document says what a VARIANT
# does with more digits, and a double has only 17.
# https://docs.snowflake.com/en/sql-reference/data-types-numeric
MOST_DIGITS = 38

# An escape sequence, or its beginning. After an escaped backslash, u0000 is plain text.
ESCAPE = re.compile(r"\\(?:u0000|.)", re.DOTALL)
# A string or a bracket. A string without an end extends to the end of the text.
PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{}]', re.DOTALL)
STEPS = {"{": 1, "[": 1, "]": -1, "}": -1}  # how the depth changes at a bracket
OBJECT_FOLLOWS = re.compile(r"\s*:\s*\{")


class RefusedValueError(Exception):
    """Snowflake would refuse a value of a row.

    The message names the column and says why. It quotes nothing from the value: reasons stay in
    load records and logs, and a value may be personal data.
    """


def checked(payload: str, *, nul_replaced: bool = False) -> str:
    """The payload as one line of JSON that Snowflake can store.

    The line is the payload itself, unless it contains U+0000 or line breaks between its parts.

    Args:
        payload: a text that should be a JSON object.
        nul_replaced: whether to note that U+0000 was replaced in another value of the row. The
            note is the key ``nul_replaced`` of the object ``_tracker``.

    Raises:
        RefusedValueError: it is not a JSON object, or it is too large or too deep. Or it has a key
            twice in one object, a number with too many digits, or half a character.
    """
    without_nul = _without_nul(payload)
    value = parsed(without_nul)
    if not isinstance(value, dict):
        raise RefusedValueError("payload is not a JSON object")
    if nul_replaced or without_nul != payload:
        without_nul = _noted(without_nul, value)
    # In JSON, line breaks can only stand between values. Inside a text they are escaped.
    return without_nul.replace("\n", " ").replace("\r", " ")


def parsed(payload: str) -> Any:
    """The value of the JSON, with None for each number.

    Raises:
        RefusedValueError: as for ``checked``. The value may be of any kind.
    """
    if len(payload.encode(errors="replace")) > LARGEST:
        raise RefusedValueError("payload is larger than a VARIANT")
    _check_depth(payload)
    try:
        value = DECODER.decode(payload)
    except ValueError:
        raise RefusedValueError("payload is not JSON") from None
    if "\\u" in payload and not is_utf8(json.dumps(value, ensure_ascii=False)):
        problem = "has half a character" if is_utf8(payload) else "is not UTF-8"
        raise RefusedValueError(f"payload {problem}")
    return value


def is_utf8(text: str) -> bool:
    """Whether the text can be written in UTF-8. Half a character, a surrogate, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_nul(payload: str) -> str:
    """The payload with U+FFFD for each U+0000, as a character or as an escape sequence."""
    found = payload.replace("\0", "\ufffd")
    if "\\u0000" not in found:
        return found
    return ESCAPE.sub(lambda it: "\ufffd" if it[0] == "\\u0000" else it[0], found)


def _noted(payload: str, value: dict[str, Any]) -> str:
    """The payload, with the note that U+0000 was replaced."""
    if "_tracker" not in value:
        comma = "," if value else ""
        return f'{payload.rstrip()[:-1]}{comma}"_tracker":{{"nul_replaced":true}}}}'
    tracker = value["_tracker"]
    if not isinstance(tracker, dict):
        raise RefusedValueError("payload has a _tracker that is not an object")
    if "nul_replaced" in tracker:
        return payload
    place = _inside_tracker(payload)
    comma = "," if tracker else ""
    return f'{payload[:place]}"nul_replaced":true{comma}{payload[place:]}'


def _inside_tracker(payload: str) -> int:
    """The place after the bracket that opens the object ``_tracker`` of the payload itself."""
    depth = 0
    for part in PART.finditer(payload):
        depth += STEPS.get(part[0], 0)
        if depth == 1 and part[0][0] == '"' and json.loads(part[0]) == "_tracker":
            follows = OBJECT_FOLLOWS.match(payload, part.end())
            if follows:
                return follows.end()
    raise AssertionError("the payload has an object _tracker")


def _check_depth(payload: str) -> None:
    if payload.count("{") + payload.count("[") <= DEEPEST:
        return
    depth = 0
    for part in PART.finditer(payload):
        depth += STEPS.get(part[0], 0)
        if depth > DEEPEST:
            raise RefusedValueError(f"payload is more than {DEEPEST} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object with these keys and values. The decoder calls it for each object."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedValueError("payload has a key twice in one object")
    return found


def _number(text: str) -> None:
    """Check one number. The decoder calls it for each number."""
    if len(text) <= MOST_DIGITS and "e" not in text and "E" not in text:
        return
    digits, _, exponent = text.lower().partition("e")
    if len(digits.replace("-", "").replace(".", "")) > MOST_DIGITS:
        raise RefusedValueError(f"payload has a number of more than {MOST_DIGITS} digits")
    if exponent and not math.isfinite(float(text)):
        raise RefusedValueError("payload has a number that is too large for a double")


def _constant(_: str) -> None:
    """Refuse NaN and Infinity, which Python accepts although they are not JSON."""
    raise RefusedValueError("payload is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant
)
