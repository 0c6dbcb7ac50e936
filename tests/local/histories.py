"""Random histories of records, and what the collector and Salesforce tell of them.

Each history is one object. Its records are deleted, restored, purged and hidden from the events.
Salesforce's documentation leaves open what getDeleted lists after a restore, so there are three
readings of it. SystemModstamp, and with it getDeleted's date, may move while a record is deleted.
The answers become the rows of event files, in the order in which the collector writes them.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Optional

from .comparison import checked, listed, record_id, restored, told

BEGIN = datetime(2026, 2, 1)
DAY = 1440  # minutes
DAYS = 9
MARGIN = 30
LAST_CHECK = (DAYS - 1) * DAY + 127
READINGS = ("state", "log", "entries")


def moment(minute: float) -> datetime:
    """The time that is this many minutes after the beginning."""
    return BEGIN + timedelta(minutes=minute)


@dataclass
class Record:
    """One record.

    Attributes:
        id: 18 characters.
        changes: the minutes of its deletes and restores, one after another, and whether an event
            told of each.
        purged_at: when it left the recycle bin for good.
        moved_at: when its SystemModstamp moved in the recycle bin.
    """

    id: str
    changes: list[tuple[int, bool]]
    purged_at: Optional[int] = None
    moved_at: Optional[int] = None

    def deletes(self, until: float = 10**9) -> list[int]:
        """The minutes of its deletes."""
        return [minute for minute, _ in self.changes[::2] if minute <= until]

    def state(self, now: int) -> str:
        """``live``, ``bin`` or ``purged``."""
        happened = sum(minute <= now for minute, _ in self.changes)
        if happened % 2 == 0:
            return "live"
        return "purged" if self.purged_at is not None and self.purged_at <= now else "bin"

    def is_live(self, now: int) -> bool:
        """Whether it is not deleted."""
        return self.state(now) == "live"

    def modstamp(self, now: int) -> int:
        """SystemModstamp, if it is deleted."""
        last = self.deletes(now)[-1]
        return self.moved_at if self.moved_at and last < self.moved_at <= now else last


@dataclass
class History:
    """The records of one object, and the rows that tell of them.

    Attributes:
        reading: what getDeleted lists: what is deleted now (``state``), every delete (``log``), or
            every delete of a record that is deleted now (``entries``).
        dated_by_get_deleted: the collector takes the date of the entry, although it may have moved.
        trimmed: the deletes that Salesforce's list has lost.
        seen: the deletes that Salesforce listed in some check: record and minute.
        true: the minute of the delete that each row of an event tells of.
        rows: for each minute of a file, the table and the rows.
    """

    object_name: str
    reading: str
    records: list[Record]
    chance: random.Random
    dated_by_get_deleted: bool = False
    seen: set[tuple[str, int]] = field(default_factory=set)
    true: dict[str, int] = field(default_factory=dict)
    rows: dict[int, list[tuple[str, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    trimmed: set[tuple[str, int]] = field(default_factory=set)

    def get_deleted(self, begin: int, end: int, now: int) -> list[tuple[Record, int, int]]:
        """Salesforce's list: the record, the date of the entry, and the minute of the delete."""
        found = []
        for record in self.records:
            deletes = record.deletes(now)
            state = record.state(now)
            if not deletes or (state == "live" and self.reading != "log"):
                continue
            dates = [(minute, minute) for minute in deletes]
            if state != "live" and self.reading != "log":
                dates[-1] = (record.modstamp(now), deletes[-1])
            if self.reading == "state":
                dates = dates[-1:]
            found += [
                (record, date, minute)
                for date, minute in dates
                if begin <= date < end and (record.id, minute) not in self.trimmed
            ]
        return found


