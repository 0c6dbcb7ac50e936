"""Record ids: the checksum, and the ways in which a text may have an id.

Each of the three characters that make an id of 15 characters one of 18 says which of five letters
are in upper case. So if a system has changed the case of all 18 characters, they tell what the case
was. With 15 characters, nothing tells it (Salesforce Help, "What is the 18-character ID").
"""

from __future__ import annotations

import string

SHORT, LONG = 15, 18  # the characters of an id without and with its checksum
# For each byte: 1 if it is an upper-case letter, else 0.
CASES = bytes.maketrans(
    bytes(range(256)),
    bytes(ord("1" if chr(it) in string.ascii_uppercase else "0") for it in range(256)),
)
CHECKSUMS = {
    f"{bits:05b}"[::-1].encode(): letter
    for bits, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
}
CASES_OF = {letter: cases.decode() for cases, letter in CHECKSUMS.items()}


def with_checksum(short: str) -> str:
    """An id with 18 characters, given its first 15, which are letters and digits of ASCII."""
    cases = short.encode().translate(CASES)
    return short + CHECKSUMS[cases[:5]] + CHECKSUMS[cases[5:10]] + CHECKSUMS[cases[10:]]


def ways(short: str) -> tuple[str, ...]:
    """The ways in which a text may have this id. If a way is a part of another, it comes later."""
    long = with_checksum(short)
    return (long, short + long[SHORT:].lower(), short, long.upper(), long.lower())


def whole(written: str) -> str:
    """The id with 18 characters in their own case, given one of its ways."""
    return restored(written) or with_checksum(written[:SHORT])


def restored(written: str) -> str:
    """The id in its own case, if these 18 characters are one that a system has changed.

    Empty if they are not all in upper or all in lower case, or are no id.
    """
    if len(written) != LONG or written not in (written.upper(), written.lower()):
        return ""
    cases = "".join(CASES_OF[letter] for letter in written[SHORT:].upper() if letter in CASES_OF)
    short = "".join(
        letter.upper() if case == "1" else letter.lower() for letter, case in zip(written, cases)
    )
    own = with_checksum(short) if len(short) == SHORT else ""
    return own if own.upper() == written.upper() else ""
