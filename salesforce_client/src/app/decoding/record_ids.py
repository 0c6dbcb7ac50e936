"""Reads the record ids that publishers write into a field of a platform event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import DecodeError
from ..model.ids import CHECKSUMS, checksum, with_checksum

SHORT, LONG = 15, 18  # the characters of an id without and with its checksum
CASES_OF = {letter: cases for cases, letter in CHECKSUMS.items()}
LOWER = b"00000"  # five letters in lower case, or digits
SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")
BRACKETS = ("[]", "()", "{}")  # JSON, and String.valueOf of a List and of a Set in Apex


def read_record_ids(value: Any, field: str) -> tuple[Sequence[str], bool]:
    """The record ids in a field, each with 18 characters and each once.

    The field may have one id, or several ids with commas, semicolons or blanks between them, or a
    list in JSON. Ids may be in quotes. An id of 15 characters gets its checksum. If a system has
    changed the case of an id of 18 characters, its checksum says what the case was: that is what
    the checksum is for (Salesforce Help, "What is the 18-character ID").

    Args:
        value: the field's value.
        field: the field's name, for the error.

    Returns:
        The ids, and whether the case of at least one of them comes from its checksum.

    Raises:
        DecodeError: the field names no record, or something in it is not a record id. The message
            does not quote the value. One wrong id among right ones is an error too, so that an
            event becomes either rows or a rejected event.
    """
    if isinstance(value, str):
        if len(value) == LONG:
            # Nearly all values are one record id with its checksum.
            try:
                if checksum(value[:SHORT]) == value[SHORT:]:
                    return (value,), False
            except (KeyError, UnicodeEncodeError):
                pass
        found = [_whole(item, field) for item in _items(value)]
        if not found:
            raise DecodeError(f"{field} is empty: the event names no record")
        ids = dict.fromkeys(record_id for record_id, _ in found)
        return list(ids), any(restored for _, restored in found)
    if value is None:
        raise DecodeError(f"{field} is null: the event names no record")
    raise DecodeError(f"{field} is not text")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _items(text: str) -> list[str]:
    inner = text.strip()
    if inner[:1] + inner[-1:] in BRACKETS:
        inner = inner[1:-1]
    items = (item.strip("\"'") for item in SEPARATOR.split(inner))
    return [item for item in items if item]


def _whole(item: str, field: str) -> tuple[str, bool]:
    """The id with its checksum, and whether its case comes from the checksum."""
    if "://" in item:
        raise DecodeError(f"{field} has a URL instead of a record id")
    if not _is_plain(item):
        raise DecodeError(f"{field} has a character that no record id has")
    if len(item) > LONG:
        raise DecodeError(f"{field} has more characters than a record id, which has 15 or 18")
    if len(item) == SHORT:
        return with_checksum(item), False
    if len(item) < LONG:
        raise DecodeError(f"{field} has fewer characters than a record id, which has 15 or 18")
    short, checksum = item[:SHORT], item[SHORT:].upper()
    if with_checksum(short) == short + checksum:
        return short + checksum, False
    restored = _restored(short, checksum)
    if restored is None:
        raise DecodeError(f"{field} has a record id whose checksum is wrong")
    return restored, True


def _restored(short: str, checksum: str) -> str | None:
    """The id with the case that its checksum tells.

    None if the checksum does not fit, or if the id has both cases. Then no system has changed the
    case of all letters, and the checksum itself is wrong.
    """
    if short not in (short.lower(), short.upper()):
        return None
    cases = b"".join(CASES_OF.get(letter, LOWER) for letter in checksum)
    found = "".join(
        letter.upper() if case == ord("1") else letter.lower() for letter, case in zip(short, cases)
    )
    return found + checksum if with_checksum(found) == found + checksum else None
