"""Salesforce's record ids, and the keys of this app's rows."""

from __future__ import annotations

import functools
import hashlib
import string
from typing import Union

# For each byte: 1 if it is an upper-case letter, else 0.
CASES = bytes.maketrans(
    bytes(range(256)),
    bytes(ord("1" if chr(it) in string.ascii_uppercase else "0") for it in range(256)),
)
CHECKSUMS = {
    f"{bits:05b}"[::-1].encode(): letter
    for bits, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
}


def with_checksum(record_id: str) -> str:
    """The 18-character form of a 15-character Salesforce id.

    Each of the three added characters says which of five characters are upper case
    (Salesforce Help, "What is the 18-character ID").

    Raises:
        KeyError: it has fewer than 15 characters.
    """
    return record_id + _checksum(record_id.encode().translate(CASES))


@functools.lru_cache(maxsize=1024)
def _checksum(cases: bytes) -> str:
    return CHECKSUMS[cases[:5]] + CHECKSUMS[cases[5:10]] + CHECKSUMS[cases[10:]]


def identity(*parts: Union[str, bytes]) -> str:
    """A stable key that is made of ``parts``, in hex. Different parts give different keys."""
    raw = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in raw)).hexdigest()
