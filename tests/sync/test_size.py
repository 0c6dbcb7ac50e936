"""Many files and many rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient
from local import emulators
from local.event_files import delete
from local.proxy import proxy

from delete_sync.src.report import Report
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


def test_one_new_file_among_ten_thousand_costs_one_download(
    put: Put, sweep: Sweep, query: Query, events: ContainerClient, azurite: emulators.Server
) -> None:
    """The sweep compares the list with the load records page by page."""
    put("e0")
    sweep()
    names = [blob_name(BEGUN_AT, number) for number in range(100, 10_100)]
    metadata = {"sha256": "f" * 64}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: events.upload_blob(name, b"", metadata=metadata), names))
    loaded = ", ".join(f"('{name}')" for name in names)
    query(
        "INSERT INTO delete_tracker_loads (event_file, sha256, reader) "
        f"SELECT column1 AS event_file, '{metadata['sha256']}' AS sha256, 2 AS reader "
        f"FROM VALUES {loaded}"
    )
    put("e1")
    with proxy(azurite.port) as through:
        report = sweep(EVENTS_STORAGE=emulators.connection_string(through.port))
        asked = [(request.method, "comp=list" in request.path) for request in through.seen]
    assert (report.files, report.inserted, report.batches) == (10_002, 1, 1)
    assert asked.count(("GET", False)) == 1
    assert set(asked) == {("GET", True), ("GET", False)}


def test_memory_stays_flat_over_half_a_million_rows(
    events: ContainerClient,
    tmp_path: Path,
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
) -> None:
    """The peak is under 120 MiB, with the connector included.

    The payloads of one file are as the collector writes them. Those of the other one have a space,
    so each of its rows takes the exact way.
    """
    events.create_container()
    text = "x" * 400
    for number, (rows, payload) in enumerate(
        [(250_000, f'{{"text":"{text}"}}'), (250_000, f'{{"text": "{text}"}}')]
    ):
        file = EventFile(tmp_path / "x.db", BEGUN_AT)
        file.add([delete(f"{number}-{row}", payload=payload) for row in range(rows)])
        file.close()
        with file.path.open("rb") as data:
            events.upload_blob(blob_name(BEGUN_AT, number), data)
        file.path.unlink()
    code = (
        "import json, re, sys; from delete_sync.src.run import run; "
        "report = run(json.loads(sys.argv[1])); "
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()); "
        "print(report.inserted, report.batches, int(peak[1]) // 1024)"
    )
    quiet = {"MAX_SILENCE_HOURS": "0"}
    settings = json.dumps({**blob_settings, **snowflake_settings, **quiet})
    repository = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, settings],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    inserted, batches, mebibytes = (int(part) for part in done.stdout.split())
    assert (inserted, batches) == (500_000, 1)
    assert mebibytes < 120
