#!/usr/bin/env python3
"""Measure a sweep that finds one new file among many: part of ``python3 tests/run.py bench``.

All other files have a load record. The sweep compares the list of the container with the records,
page by page. Filling the container takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

HERE = Path(__file__).resolve().parent
BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
AT_ONCE = 10_000  # load records in one statement
DIGEST = "f" * 64


def fill(count: int, storage: Mapping[str, str], connection: Any) -> None:
    """Upload empty blobs with the names of event files, and write a load record for each."""
    from azure.storage.blob import BlobServiceClient
    from local import warehouse

    from salesforce_client.src.app.storage.blobs import blob_name

    names = [blob_name(BEGUN_AT, number) for number in range(1, count)]
    with BlobServiceClient.from_connection_string(storage["EVENTS_STORAGE"]) as service:
        events = service.get_container_client(storage["EVENTS_CONTAINER"])
        with ThreadPoolExecutor(16) as pool:
            metadata = {"sha256": DIGEST}
            for _ in pool.map(lambda name: events.upload_blob(name, b"", metadata=metadata), names):
                pass
    for start in range(0, count, AT_ONCE):
        values = ", ".join(f"('{name}')" for name in names[start : start + AT_ONCE])
        warehouse.query(
            connection,
            "INSERT INTO delete_tracker_loads (event_file, sha256, reader) "
            f"SELECT column1 AS event_file, '{DIGEST}' AS sha256, 2 AS reader FROM VALUES {values}",
        )


def put(key: str, seconds: int, storage: Mapping[str, str]) -> None:
    """Upload an event file with one delete."""
    from azure.storage.blob import BlobServiceClient
    from local.event_files import delete

    from salesforce_client.src.app.storage.blobs import blob_name
    from salesforce_client.src.app.storage.event_file import EventFile

    with (
        tempfile.TemporaryDirectory() as folder,
        BlobServiceClient.from_connection_string(storage["EVENTS_STORAGE"]) as service,
    ):
        file = EventFile(Path(folder) / "one.db", BEGUN_AT)
        file.add([delete(key)])
        file.close()
        events = service.get_container_client(storage["EVENTS_CONTAINER"])
        if not events.exists():
            events.create_container()
        events.upload_blob(blob_name(BEGUN_AT, seconds), file.path.read_bytes())


def main() -> int:
    """Measure, print the figures, and write the table into the page."""
    parser = argparse.ArgumentParser(description="Sweep one new event file among many old ones.")
    parser.add_argument("--files", type=int, default=100_000)
    count = parser.parse_args().files
    process.begin()
    from local import emulators, warehouse

    sweeper = [sys.executable, str(HERE / "sweeper.py")]
    lines = ["| event files | seconds | peak memory |", "|---|---|---|"]
    with emulators.azurite() as azurite, emulators.snowflake() as server:
        storage = {**azurite.settings, "EVENTS_CONTAINER": "events"}
        settings = {**storage, **server.settings}
        for old in (0, count):
            if old:
                with warehouse.connect(settings) as connection:
                    fill(count, storage, connection)
            put(f"e{old}", old, storage)
            figures = process.told(sweeper, settings)
            assert figures["inserted"] == 1, figures
            row = f"| {old + 1:,} | {figures['seconds']:.1f} | {figures['peak_mb']:.0f} MB |"
            print(row, flush=True)
            lines.append(row)
    page.write("listing", "\n".join([*lines, "", f"Machine: {page.machine()}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
