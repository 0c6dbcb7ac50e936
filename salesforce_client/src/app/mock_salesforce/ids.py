"""Record ids of the mock's org, and random numbers that depend on their purpose alone."""

from __future__ import annotations

import functools
import hashlib
import random

from ..model.ids import with_checksum

KEY_PREFIXES = {
    "User": "005",
    "Account": "001",
    "Contact": "003",
    "Opportunity": "006",
    "Case": "500",
    "CampaignMember": "00v",
    "Task": "00T",
}
OBJECTS = {prefix: entity for entity, prefix in KEY_PREFIXES.items()}
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_of(about: str, number: int) -> random.Random:
    """Return a source of random numbers that depends on these two alone."""
    return random.Random(hashlib.sha256(f"{about} {number}".encode()).digest())


def record_id(entity: str, number: int) -> str:
    """Return an 18-character record id: the object's key prefix, instance, number, checksum."""
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return with_checksum(f"{KEY_PREFIXES[entity]}5f00{digits}")


@functools.lru_cache(maxsize=20_000)
def number_of(record: str) -> tuple[str, int] | None:
    """Return the object and the number of a record id of this org. None if it is not one."""
    entity = OBJECTS.get(record[:3])
    if entity is None or record[3:7] != "5f00" or not set(record[7:15]) <= set(BASE62):
        return None
    number = 0
    for letter in record[7:15]:
        number = number * 62 + BASE62.index(letter)
    return (entity, number) if record_id(entity, number).startswith(record) else None