def history(number: int, chance: random.Random, *, dated_by_get_deleted: bool = False) -> History:
    """A random history, with the rows of all its files.

    Each fourth one has entries that Salesforce trims, dates that move, or rows without a date.
    """
    kind = ("plain", "trimmed", "moved", "odd")[number % 4]
    records = [
        _record(record_id(number * 10 + which), chance, moves=kind == "moved")
        for which in range(chance.randrange(2, 6))
    ]
    made = History(
        f"Object{number}__c", READINGS[number // 4 % 3], records, chance, dated_by_get_deleted
    )
    if kind == "trimmed":
        every = [(record.id, minute) for record in records for minute in record.deletes()]
        made.trimmed = {one for one in every if chance.random() < 0.2}
    _tell(made, odd=kind == "odd")
    _check(made)
    return made


def _record(one: str, chance: random.Random, *, moves: bool) -> Record:
    minute = chance.randrange((DAYS - 3) * DAY)
    changes = []
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4, 5))):
        changes.append((minute, chance.random() > 0.3))
        minute += chance.choice((1, 5, 9, 11, 45, 300, 1500, 3000))
        if minute >= (DAYS - 1) * DAY:
            break
    record = Record(one, changes)
    last = changes[-1][0]
    if len(changes) % 2 and moves and chance.random() < 0.5:
        last = record.moved_at = last + chance.randrange(1, 4000)
    if len(changes) % 2 and chance.random() < 0.3:
        record.purged_at = last + chance.randrange(1, 4000)
    return record


