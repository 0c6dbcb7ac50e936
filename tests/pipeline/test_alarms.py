"""No invocation succeeds without having done its work.

Each test makes a condition, runs the function as the host does, and reads the sentence with which
it fails. Other files are loaded meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import apps, emulators, warehouse
from local.event_files import delete, poll
from local.proxy import Request, proxy

from salesforce_client.src.app.model.times import timestamp
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

NOW = datetime.now(timezone.utc).replace(microsecond=0)
Put = Callable[..., str]
Settings = Mapping[str, str]


@pytest.fixture
def calm(settings: Settings) -> Settings:
    """Settings with which silence and old files are no failure."""
    return {**settings, "MAX_SILENCE_HOURS": "0", "MAX_BACKLOG_HOURS": "0"}


@pytest.fixture
def put(events: ContainerClient, tmp_path: Path) -> Put:
    """Upload an event file that was begun some hours ago. Returns its name."""
    if not events.exists():
        events.create_container()
    numbers = iter(range(1000))

    def once(*rows: Any, hours_ago: float = 0) -> str:
        number = next(numbers)
        begun_at = NOW - timedelta(hours=hours_ago) + timedelta(seconds=number)
        file = EventFile(tmp_path / f"{number}.db", begun_at)
        file.add(rows)
        file.close()
        name = blob_name(begun_at)
        events.upload_blob(name, file.path.read_bytes())
        return name

    return once


def hours_ago(hours: float) -> str:
    return timestamp(NOW - timedelta(hours=hours))


def keys(connection: Any) -> list[str]:
    found = warehouse.query(connection, "SELECT event_id FROM delete_tracker ORDER BY event_id")[1]
    return [key for (key,) in found]


@contextlib.contextmanager
def refused(
    settings: Mapping[str, str], azurite: emulators.Server, name: str
) -> Iterator[Settings]:
    """Settings with which Blob Storage refuses to read one blob."""
    answer = (
        b'<?xml version="1.0"?><Error><Code>AuthorizationPermissionMismatch</Code>'
        b"<Message>This request is not authorized.</Message></Error>"
    )

    def refuse(request: Request) -> tuple[int, bytes] | None:
        return (403, answer) if request.method == "GET" and name in request.path else None

    with proxy(azurite.port) as through:
        through.before = refuse
        yield {**settings, "EVENTS_STORAGE": emulators.connection_string(through.port)}


def failing(settings: Settings) -> str:
    """The log of a sweep that must fail."""
    swept = apps.sweep(settings)
    assert not swept.succeeded, swept.log
    return swept.log


# -- files that wait


def test_a_file_that_waits_for_too_long_fails_the_sweep(
    put: Put, calm: Settings, azurite: emulators.Server, connection: Any
) -> None:
    """The error names the oldest file, and says why it waits. The others are loaded."""
    put(delete("e1"))
    old = put(delete("e2"), hours_ago=50)
    with refused({**calm, "MAX_BACKLOG_HOURS": "48"}, azurite, old) as settings:
        log = failing(settings)
        assert f"BacklogError: {old} is still pending after 50." in log
        assert "This request is not authorized. (AuthorizationPermissionMismatch)" in log
        assert "BacklogError" not in failing({**settings, "MAX_BACKLOG_HOURS": "51"})
        assert "BacklogError" not in failing({**settings, "MAX_BACKLOG_HOURS": "0"})
    assert keys(connection) == ["e1"]
    assert apps.sweep(calm).succeeded
    assert keys(connection) == ["e1", "e2"]


def test_a_blob_that_storage_refuses_fails_the_sweep(
    put: Put, calm: Settings, azurite: emulators.Server, connection: Any
) -> None:
    """The error names the blob and says what to check, in each sweep until somebody acts."""
    name = put(delete("e1"))
    put(delete("e2"))
    with refused(calm, azurite, name) as settings:
        for _ in range(2):
            log = failing(settings)
            assert "FilesUnavailableError: 1 event file(s) cannot be read. They stay pending" in log
            assert f"  - {name}: event file {name}: This request is not authorized." in log
    assert keys(connection) == ["e2"]


def test_an_archived_blob_fails_the_sweep(
    put: Put, calm: Settings, events: ContainerClient, connection: Any
) -> None:
    """The error has the command that brings it back."""
    name = put(delete("e1"))
    put(delete("e2"))
    events.get_blob_client(name).set_standard_blob_tier("Archive")
    log = failing(calm)
    assert "FilesUnavailableError: 1 event file(s) cannot be read. They stay pending" in log
    assert f"  - {name}: " in log
    assert "az storage blob set-tier --tier Hot" in log
    assert keys(connection) == ["e2"]


def test_a_blob_that_does_not_match_its_digest_fails_the_sweep(
    put: Put, calm: Settings, events: ContainerClient, connection: Any
) -> None:
    """The error names the blob, and says how to get an earlier version of it."""
    name = put(delete("e1"))
    put(delete("e2"))
    events.get_blob_client(name).set_blob_metadata({"sha256": "0" * 64})
    log = failing(calm)
    assert "FilesRefusedError: 1 event file(s) were refused" in log
    assert f"  - {name}: its content does not match the SHA-256 in its metadata" in log
    assert "Restore an earlier version of the blob" in log
    assert keys(connection) == ["e2"]


# -- the wrong container


def test_a_container_that_does_not_exist_fails_the_sweep(calm: Settings) -> None:
    """A typo in EVENTS_CONTAINER must not look like a quiet org."""
    log = failing({**calm, "EVENTS_CONTAINER": "evnets"})
    assert "StorageRefusedError: container evnets does not exist: check EVENTS_CONTAINER" in log


def test_a_container_with_other_blobs_alone_fails_the_sweep(
    calm: Settings, events: ContainerClient
) -> None:
    """The collector writes to another container."""
    events.create_container()
    events.upload_blob("azure-webjobs-hosts/lock", b"x")
    log = failing(calm)
    assert (
        f"StorageRefusedError: container {events.container_name} has blobs, for example "
        "azure-webjobs-hosts/lock, but no event file (events_YYYYMMDDTHHMMSSZ.db): "
        "check EVENTS_CONTAINER"
    ) in log


# -- a silent collector


def test_a_topic_that_was_not_read_to_its_end_for_a_day_fails_the_sweep(
    put: Put, settings: Settings
) -> None:
    """Only the topics of the newest poll count. A topic that was removed is not missed."""
    put(
        poll("p1", topic="/event/Gone__e", began_at=hours_ago(90), ended_at=hours_ago(90)),
        poll("p2", topic="/event/A__e", began_at=hours_ago(25), ended_at=hours_ago(25)),
        poll("p3", topic="/event/B__e", began_at=hours_ago(25), ended_at=hours_ago(25)),
        hours_ago=25,
    )
    newest = {"began_at": hours_ago(1), "ended_at": hours_ago(1)}
    put(
        poll("p4", topic="/event/A__e", ended="failed", error="no right", **newest),
        poll("p5", topic="/event/B__e", ended="caught_up", **newest),
        poll("p6", topic="/event/New__e", ended="deadline", **newest),
        hours_ago=1,
    )
    log = failing(settings)
    assert "SilenceError: the collector is silent (MAX_SILENCE_HOURS=24): /event/A__e last" in log
    assert "/event/A__e last ended caught up or idle 25." in log
    assert "; /event/New__e has never ended caught up or idle. See" in log
    assert "/event/B__e" not in log
    assert "/event/Gone__e" not in log
    assert "New__e" in failing({**settings, "MAX_SILENCE_HOURS": "26"})
    assert apps.sweep({**settings, "MAX_SILENCE_HOURS": "0"}).succeeded


def test_a_collector_that_no_longer_runs_fails_the_sweep(put: Put, settings: Settings) -> None:
    """Its last poll ended well, but that was two days ago."""
    put(poll(began_at=hours_ago(49), ended_at=hours_ago(49)), hours_ago=49)
    for _ in range(2):  # also if there is nothing to load
        assert "/event/X__e last ended caught up or idle 49." in failing(settings)


def test_without_polls_the_newest_event_file_tells_when_the_collector_ran(
    put: Put, settings: Settings
) -> None:
    """Files of version 1 have no polls."""
    put(delete("e1"), hours_ago=30)
    name = put(delete("e2"), hours_ago=25)
    for _ in range(2):
        assert f"its newest event file is {name}, begun 25." in failing(settings)
    put(delete("e3"), hours_ago=23)
    assert apps.sweep(settings).succeeded


def test_a_container_into_which_no_event_file_ever_came_fails_the_sweep(
    settings: Settings, events: ContainerClient
) -> None:
    """The collector was never started, or writes somewhere else."""
    events.create_container()
    assert "no event file has ever arrived" in failing(settings)


# -- the table


def test_a_key_that_is_twice_in_the_table_fails_every_sweep(
    put: Put, calm: Settings, connection: Any
) -> None:
    """The whole table is searched, not only the keys and days of the new files."""
    put(delete("e1"))
    assert apps.sweep(calm).succeeded
    warehouse.query(
        connection,
        "INSERT INTO delete_tracker (event_id, deleted_date) "
        "SELECT 'e0' AS event_id, '2001-01-01'::TIMESTAMP_NTZ AS deleted_date "
        "UNION ALL SELECT 'e0', '2001-01-01'::TIMESTAMP_NTZ",
    )
    for _ in range(2):
        log = failing(calm)
        assert (
            "DuplicateRowsError: the table holds at least 1 event_id values more than once" in log
        )
        assert "for example e0;" in log


def test_several_things_are_told_at_once(
    put: Put, settings: Settings, azurite: emulators.Server
) -> None:
    """An operator who mends only the first would be called again."""
    old = put(delete("e1"), hours_ago=99)
    with refused(settings, azurite, old) as through:
        log = failing(through)
    for kind in ("FilesUnavailableError", "BacklogError", "SilenceError"):
        assert f"{kind}: " in log
