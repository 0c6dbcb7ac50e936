"""SIGKILL at every boundary between two steps: whatever was repeated afterwards, nothing is lost and nothing is doubled."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from azure.storage.blob import BlobLeaseClient, ContainerClient
from local import apps, emulators, truth, warehouse
from local.proxy import Request, kill, proxy

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
Match = Callable[[Request], bool]


def upload(request: Request) -> bool:
    return request.method == "PUT" and "/events-" in request.path and ".db" in request.path and "comp=" not in request.path


def cursor(request: Request) -> bool:
    return request.method == "PUT" and "/cursors-" in request.path and ".json" in request.path


def download(request: Request) -> bool:
    return request.method == "GET" and ".db" in request.path


def mark(request: Request) -> bool:
    return request.method == "PUT" and "comp=metadata" in request.path


def statement(words: str) -> Match:
    return lambda request: "query-request" in request.path and words in request.text


PUT_FILE: Match = lambda request: request.method == "PUT" and "rows_" in request.path  # noqa: E731
COLLECTOR = {"upload": upload, "cursor": cursor}
SYNC_STORAGE = {"download": download, "mark": mark}
SYNC_WAREHOUSE = {
    "create table": statement("CREATE TABLE"),
    "staging": statement("CREATE OR REPLACE TEMPORARY TABLE"),
    "put": statement("PUT file:"),
    "copy": statement("COPY INTO"),
    "merge": statement("MERGE INTO"),
    "load record": statement('INSERT INTO \\"DELETE_TRACKER_LOADS'),
    "commit": statement("COMMIT"),
}


def break_lease(events: ContainerClient) -> None:
    """End the lease that a killed sweep has left behind."""
    BlobLeaseClient(events).break_lease(lease_break_period=0)


def run_until_killed(
    app: tuple[str, str],
    settings: Mapping[str, str],
    port: int,
    target: Callable[[int], Mapping[str, str]],
    match: Match,
    when: str,
) -> None:
    """Run a function through a proxy that kills it when a request matches, before or after it has its effect."""
    with proxy(port) as through:
        running: list[subprocess.Popen[str]] = []

        def shoot(request: Request) -> tuple[int, bytes] | None:
            if not match(request) or running[0].poll() is not None:
                return None
            kill(running[0].pid)
            return 503, b""  # to nobody; before it was forwarded, it never is

        setattr(through, when, shoot)
        running.append(apps.start(*app, {**settings, **target(through.port)}))
        ended = apps.finish(running[0])
        warehouse.end_sessions(port, through.seen)
    assert ended.returncode == -9, ended.log


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", COLLECTOR)
def test_a_collector_killed_at_any_step_loses_and_doubles_nothing(
    step: str, when: str, settings: Mapping[str, str], azurite: emulators.Server, connection: Any, events: ContainerClient
) -> None:
    """Above all between the upload and the first cursor."""
    warehouse.query(connection, warehouse.WITHOUT_CONSTRAINTS)
    first = {**settings, "MOCK_NOW": NOW.isoformat()}
    collector = ("salesforce_client", "TimerPoller")
    through: Callable[[int], Mapping[str, str]] = lambda port: {"EVENTS_STORAGE": emulators.connection_string(port)}  # noqa: E731
    run_until_killed(collector, first, azurite.port, through, COLLECTOR[step], when)
    uploaded = len(list(events.list_blobs()))
    assert uploaded == (0 if (step, when) == ("upload", "before") else 1)
    assert apps.poll(first).succeeded
    assert apps.sweep(settings).succeeded
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [*SYNC_STORAGE, *SYNC_WAREHOUSE])
def test_a_sync_killed_at_any_step_loses_and_doubles_nothing(
    step: str,
    when: str,
    settings: Mapping[str, str],
    azurite: emulators.Server,
    fakesnow: emulators.Server,
    connection: Any,
    events: ContainerClient,
) -> None:
    """Above all between COMMIT and the mark."""
    warehouse.query(connection, warehouse.WITHOUT_CONSTRAINTS)
    assert apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}).succeeded
    sync = ("delete_sync", "SnowflakePusher")
    if step in SYNC_STORAGE:
        storage: Callable[[int], Mapping[str, str]] = lambda port: {"EVENTS_STORAGE": emulators.connection_string(port)}  # noqa: E731
        run_until_killed(sync, settings, azurite.port, storage, SYNC_STORAGE[step], when)
    else:
        snowflake: Callable[[int], Mapping[str, str]] = lambda port: {"SNOWFLAKE_PORT": str(port)}  # noqa: E731
        run_until_killed(sync, settings, fakesnow.port, snowflake, SYNC_WAREHOUSE[step], when)
    break_lease(events)  # as an operator who will not wait 15 seconds
    again = apps.sweep(settings)
    assert again.succeeded, again.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)
    assert "synced=0" in apps.sweep(settings).log
