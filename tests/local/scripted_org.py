"""An org of one or more objects that answers the questions of a check, without sockets.

It is small enough to see what is true: a record is deleted and restored at given times, may be
purged, and its SystemModstamp may move in the recycle bin. ``listing`` says how getDeleted treats
restored records, which nobody has documented:

- ``state``: it lists what is deleted now
- ``log``: it lists every delete, also those of records that live now
- ``entries``: it lists every delete of a record that is deleted now
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from salesforce_client.src.app.errors import CallsSpentError, CollectorError
from salesforce_client.src.app.model.checks import (
    DeletedAnswer,
    Deletion,
    Described,
    Entry,
    Found,
    FoundPage,
    Member,
)
from salesforce_client.src.app.model.ids import with_checksum
from salesforce_client.src.app.model.times import timestamp

USER, OWNER = "0055f0000000001AAA", "0055f0000000002AAA"
FIELDS = frozenset({"Id", "OwnerId", "LastModifiedById", "MasterRecordId"})


def record_id(number: int) -> str:
    """An 18-character id of an Account."""
    return with_checksum(f"0015f{number:010}")


@dataclass
class Record:
    """One record.

    Attributes:
        deletes, restores: the times of both, in order.
        purged: when it left the recycle bin for good.
        moved: when its SystemModstamp moved after its last delete.
        trimmed: getDeleted has lost its entries.
        hidden: the user may not see it.
    """

    deletes: list[datetime]
    restores: list[datetime] = field(default_factory=list)
    purged: datetime | None = None
    moved: datetime | None = None
    trimmed: bool = False
    hidden: bool = False

    def last(self, now: datetime) -> datetime | None:
        """The last delete until now."""
        return max((it for it in self.deletes if it <= now), default=None)

    def state(self, now: datetime) -> str:
        """``live``, ``bin`` or ``gone``."""
        deleted = self.last(now)
        if deleted is None or any(deleted <= it <= now for it in self.restores):
            return "live"
        return "gone" if self.purged and self.purged <= now else "bin"

    def modstamp(self, now: datetime) -> datetime:
        """SystemModstamp of a record that was deleted."""
        deleted = self.last(now)
        assert deleted
        return self.moved if self.moved and deleted < self.moved <= now else deleted


class ScriptedOrg:
    """The org. A test sets its attributes.

    Attributes:
        now: the time of its clock.
        records: the records of each object, by id.
        asked: every question: its kind, its object, and the window or the number of ids.
        spelled: the name of every object as Salesforce writes it, if it is not as asked for.
        fields: those of every object.
        fail: called before each answer with the question. It may raise.
    """

    def __init__(self, now: datetime, listing: str = "state") -> None:
        self.now = now
        self.listing = listing
        self.records: dict[str, dict[str, Record]] = {"Account": {}}
        self.replicateable = True
        self.spelled = ""
        self.fields = FIELDS
        self.reads_delete_event = True
        self.sees_all = True
        self.ahead: timedelta | None = timedelta(0)
        self.earliest: datetime | None = None
        self.covered: datetime | None = None
        self.channel: list[Member] = []
        self.asked: list[tuple[Any, ...]] = []
        self.fail: Callable[[tuple[Any, ...]], None] = lambda _: None
        self.page_records = 2
        self._allowed = 0
        self._before: Callable[[int], None] = lambda _: None

    @property
    def calls(self) -> int:
        """The number of questions."""
        return len(self.asked)

    @property
    def skew(self) -> timedelta | None:
        """How far the org's clock is ahead."""
        return self.ahead

    def allow(self, calls: int, before: Callable[[int], None]) -> None:
        """Allow so many questions in all."""
        self._allowed, self._before = calls, before

    def new_poll(self) -> None:
        """Count the questions from zero."""
        self.asked.clear()

    def describe(self, object_name: str) -> Described:
        """Describe an object."""
        self._ask("describe", object_name)
        return Described(self.spelled or object_name, self.replicateable, self.fields)

    def views_all(self, object_name: str) -> bool:
        """Return whether the user sees all records."""
        self._ask("rights", object_name)
        return self.sees_all

    def members(self) -> list[Member]:
        """Return the members of the channels."""
        self._ask("members")
        return self.channel

    def deleted(
        self, object_name: str, start: datetime, end: datetime, *, bounded: bool
    ) -> DeletedAnswer:
        """Answer getDeleted. It lists its end, too, and a little more."""
        self._ask("deleted", object_name, start, end)
        covered = min(end, self.covered or self.now)
        return DeletedAnswer(
            [
                Entry(one, timestamp(date))
                for one, record in self._of(object_name)
                if not record.trimmed
                for date in self._dates(record)
                if start <= date <= covered + timedelta(seconds=17)
            ],
            timestamp(self.earliest or self.now - timedelta(days=15)),
            timestamp(covered),
        )

    def in_bin(
        self, object_name: str, fields: frozenset[str], start: datetime, end: datetime
    ) -> Iterator[FoundPage]:
        """Answer queryAll, some records a page."""
        found = [
            self._found(one, record)
            for one, record in self._of(object_name)
            if record.state(self.now) == "bin" and start <= _last(record, self.now) < end
        ]
        for first in range(0, max(len(found), 1), self.page_records):
            self._ask("queryAll", object_name, start, end)
            yield FoundPage(len(found), found[first : first + self.page_records])

    def delete_events(
        self, object_name: str, start: datetime, end: datetime
    ) -> Iterator[list[Deletion]]:
        """Answer a query of DeleteEvent, some entries a page."""
        found = [
            Deletion(one, USER, timestamp(_last(record, self.now)))
            for one, record in self._of(object_name)
            if record.state(self.now) == "bin" and start <= _last(record, self.now) < end
        ]
        for first in range(0, max(len(found), 1), self.page_records):
            self._ask("DeleteEvent", object_name, start, end)
            if self.reads_delete_event:
                yield found[first : first + self.page_records]

    def by_id(self, object_name: str, fields: frozenset[str], ids: Sequence[str]) -> list[Found]:
        """Answer a question by id."""
        self._ask("byId", object_name, len(ids))
        records = dict(self._of(object_name))
        return [
            self._found(one, records[one])
            for one in ids
            if one in records and records[one].state(self.now) != "gone"
        ]

    def kinds(self, kind: str) -> list[tuple[Any, ...]]:
        """Return the questions of a kind."""
        return [question[1:] for question in self.asked if question[0] == kind]

    def _ask(self, *question: object) -> None:
        if len(self.asked) >= self._allowed:
            raise CallsSpentError(f"{question[0]}: no call is left")
        self._before(len(self.asked) + 1)
        self.asked.append(question)
        self.fail(question)

    def _of(self, object_name: str) -> list[tuple[str, Record]]:
        return [
            (one, record)
            for one, record in self.records[object_name].items()
            if not record.hidden and record.last(self.now)
        ]

    def _dates(self, record: Record) -> list[datetime]:
        """The dates under which getDeleted lists a record."""
        every = [date for date in record.deletes if date <= self.now]
        if self.listing == "log":
            return every
        if record.state(self.now) == "live":
            return []
        stamp = record.modstamp(self.now)
        return [*every[:-1], stamp] if self.listing == "entries" else [stamp]

    def _found(self, one: str, record: Record) -> Found:
        live = record.state(self.now) == "live"
        changes = [it for it in (*record.deletes, *record.restores) if it <= self.now]
        modified = max(changes) if live else _last(record, self.now)
        stamp = modified if live else record.modstamp(self.now)
        fields: dict[str, object] = {"Id": one, "IsDeleted": not live}
        by = USER if "LastModifiedById" in self.fields else None
        return Found(one, not live, timestamp(stamp), timestamp(modified), by, OWNER, None, fields)


def _last(record: Record, now: datetime) -> datetime:
    last = record.last(now)
    assert last
    return last


def failing(kind: str, error: CollectorError, *, times: int = 1_000_000) -> Callable[..., None]:
    """Fail the questions of a kind, so many times."""
    left = [times]

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == kind and left[0]:
            left[0] -= 1
            raise error

    return fail