def _tell(made: History, *, odd: bool) -> None:
    """The rows of events, in the file of the next poll. There is one every six hours."""
    for record in made.records:
        for place, (minute, is_told) in enumerate(record.changes):
            # A row without a date of its own can be told from another delete only by a restore.
            if not (is_told or (odd and place % 2)):
                continue
            poll = (minute // 360 + 1) * 360 + 5
            if place % 2:
                made.rows[poll].append(("restores", restored(record.id, moment(minute))))
                continue
            off = odd and made.chance.random() < 0.5
            row = told(
                made.object_name,
                record.id,
                moment(minute - made.chance.randrange(60, 600) if off else minute),
                ingested_at=moment(poll - 1),
                dated_from="no_zone" if off else None,
            )
            made.true[row["event_id"]] = minute
            made.rows[poll].append(("", row))


def _check(made: History) -> None:
    """A check a day, 127 minutes after midnight, in a file of its own."""
    kept: dict[int, set[tuple[str, int]]] = defaultdict(set)
    last_end = None
    for now in range(DAY + 127, DAYS * DAY, DAY):
        end = now - MARGIN
        windows = {(0 if last_end is None else last_end - 60, end)}
        if now + DAY >= DAYS * DAY:
            windows |= {(day * DAY, day * DAY + DAY) for day in range(end // DAY)}
        last_end = end
        in_bin = {record.id: record for record in made.records if record.state(now) == "bin"}
        for begin, until in sorted(windows):
            _ask(made, kept, in_bin, begin, until, now)


def _ask(
    made: History,
    kept: dict[int, set[tuple[str, int]]],
    in_bin: dict[str, Record],
    begin: int,
    end: int,
    now: int,
) -> None:
    """One check: the rows of its window, and the restores that it finds."""
    entries = _entries(made, in_bin, begin, end, now)
    had = {entry for some in kept.values() for entry in some if begin <= entry[1] < end}
    for entry in entries:
        kept[entry[1] // DAY].add(entry)
    gone = {one for one, _ in had | entries.keys()} - in_bin.keys()
    live = {record.id for record in made.records if record.id in gone and record.is_live(now)}
    _restore(made, live, now)
    for some in kept.values():
        some -= {entry for entry in some if entry[0] in live}
    check_id = uuid.uuid4().hex
    made.rows[now].append(
        ("checks", checked(check_id, made.object_name, moment(begin), moment(end), moment(now)))
    )
    newest = dict(sorted(entries))
    states = {record.id: record.state(now) for record in made.records}
    for (one, date), listed_by in entries.items():
        state = states[one] if date == newest[one] and one not in live else "unknown"
        row = listed(
            check_id, made.object_name, one, moment(date), listed_by=listed_by, state=state
        )
        made.rows[now].append(("listed", row))


def _entries(
    made: History, in_bin: dict[str, Record], begin: int, end: int, now: int
) -> dict[tuple[str, int], str]:
    """The entries of both lists, dated by the collector, and who lists each of them."""
    entries: dict[tuple[str, int], str] = {}
    for record, date, minute in made.get_deleted(begin, end, now):
        made.seen.add((record.id, minute))
        readable = record.id in in_bin and record.modstamp(now) == date
        own = readable and not made.dated_by_get_deleted
        entries[record.id, record.deletes(now)[-1] if own else date] = "getDeleted"
    for one, record in () if made.dated_by_get_deleted else in_bin.items():
        last = record.deletes(now)[-1]
        if begin <= last < end:
            made.seen.add((one, last))
            entries[one, last] = "both" if (one, last) in entries else "queryAll"
    return entries


def _restore(made: History, live: set[str], now: int) -> None:
    """The restores that the check of this minute finds, each once."""
    known = {row["record_id"] for part, row in made.rows[now] if part == "restores"}
    made.rows[now] += [
        ("restores", restored(one, moment(now - 1), "check")) for one in sorted(live - known)
    ]


def files(histories: list[History]) -> dict[int, list[tuple[str, dict[str, Any]]]]:
    """The rows of all histories, by the minute of their file."""
    found: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for one in histories:
        for minute, rows in one.rows.items():
            found[minute] += rows
    return dict(sorted(found.items()))


def name_of(minute: int) -> str:
    """The name of the event file of this minute."""
    return f"events_{moment(minute):%Y%m%dT%H%M%SZ}.db"


def problems(
    histories: list[History],
    deletes: list[tuple[str, str, datetime, str]],
    verdicts: dict[tuple[str, Any], str],
    latest: dict[str, tuple[str, Optional[datetime]]],
) -> dict[str, int]:
    """What the views claim wrongly.

    Args:
        histories: the truth.
        deletes: of ``_deletes``: event id, record, date, source.
        verdicts: of ``_completeness``, by object and day.
        latest: of ``_latest``, by record: deleted now, confirmed at.
    """
    shown: dict[str, list[tuple[float, str]]] = defaultdict(list)
    true = {event_id: minute for one in histories for event_id, minute in one.true.items()}
    for event_id, record, date, source in deletes:
        minute = true.get(event_id, (date - BEGIN).total_seconds() / 60)
        shown[record].append((minute, source))
    records = [record for one in histories for record in one.records]
    return {
        "false_proof": sum(_false_proofs(one, shown, verdicts) for one in histories),
        "extra": sum(
            source == "check" and not _near(minute, record.deletes())
            for record in records
            for minute, source in shown[record.id]
        ),
        "doubled": sum(
            (minute, "event") in shown[record.id]
            for record in records
            for minute, source in shown[record.id]
            if source == "check"
        ),
        "lives": sum(
            latest[record.id][0] == "yes" and latest[record.id][1] is not None
            for record in records
            if record.id in latest and record.is_live(LAST_CHECK - DAY)
            if record.is_live(LAST_CHECK)
        ),
    }


def _false_proofs(
    made: History,
    shown: dict[str, list[tuple[float, str]]],
    verdicts: dict[tuple[str, Any], str],
) -> int:
    """The listed deletes of proven days that no row tells of.

    If a record was purged after its SystemModstamp had moved, nobody can read its date.
    """
    dateless = {record.id for record in made.records if record.moved_at and record.purged_at}
    return sum(
        verdicts[made.object_name, moment(minute).date()] != "unproven"
        and not _near(minute, [at for at, _ in shown[one]])
        for one, minute in made.seen
        if one not in dateless
    )


def _near(minute: float, others: Any) -> bool:
    return any(abs(minute - other) <= 10 for other in others)


def tables(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows by table, those of a check before its list."""
    for part in ("", "restores", "checks", "listed"):
        some = [row for table, row in rows if table == part]
        if some:
            yield part, some
