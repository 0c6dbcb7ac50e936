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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .lines import Row
from .payloads import RefusedValueError, is_utf8, parsed
from .record_ids import LONG, SHORT, restored, ways, whole, with_checksum

# For each byte: itself, if it is a letter or digit of ASCII, else a blank.
LETTERS = bytes(it if it < 128 and chr(it).isalnum() else ord(" ") for it in range(256))
# Bounds of what is remembered, because many rows have the same: runs, and fields after a header.
MOST_RUNS, LONGEST_RUN = 10_000, 256
MOST_FIELDS, LONGEST_FIELDS = 100, 16_000
MARK = "erased"  # in a text, instead of a record id
# What stays of a payload about several records, besides the ids of the others.
NOT_PERSONAL = ("ChangeEventHeader", "_tracker")
# The column that says whose row it is, for each table of an event file.
OWN = {"events": "record_id", "restores": "record_id", "listed_deletes": "record_id"}
# Keys that may name the record or have a digest of its data.
KEYS = {"events": "event_id", "restores": "restore_id"}
# The columns that may name another record, and how a value of each is cleared.
OTHERS: Mapping[str, Mapping[str, str]] = {
    "events": {"deleted_by": "value", "owner_id": "value", "payload": "payload"},
    "rejected_events": {"payload": "bytes", "event_id": "text", "error": "text"},
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
# Columns that are cleared too if another one names the record.
TOLD_BY = {("rejected_events", "payload"): ("payload", "event_id")}


class Erased(Protocol):
    """Some records whose data are erased."""

    def found(self, text: str) -> Sequence[str]:
        """Their ids in a text, as they are written there: see ``record_ids.ways``."""


class Ids:
    """Records that are known by their ids.

    Args:
        ids: with 15 or with 18 characters.

    Attributes:
        digests: what ``_erased`` has of each record, by its id with 18 characters.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        short = dict.fromkeys(one[:SHORT] for one in ids)
        self._ways = [(one, ways(one)) for one in short]
        self.digests = {with_checksum(one): digest(one) for one in short}

    def found(self, text: str) -> Sequence[str]:
        """See ``Erased``."""
        return [way for known in self._ways if (way := _first(known, text))]

    def without(self, text: str) -> str:
        """A payload without the values that name these records. See ``payload``."""
        return payload(text, self)


class Digests:
    """Records that are known only by their digests in ``_erased``."""

    def __init__(self, digests: Iterable[str]) -> None:
        self._digests = frozenset(digests)
        self._remembered = functools.lru_cache(MOST_RUNS)(self._found_in)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def found(self, text: str) -> Sequence[str]:
        """See ``Erased``."""
        found: list[str] = []
        for run in _runs(text):
            found += self._remembered(run) if len(run) <= LONGEST_RUN else self._found_in(run)
        return found

    def are_in(self, values: Iterable[Any]) -> bool:
        """Whether one of these values names one of the records."""
        return bool(self.found("\n".join([_as_text(it) for it in values if it is not None])))

    def _found_in(self, run: str) -> Sequence[str]:
        if len(run) == LONG and with_checksum(run[:SHORT]) == run:  # nothing else can be in it
            return [run] if digest(run[:SHORT]) in self._digests else []
        found = []
        # In the bytes of an event, something else may stand right before the id.
        for start in range(len(run) - SHORT + 1):
            short, long = run[start : start + SHORT], run[start : start + LONG]
            if digest(short) in self._digests:
                found.append(next(way for way in ways(short) if way in run))
            elif (own := restored(long)) and digest(own[:SHORT]) in self._digests:
                found.append(long)
        return found


def digest(short: str) -> str:
    """The SHA-256 of the 18 characters of a record id, given its first 15."""
    return hashlib.sha256(with_checksum(short).encode()).hexdigest()


def cleaned(table: str, columns: Sequence[str], row: Row, erased: Erased) -> Row:
    """A row of an event file without values that name an erased record.

    A row of an erased record itself keeps the record id, by which the tables leave it out, and
    loses what may be personal. So nothing of it comes into a reject either.
    """
    values = dict(zip(columns, row))
    others = OTHERS.get(table, {})
    own = OWN.get(table, "")
    if found := _found(values.get(own), erased):
        values.update(
            {column: "{}" if how == "payload" else None for column, how in others.items()}
        )
        values[own] = whole(found[0])
        if table in KEYS:
            values[KEYS[table]] = MARK
        return list(values.values())
    for column, how in others.items():
        if any(names(values[one], erased) for one in told_by(table, column)):
            values[column] = clear(how, values[column], erased)
    return list(values.values())


def told_by(table: str, column: str) -> Sequence[str]:
    """The columns of which one must name an erased record, so that this one is cleared."""
    return TOLD_BY.get((table, column), (column,))


def names(value: Any, erased: Erased) -> bool:
    """Whether a value of an event file names an erased record."""
    return bool(_found(value, erased))


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

    If the record is one of several that the payload is about, or is in an object of a list, any
    field may be its own. Then only ``NOT_PERSONAL`` stays.
    """
    try:
        is_object = isinstance(parsed(text), dict) and is_utf8(text)
    except RefusedValueError:
        is_object = False
    if not is_object:  # the row becomes a reject
        return _marked(text, erased)
    walk = _Walk(erased)
    value = walk.without(json.loads(text))
    if walk.is_shared:
        value = {key: it if key in NOT_PERSONAL else None for key, it in value.items()}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Walk:
    """Goes through a payload.

    An id in a list or in a text is one of several, and then the other fields may be about any of
    them: ``is_shared`` says so. What names the id is taken out of the list, also a whole object.
    """

    def __init__(self, erased: Erased) -> None:
        self.is_shared = False
        self._erased = erased

    def without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {_marked(key, self._erased): self.without(it) for key, it in value.items()}
        if isinstance(value, list):
            found = [it for it in value if not self._names(it)]
            self.is_shared |= len(found) < len(value)
            return found
        if isinstance(value, str) and (ids := self._erased.found(value)):
            if value in ids:
                return None
            self.is_shared = True
            return _marked(value, self._erased)
        return value

    def _names(self, value: Any) -> bool:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return bool(self._erased.found(text))


def _runs(text: str) -> Iterator[str]:
    """The runs of letters and digits that are as long as an id."""
    # In a change event, the fields after the header are mostly null, and the same in many rows.
    header, _, fields = text.partition('},"')
    yield from _split(header)
    yield from _split_fields(fields) if len(fields) <= LONGEST_FIELDS else _split(fields)


def _split(text: str) -> Sequence[str]:
    # A regular expression takes twice as long.
    runs = text.encode(errors="replace").translate(LETTERS).split()
    return [run.decode() for run in runs if len(run) >= SHORT]


_split_fields = functools.lru_cache(MOST_FIELDS)(_split)


def _first(known: tuple[str, Sequence[str]], text: str) -> str | None:
    """The first way in which the text has this id."""
    short, (long, mixed, _, upper, lower) = known
    if short in text:
        return long if long in text else mixed if mixed in text else short
    return upper if upper in text else lower if lower in text else None


def _found(value: Any, erased: Erased) -> Sequence[str]:
    return () if value is None else erased.found(_as_text(value))


def _as_text(value: Any) -> str:
    """A value as a text. A record id is ASCII, so it is found in any bytes."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


def _marked(text: str, erased: Erased) -> str:
    """The text with ``MARK`` instead of each id."""
    while found := erased.found(text):
        for one in sorted(found, key=len, reverse=True):
            text = text.replace(one, MARK)
    return text
