"""Which values name an erased record, and what becomes of them.

A row of an erased record itself is removed. In any other row, the values that name the record are
cleared, so the fact of the other record's delete stays.

The command ``erase`` knows the records. A sweep knows only the digests of their ids, which is
enough for event files that arrive later.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from .lines import Row
from .payloads import RefusedValueError, is_utf8, parsed
from .values import SHORT_ID, record_id

RUN = re.compile(r"[A-Za-z0-9]{15,}")
MARK = "erased"  # in a text, instead of a record id
# What stays of a payload about several records, besides the ids of the others.
NOT_PERSONAL = ("ChangeEventHeader", "_tracker")
# The column that says whose row it is, for each table of an event file.
OWN = {"events": "record_id", "restores": "record_id", "listed_deletes": "record_id"}
# The columns that may name another record, and how a value of each is cleared.
OTHERS: Mapping[str, Mapping[str, str]] = {
    "events": {"deleted_by": "value", "owner_id": "value", "payload": "payload"},
    "rejected_events": {"event_id": "text", "error": "text", "payload": "bytes"},
    "restores": {"restored_by": "value"},
    "polls": {"error": "text"},
    "checks": {"error": "text"},
    "listed_deletes": {
        "deleted_by": "value",
        "owner_id": "value",
        "merged_into": "value",
        "payload": "payload",
    },
}


class Erased(Protocol):
    """Some records whose data are erased."""

    def found(self, text: str) -> Sequence[str]:
        """Their ids in a text, as they are written there, with 15 or with 18 characters."""


class Ids:
    """Records that are known by their ids.

    Args:
        ids: with 15 or with 18 characters.

    Attributes:
        short: each id with 15 characters.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.short = tuple(dict.fromkeys(one[:SHORT_ID] for one in ids))

    @property
    def digests(self) -> dict[str, str]:
        """What ``_erased`` has of each record, by its id with 15 characters."""
        return {one: digest(one) for one in self.short}

    def found(self, text: str) -> Sequence[str]:
        """See ``Erased``."""
        return [_whole(one, text) for one in self.short if one in text]

    def without(self, text: str) -> str:
        """A payload without the values that name these records. See ``payload``."""
        return payload(text, self)


class Digests:
    """Records that are known only by their digests in ``_erased``."""

    def __init__(self, digests: Iterable[str]) -> None:
        self._digests = frozenset(digests)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def found(self, text: str) -> Sequence[str]:
        """See ``Erased``."""
        found = []
        for run in RUN.findall(text):
            # In the bytes of an event, something else may stand right before the id.
            for start in range(len(run) - SHORT_ID + 1):
                short = run[start : start + SHORT_ID]
                if digest(short) in self._digests:
                    found.append(_whole(short, run))
        return found


@functools.lru_cache(maxsize=100_000)
def digest(short: str) -> str:
    """The SHA-256 of the 18 characters of a record id, given its first 15."""
    return hashlib.sha256(str(record_id(short)).encode()).hexdigest()


def cleaned(table: str, columns: Sequence[str], row: Row, erased: Erased) -> Row:
    """A row of an event file without values that name an erased record.

    A row of an erased record itself is returned unchanged.
    """
    values, own = list(row), OWN.get(table)
    if own and names(row[columns.index(own)], erased):
        return row
    for column, how in OTHERS.get(table, {}).items():
        place = columns.index(column)
        if names(values[place], erased):
            values[place] = clear(how, values[place], erased)
    return values


def names(value: Any, erased: Erased) -> bool:
    """Whether a value of an event file names an erased record."""
    return value is not None and bool(erased.found(_as_text(value)))


def clear(how: str, value: Any, erased: Erased) -> Any:
    """A value that names an erased record, as ``OTHERS`` says how to clear it."""
    if how == "value":
        return None
    if how == "bytes":
        return b""
    text = _as_text(value)
    return payload(text, erased) if how == "payload" else _marked(text, erased)


def payload(text: str, erased: Erased) -> str:
    """A payload without the values that name an erased record.

    If the record is one of several that the payload is about, any field may be its own. Then only
    ``NOT_PERSONAL`` stays.
    """
    try:
        whole = isinstance(parsed(text), dict) and is_utf8(text)
    except RefusedValueError:
        whole = False
    if not whole:  # the row becomes a reject
        return _marked(text, erased)
    walk = _Walk(erased)
    value = walk.without(json.loads(text))
    if walk.is_shared:
        value = {key: it if key in NOT_PERSONAL else None for key, it in value.items()}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Walk:
    """Goes through a payload. ``is_shared``: an id was one of several, in a list or a text."""

    def __init__(self, erased: Erased) -> None:
        self.is_shared = False
        self._erased = erased

    def without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {_marked(key, self._erased): self.without(it) for key, it in value.items()}
        if isinstance(value, list):
            found = [it for it in value if not (isinstance(it, str) and self._names(it))]
            self.is_shared |= len(found) < len(value)
            return [self.without(it) for it in found]
        if isinstance(value, str) and (ids := self._erased.found(value)):
            if value in ids:
                return None
            self.is_shared = True
            return _marked(value, self._erased)
        return value

    def _names(self, text: str) -> bool:
        return bool(self._erased.found(text))


def _as_text(value: Any) -> str:
    """A value as a text. A record id is ASCII, so it is found in any bytes."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


def _whole(short: str, text: str) -> str:
    """An id as it is written in a text: with its checksum, if that follows."""
    whole = str(record_id(short))
    return whole if whole in text else short


def _marked(text: str, erased: Erased) -> str:
    """The text with ``MARK`` instead of each id."""
    while found := erased.found(text):
        for one in sorted(found, key=len, reverse=True):
            text = text.replace(one, MARK)
    return text
