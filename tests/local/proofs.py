"""Judges what the views claim by what happened in the mock's org.

``claims`` reads the views. Every other function is pure, and returns what the views claim wrongly.
A delete of the truth is a ``Change`` of the org's history. A row tells of it if their dates are
within ten minutes, or if the row has the later date that SystemModstamp has moved to.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from salesforce_client.src.app.mock_salesforce.history import Change
from salesforce_client.src.app.mock_salesforce.org import Org

from . import warehouse

SAME_DELETE = timedelta(minutes=10)
DATES_DIFFER = ("unproven", "dates differ")
# The reasons of a day that no check covers. They come before "dates differ".
UNCOVERED = frozenset(
    ("unproven", reason)
    for reason in (
        *("not replicateable", "sight unknown", "filtered", "trimmed", "clock", "no rights"),
        *("check failed", "not covered"),
    )
)


class Told(NamedTuple):
    """A row of ``_deletes``."""

    event_id: str
    record_id: str
    deleted_date: datetime
    source: str


class Window(NamedTuple):
    """A check with the outcome ``listed`` that is compared."""

    object_name: str
    begin: datetime
    end: datetime
    checked_at: datetime


class Latest(NamedTuple):
    """A record of ``_latest`` that is deleted now, as a check confirms."""

    record_id: str
    deleted_date: datetime


class Gap(NamedTuple):
    """A gap with its state."""

    gap_id: str
    topic: str
    begin: Optional[datetime]
    end: datetime
    state: str


@dataclass(frozen=True)
class Claims:
    """What the views say. All times are in UTC.

    Attributes:
        days: verdict and reason of each object and day.
        objects: the objects of each topic. None among them stands for unknown ones.
    """

    deletes: Sequence[Told]
    days: Mapping[tuple[str, date], tuple[str, Optional[str]]]
    windows: Sequence[Window]
    confirmed: Sequence[Latest]
    gaps: Sequence[Gap]
    objects: Mapping[str, frozenset[Optional[str]]]


def claims(connection: Any) -> Claims:
    """Read the views."""

    def rows(sql: str) -> list[Any]:
        return [tuple(map(_in_utc, row)) for row in warehouse.query(connection, sql)[1]]

    polls = rows(
        "SELECT topic, objects, ended FROM delete_tracker_polls ORDER BY began_at, ended_at"
    )
    told = [
        row
        for table in ("", "_restores", "_gaps")
        for row in rows(f"SELECT DISTINCT topic, object_name FROM delete_tracker{table}")
    ]
    return Claims(
        [
            Told(*row)
            for row in rows(
                "SELECT event_id, record_id, deleted_date, source FROM delete_tracker_deletes "
                "WHERE record_id IS NOT NULL"
            )
        ],
        {
            (name, day): (verdict, reason)
            for name, day, verdict, reason in rows(
                "SELECT object_name, day, verdict, reason FROM delete_tracker_completeness "
                "WHERE verdict <> 'lost'"
            )
        },
        [
            Window(*row)
            for row in rows(
                "SELECT object_name, window_from, window_to, checked_at FROM delete_tracker_checks "
                "WHERE outcome = 'listed' AND compared_at IS NOT NULL"
            )
        ],
        [
            Latest(*row)
            for row in rows(
                "SELECT record_id, deleted_date FROM delete_tracker_latest "
                "WHERE deleted_now = 'yes' AND confirmed_at IS NOT NULL"
            )
        ],
        [
            Gap(*row)
            for row in rows(
                "SELECT gap_id, topic, from_time, COALESCE(to_time, detected_at), state "
                "FROM delete_tracker_gap_states"
            )
        ],
        objects_of(polls, told),
    )


def objects_of(
    polls: Sequence[tuple[str, Optional[str], str]], told: Sequence[tuple[str, Optional[str]]]
) -> dict[str, frozenset[Optional[str]]]:
    """The objects of each topic. None is among them if nobody knows whether that is all.

    Args:
        polls: topic, objects as JSON, and how the poll ended. The oldest comes first.
        told: topic and object of each row, restore and gap.
    """
    objects: dict[str, set[Optional[str]]] = defaultdict(set)
    last_good: dict[str, Optional[str]] = {}
    for topic, names, ended in polls:
        objects[topic] |= set(json.loads(names or "[]"))
        if ended != "failed":
            last_good[topic] = names
    unknown = {topic for topic, names in objects.items() if not names}
    unknown |= {topic for topic, names in last_good.items() if names is None}
    for topic, name in told:
        if topic == "check":
            continue
        if topic not in objects:
            unknown.add(topic)
        objects[topic] |= {name} if name else set()
    return {
        topic: frozenset([*names, *([None] if topic in unknown else [])])
        for topic, names in objects.items()
    }


def shown(org: Org, said: Claims, at: datetime) -> tuple[Counter[Change], list[Told]]:
    """How many rows of ``_deletes`` tell of each delete, and the rows that tell of none."""
    found: Counter[Change] = Counter()
    invented = []
    for row in said.deletes:
        change = _change_of(org, row.record_id, row.deleted_date, at)
        if change:
            found[change] += 1
        else:
            invented.append(row)
    return found, invented


def missing_listed(
    org: Org, said: Claims, objects: Sequence[str], since: datetime, until: datetime, at: datetime
) -> list[str]:
    """The deletes that Salesforce lists and that ``_deletes`` does not have exactly once.

    A delete may be missing if its day is *unproven: dates differ*. If no check covers the day, its
    reason is another one. Then a row of the same record may be unclear to the delete.

    Args:
        org: the truth.
        said: what the views say.
        objects: the objects that are checked.
        since: the beginning of the window that the last checks have listed.
        until: its end.
        at: when they have asked.
    """
    rows, _ = shown(org, said, at)
    records = {row.record_id for row in said.deletes}
    found = []
    for name in objects:
        entries = {*org.listing.deleted(name, since, until, at)}
        entries |= {
            (one.record_id, one.modified_at)
            for one in org.listing.all_deleted(name, since, until, at)
        }
        for record, dated in sorted(entries):
            change = _change_of(org, record, dated, at)
            assert change, f"the mock lists {record} as deleted at {dated}, but it was not"
            days = {dated.date(), change.dated.date()}
            verdicts = [said.days.get((name, day)) for day in days]
            unclear = DATES_DIFFER in verdicts or (
                record in records and not UNCOVERED.isdisjoint(verdicts)
            )
            if rows[change] != 1 and not unclear:
                found.append(f"{name} {record} {dated}: {rows[change]} rows, {verdicts}")
    return found


def false_proofs(org: Org, said: Claims, at: datetime) -> list[str]:
    """The deletes that Salesforce listed when a check asked, and that a proven day lacks.

    If SystemModstamp has moved, both days must be proven: that of the delete, and that of the list.
    """
    rows, _ = shown(org, said, at)
    found = set()
    for window in said.windows:
        name = window.object_name
        for record, dated in org.listing.deleted(
            name, window.begin, window.end - timedelta(milliseconds=1), window.checked_at
        ):
            change = _change_of(org, record, dated, window.checked_at)
            assert change, f"the mock lists {record} as deleted at {dated}, but it was not"
            verdicts = [
                said.days.get((name, day), ("none", None))[0]
                for day in {dated.date(), change.dated.date()}
            ]
            if not rows[change] and all(one in ("proven", "repaired") for one in verdicts):
                found.add(f"{name} {record} {dated}: {verdicts}")
    return sorted(found)


def doubled(org: Org, said: Claims, at: datetime) -> list[str]:
    """The deletes that have more than one row in ``_deletes``."""
    rows, _ = shown(org, said, at)
    return [f"{one.record_id} {one.dated}: {n} rows" for one, n in rows.items() if n > 1]


def invented(org: Org, said: Claims, at: datetime) -> list[str]:
    """The rows of ``_deletes`` that tell of no delete."""
    _, rows = shown(org, said, at)
    return [f"{row.event_id} {row.deleted_date}" for row in rows]


def live_but_confirmed(
    org: Org, said: Claims, since: datetime, until: datetime, at: datetime
) -> tuple[list[str], int]:
    """The records that live although ``_latest`` has them as deleted and confirmed.

    Only records count that were deleted and restored within the window of the last checks. The
    number is that of the others: no check asks for them any more.
    """
    found, older = [], 0
    for one in said.confirmed:
        if org.state(one.record_id, at) != "live":
            continue
        last = org.history.last(one.record_id, at)
        if last and since <= one.deleted_date and last.at < until:
            found.append(f"{one.record_id} deleted {one.deleted_date}, restored {last.at}")
        else:
            older += 1
    return found, older


def wrong_gap_states(said: Claims) -> list[str]:
    """The gaps that are open although good days cover them, or closed although none do."""
    found = []
    for gap in said.gaps:
        objects = said.objects.get(gap.topic, frozenset([None]))
        is_covered = (
            bool(objects)
            and None not in objects
            and gap.begin is not None
            and all(
                said.days.get((name, day), ("none", None))[0] in ("proven", "repaired")
                for name in objects
                for day in _days(gap.begin, gap.end)
                if name
            )
        )
        if is_covered != (gap.state == "closed"):
            found.append(f"{gap.topic} {gap.begin} to {gap.end}: {gap.state}")
    return found


def hidden_for_good(
    org: Org, said: Claims, objects: Sequence[str], since: datetime, until: datetime, at: datetime
) -> Counter[str]:
    """How many deletes have no row, by verdict and why. No event told of them in time.

    ``lost``: Salesforce never lists it. ``undone``: the record was restored since, so Salesforce
    need not list the delete. ``other``: it was trimmed, purged or not seen when a check asked.
    """
    rows, _ = shown(org, said, at)
    found: Counter[str] = Counter()
    for one in org.changes(objects, since, until):
        if one.kind == "delete" and not rows[one]:
            verdict = said.days.get((one.object_name, one.dated.date()), ("no day", None))[0]
            undone = org.history.last(one.record_id, at) != one
            why = "lost" if one.hidden == "lost" else "undone" if undone else "other"
            found[f"{verdict}: {why}"] += 1
    return found


def _change_of(org: Org, record: str, dated: datetime, at: datetime) -> Optional[Change]:
    """The delete of a record that a date is about."""
    deletes = [one for one in org.history.life(record) if one.kind == "delete" and one.at <= at]
    near = [one for one in deletes if abs(one.dated - dated) <= SAME_DELETE]
    moved = [
        one for one in deletes if one.drifts_at and one.drifts_at.replace(microsecond=0) == dated
    ]
    return min(near, key=lambda one: abs(one.dated - dated), default=moved[0] if moved else None)


def _days(begin: datetime, end: datetime) -> Iterator[date]:
    day = begin.date()
    while day <= end.date():
        yield day
        day += timedelta(days=1)


def _in_utc(value: Any) -> Any:
    is_time = isinstance(value, datetime) and value.tzinfo is None
    return value.replace(tzinfo=timezone.utc) if is_time else value
