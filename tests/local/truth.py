"""Compares ``delete_tracker`` with the deletes that the mock's org published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional

from azure.storage.blob import ContainerClient

from salesforce_client.src.app.mock_salesforce.events import own_id
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org
from salesforce_client.src.app.model.ids import identity

from . import event_files, warehouse

SLACK = timedelta(minutes=1)  # of the clocks of a poll

Key = tuple[str, str, str, str, datetime]


@dataclass(frozen=True)
class Difference:
    """How the table differs from what was published.

    Attributes:
        published: number of published deletes.
        found: number of rows in the table.
        missing: published deletes without a row.
        twice: keys with more than one row.
        unknown: rows that were never published.
    """

    published: int
    found: int
    missing: list[Key]
    twice: list[Key]
    unknown: list[Key]

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.missing or self.twice or self.unknown)


def difference(
    connection: Any, org: Org, topics: Sequence[str], since: datetime, until: datetime
) -> Difference:
    """Compare ``delete_tracker`` with the deletes that ``org`` published on ``topics``.

    The comparison covers deletes after ``since``, up to and including ``until``. It leaves out the
    recovered deletes, which no event told of.
    """
    expected = {
        (it.key, it.object_name, it.record_id, it.deleted_by, it.at.replace(tzinfo=None))
        for it in org.deletes(topics, since, until)
    }
    sql = (
        "SELECT event_id, object_name, record_id, deleted_by, deleted_date FROM delete_tracker "
        "WHERE topic <> 'check'"
    )
    found: list[Any] = warehouse.query(connection, sql)[1]
    twice = [key for key, count in Counter(found).items() if count > 1]
    return Difference(
        len(expected),
        len(found),
        sorted(expected - set(found)),
        twice,
        sorted(set(found) - expected),
    )


def difference_of_restores(
    connection: Any, org: Org, topics: Sequence[str], since: datetime, until: datetime
) -> Difference:
    """Compare ``delete_tracker_restores`` with the restores of events, as ``difference`` does."""
    expected = {
        (it.key, it.object_name, it.record_id, it.restored_by, it.at.replace(tzinfo=None))
        for it in org.restores(topics, since, until)
    }
    sql = (
        "SELECT restore_id, object_name, record_id, restored_by, restored_date "
        "FROM delete_tracker_restores WHERE found_by <> 'check'"
    )
    found: list[Any] = warehouse.query(connection, sql)[1]
    twice = [key for key, count in Counter(found).items() if count > 1]
    return Difference(
        len(expected),
        len(found),
        sorted(expected - set(found)),
        twice,
        sorted(set(found) - expected),
    )


class RecordedGap(NamedTuple):
    """A row of ``delete_tracker_gaps``. Times are in UTC."""

    gap_id: str
    topic: str
    reason: str
    begin: Optional[datetime]
    end: datetime

    def has_lost(self, at: datetime, slack: timedelta) -> bool:
        """Whether the cursor was lost before it reached this time, and EARLIEST is later."""
        begin = self.begin or datetime.min.replace(tzinfo=timezone.utc) + slack
        return begin - slack <= at <= self.end - RETENTION + slack


def recorded_gaps(connection: Any) -> list[RecordedGap]:
    """The rows of ``delete_tracker_gaps``."""
    sql = "SELECT gap_id, topic, reason, from_time, to_time FROM delete_tracker_gaps"
    return [
        RecordedGap(*row[:3], *(time and time.replace(tzinfo=timezone.utc) for time in row[3:]))
        for row in warehouse.query(connection, sql)[1]
    ]


def expired(
    org: Org,
    topics: Sequence[str],
    since: datetime,
    until: datetime,
    gaps: Sequence[RecordedGap],
    slack: timedelta = SLACK,
) -> set[tuple[str, str]]:
    """The topics and ids of the events that a gap of a cursor contains, on each of ``topics``.

    A clock that gave the times of a gap was wrong by ``slack`` at most.
    """
    lost = [gap for gap in gaps if gap.reason == "expired_cursor" and gap.topic in topics]
    return {
        (gap.topic, happening.event_id)
        for happening in org.history.between(since, until)
        for gap in lost
        if gap.topic in happening.topics and gap.has_lost(happening.at, slack)
    }


def nowhere_left(
    org: Org,
    topics: Sequence[str],
    since: datetime,
    until: datetime,
    expired: set[tuple[str, str]],
) -> set[str]:
    """The ids of the events that have expired on every topic that had them.

    Also those of their parts, for an org that splits events and gives each part an id of its own.
    """
    return {
        event_id
        for happening in org.history.between(since, until)
        if (on := set(happening.topics) & set(topics))
        and {(topic, happening.event_id) for topic in on} <= expired
        for event_id in (
            happening.event_id,
            *(own_id(happening.event_id, record_id) for record_id in happening.ids),
        )
    }


def wrong_gaps(
    org: Org,
    topics: Sequence[str],
    since: datetime,
    until: datetime,
    gaps: Sequence[RecordedGap],
    excused: set[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[RecordedGap]]:
    """The gaps of events that are not recorded, and those that are unknown or recorded twice.

    Args:
        org: the truth.
        topics: the topics.
        since: the events happened later.
        until: they happened up to this time.
        gaps: the recorded ones.
        excused: topic and id of expired and of rejected events. Their gaps need not be recorded.
    """
    told = {
        identity(org.org_id, topic, event_id, reason): (topic, event_id)
        for topic, event_id, reason in org.gaps(topics, since, until)
    }
    count = Counter(gap.gap_id for gap in gaps)
    return (
        [event for gap_id, event in told.items() if gap_id not in count and event not in excused],
        [
            gap
            for gap in gaps
            if count[gap.gap_id] > 1 or (gap.gap_id not in told and gap.reason != "expired_cursor")
        ],
    )


def wrong_records(connection: Any, events: ContainerClient, folder: Path) -> list[str]:
    """How the load records differ from the event files and from the table, row by row.

    The event files are downloaded into ``folder``.
    """
    sql = "SELECT event_id FROM delete_tracker WHERE topic <> 'check'"
    keys = [key for (key,) in warehouse.query(connection, sql)[1]]
    records: list[Any] = warehouse.query(
        connection, "SELECT event_file, rows_inserted FROM delete_tracker_loads WHERE error IS NULL"
    )[1]
    of_file = Counter(name for name, _ in records)
    wrong = [f"{name} has {count} load records" for name, count in of_file.items() if count > 1]
    in_table = set(keys)
    for blob in events.list_blobs():
        if blob.name not in of_file:
            wrong.append(f"{blob.name} has no load record")
        missing = {row["event_id"] for row in event_files.rows(events, folder, name=blob.name)}
        if missing - in_table:
            wrong.append(f"rows of {blob.name} are not in the table: {missing - in_table}")
    claimed = sum(int(rows) for _, rows in records)
    if claimed != len(keys):
        wrong.append(f"the load records claim {claimed} rows, but the table has {len(keys)}")
    return wrong
