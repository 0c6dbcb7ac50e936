"""Compares ``delete_tracker`` with the deletes that the mock's org published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from salesforce_client.src.app.mock_salesforce.org import Org

from . import event_files, warehouse

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


def wrong_records(connection: Any, events: ContainerClient, folder: Path) -> list[str]:
    """How the load records differ from the event files and from the table, row by row.

    The event files are downloaded into ``folder``.
    """
    keys = [key for (key,) in warehouse.query(connection, "SELECT event_id FROM delete_tracker")[1]]
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
