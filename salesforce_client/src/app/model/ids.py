"""Salesforce's record ids, and the keys of this app's rows."""

from __future__ import annotations

import functools
import hashlib
import string
from collections.abc import Sequence
from typing import Union

PLAIN = (string.ascii_letters + string.digits).encode()
# For each byte: 1 if it is an upper-case letter, 0 if it is another character of ids, else a blank.
CASES = bytes(
    ord("1" if it in string.ascii_uppercase.encode() else "0" if it in PLAIN else " ")
    for it in range(256)
)
CHECKSUMS = {
    f"{bits:05b}"[::-1].encode(): letter
    for bits, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
}


def with_checksum(record_id: str) -> str:
    """The 18-character form of a 15-character Salesforce id.

    Raises:
        KeyError: it has fewer than 15 characters, or one that is not in ids.
    """
    return record_id + checksum(record_id)


def checksum(record_id: str) -> str:
    """The last three characters of the 18-character form of a 15-character Salesforce id.

    Each of them says which of five characters are upper case
    (Salesforce Help, "What is the 18-character ID").

    Raises:
        KeyError: it has fewer than 15 characters, or one that is not in ids.
    """
    return _of_cases(record_id.encode().translate(CASES))


def have_checksums(record_ids: Sequence[str]) -> bool:
    """Whether all of these are ids of 18 characters with the right checksum. False for none."""
    joined = "".join(record_ids)
    if set(map(len, record_ids)) != {18} or not joined.isascii():
        return False
    cases = joined.encode().translate(CASES)
    try:
        for record_id, at in zip(record_ids, range(0, len(cases), 18)):
            if _of_cases(cases[at : at + 15]) != record_id[15:]:
                return False
    except KeyError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _of_cases(cases: bytes) -> str:
    return CHECKSUMS[cases[:5]] + CHECKSUMS[cases[5:10]] + CHECKSUMS[cases[10:]]


def identity(*parts: Union[str, bytes]) -> str:
    """A stable key that is made of ``parts``, in hex. Different parts give different keys."""
    raw = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in raw)).hexdigest()
