"""No invocation succeeds without having done its work.

Each test makes a condition, runs the function as the host does, and reads the sentence with which it
fails. Other files are loaded meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import apps, emulators, warehouse
from local.event_files import delete, poll
from local.proxy import Request, proxy

from salesforce_client.src.app.model import timestamp
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

NOW = datetime.now(timezone.utc).replace(microsecond=0)
Put = Callable[..., str]


@pytest.fixture
def put(events: ContainerClient, tmp_path: Path) -> Put:
    """Upload an event file that was begun some hours ago. Returns its name."""
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


def test_a_file_that_waits_for_too_long_fails_the_sweep(
    put: Put, settings: Mapping[str, str], connection: Any
) -> None:
    """The error names the oldest file and why it waits. A younger one may wait."""
    put(delete("e1"))
    oldest = put(delete("e2"), hours_ago=50)
    # A batch has one file, and the time is up after the first: the oldest name comes first.
    with refusing(settings, oldest) as refused:
        swept = apps.sweep({**settings, **refused})
    assert not swept.succeeded
    assert f"BacklogError: {oldest} is still pending after 50." in swept.log
    assert "(MAX_BACKLOG_HOURS=48): event file" in swept.log
    assert keys(connection) == ["e1"]
    with refusing(settings, oldest) as refused:
        patient = apps.sweep({**settings, **refused, "MAX_BACKLOG_HOURS": "0"})
    assert "BacklogError" not in patient.log
    assert apps.sweep(settings).succeeded
