"""A crash at any step

The collector closes an event file, flushes it to the disk and uploads it in one request.
Then it saves the cursors.
It replaces a cursor only if the cursor's ETag has not changed since the collector read it.
After a failed write or upload, the collector uploads no more files and saves no more cursors.
The next poll reads again all events that were not stored.

The tests kill an app with SIGKILL right before or right after a step.
Then they run both apps again, and compare ``delete_tracker`` with what the org published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import apps, crashes, emulators, truth, warehouse
from local.account import Account
from local.crashes import statement
from local.event_files import check, listed
from local.proxy import Request

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


def download(request: Request) -> bool:
    return request.method == "GET" and ".db" in request.path


COLLECTOR = {"upload": crashes.upload, "cursor": crashes.cursor}
SYNC_STORAGE = {"download": download}
SYNC_WAREHOUSE = {
    "create table": statement("CREATE TABLE"),
    "staging": statement("CREATE OR REPLACE TEMPORARY TABLE"),
    "put": statement("PUT 'file:"),
    "copy": statement("COPY INTO"),
    "lock": statement('UPDATE \\"DELETE_TRACKER_LOCK'),
    "merge": statement("MERGE INTO"),
    "load record": statement('INSERT INTO \\"DELETE_TRACKER_LOADS'),
    "commit": statement("COMMIT"),
    "read back": statement("WHERE token"),
}


SYNC_COMPARISON = {
    "count": statement("COUNT(*) AS recovered"),
    "insert": statement('INSERT INTO \\"DELETE_TRACKER\\" ('),
    "compared": statement('UPDATE \\"DELETE_TRACKER_CHECKS'),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", COLLECTOR)
def test_a_collector_killed_at_any_step_loses_and_duplicates_nothing(
    step: str,
    when: str,
    settings: Mapping[str, str],
    azurite: emulators.Server,
    connection: Any,
    events: ContainerClient,
) -> None:
    """If the collector is killed before or after it uploads a file or saves a cursor, nothing is
    lost and nothing is duplicated. If it is killed after the upload and before it saves the
    first cursor, the next poll uploads all rows again, with the same keys.
    """
    first = {**settings, "MOCK_NOW": NOW.isoformat()}
    crashes.run_until_ended(
        crashes.COLLECTOR, first, azurite, crashes.through_storage, COLLECTOR[step], when
    )
    uploaded = len(list(events.list_blobs()))
    assert uploaded == (0 if (step, when) == ("upload", "before") else 1)
    assert apps.poll(first).succeeded
    assert apps.sweep(settings).succeeded
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)


def test_what_expires_after_a_kill_is_in_a_gap_too(
    settings: Mapping[str, str], azurite: emulators.Server, connection: Any
) -> None:
    """If the cursor has expired, and the collector is killed after it has uploaded the first file
    and before it saves the cursor, the next poll finds the same cursor. If more events have
    expired until then, they are in a second gap. The first gap ends before them.
    """
    topic = DEFAULT_TOPICS[0]

    def at(days: int) -> tuple[dict[str, str], apps.Worker]:
        moment = NOW + timedelta(days=days)
        shift = {"CLOCK_SHIFT_SECONDS": str((moment - datetime.now(timezone.utc)).total_seconds())}
        mock = {"MOCK_NOW": moment.isoformat(), "MOCK_FAULTS": "strict_retention"}
        some = {"SALESFORCE_TOPICS": topic, "MAX_FILE_ROWS": "5"}
        return {**settings, **mock, **some}, apps.Worker(
            "invoke_shifted.py", environment=lambda _: shift
        )

    first, worker = at(0)
    assert apps.finish(apps.start(*crashes.COLLECTOR, first, worker)).succeeded
    expired, worker = at(5)
    crashes.run_until_ended(
        *(crashes.COLLECTOR, expired, azurite, crashes.through_storage, crashes.cursor),
        worker=worker,
    )
    again, worker = at(10)
    assert "(expired_cursor)" in apps.finish(apps.start(*crashes.COLLECTOR, again, worker)).log
    assert apps.sweep({**settings, "MAX_SILENCE_HOURS": "0"}).succeeded
    org, since, until = Org(3600), NOW - RETENTION, NOW + timedelta(days=10)
    gaps = truth.recorded_gaps(connection)
    lost = {event for _, event in truth.expired(org, [topic], since, until, gaps)}
    found = truth.difference(connection, org, [topic], since, until)
    assert found.missing
    assert {key.partition(":")[0] for key, *_ in found.missing} <= lost
    assert (found.twice, found.unknown) == ([], [])
    ends = sorted(gap.end.date() for gap in gaps if gap.reason == "expired_cursor")
    assert ends == [(NOW + timedelta(days=days)).date() for days in (5, 10)]


@pytest.mark.parametrize(("when", "reading"), [("before", "silent"), ("after", "error")])
@pytest.mark.parametrize("step", [*SYNC_STORAGE, *SYNC_WAREHOUSE])
def test_a_sync_killed_at_any_step_loses_and_duplicates_nothing(
    step: str,
    when: str,
    settings: Mapping[str, str],
    azurite: emulators.Server,
    snowflake: emulators.Server,
    connection: Any,
    account: Account,
    reading: str,
) -> None:
    """If the sync is killed at any step from the download to the last look at its load records,
    nothing is lost and nothing is duplicated. The next sweep waits until Snowflake has ended the
    transaction of the killed one.
    """
    account.set(idle_seconds=1, reading=reading)
    assert apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}).succeeded
    if step in SYNC_STORAGE:
        crashes.run_until_ended(
            crashes.SYNC, settings, azurite, crashes.through_storage, SYNC_STORAGE[step], when
        )
    else:
        crashes.run_until_ended(
            crashes.SYNC, settings, snowflake, crashes.through_warehouse, SYNC_WAREHOUSE[step], when
        )
    again = apps.sweep(settings)
    assert again.succeeded, again.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)
    assert "synced=0" in apps.sweep(settings).log


@pytest.mark.parametrize(("when", "reading"), [("before", "silent"), ("after", "error")])
@pytest.mark.parametrize("step", SYNC_COMPARISON)
def test_a_sync_killed_in_the_comparison_recovers_each_delete_once(
    step: str,
    when: str,
    settings: Mapping[str, str],
    snowflake: emulators.Server,
    connection: Any,
    account: Account,
    events: ContainerClient,
    tmp_path: Path,
    reading: str,
) -> None:
    """The files of the killed sweep are loaded. The next sweep compares as if nothing happened."""
    account.set(idle_seconds=1, reading=reading)
    file = EventFile(tmp_path / "checks.db", NOW)
    file.add([check(), listed(record_id="001000000000001AAA")])
    file.close()
    content = file.path.read_bytes()
    events.create_container()
    digest = hashlib.sha256(content).hexdigest()
    events.upload_blob(blob_name(NOW, 0), content, metadata={"sha256": digest})
    quiet = {**settings, "MAX_SILENCE_HOURS": "0", "MAX_BACKLOG_HOURS": "0"}
    crashes.run_until_ended(
        crashes.SYNC, quiet, snowflake, crashes.through_warehouse, SYNC_COMPARISON[step], when
    )
    found = "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM delete_tracker"
    assert warehouse.query(connection, found)[1] == [(0, 0)]
    again = apps.sweep(quiet)
    assert again.succeeded, again.log
    assert "synced=0" in again.log
    assert "compared=1 recovered=1 waiting=0" in again.log
    assert warehouse.query(connection, found)[1] == [(1, 1)]
    assert "compared=0 recovered=0 waiting=0" in apps.sweep(quiet).log
