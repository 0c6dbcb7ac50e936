#!/usr/bin/env python3
"""Measure a sweep with and without checks: part of ``python3 tests/run.py bench``.

The sweep loads deletes of events. In the second case it also loads a check of each of 20 objects
and compares it. Every second listed delete has the row of an event. The sweep adds the others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402
import sweep  # noqa: E402
from rows import plain  # noqa: E402

OBJECTS = 20


def upload_checks(count: int, storage: Mapping[str, str]) -> None:
    """Upload a file for the check of each object, after the files of the events."""
    from salesforce_client.src.app.model.ids import identity
    from salesforce_client.src.app.model.rows import Check, ListedDelete
    from salesforce_client.src.app.storage.blobs import connect
    from salesforce_client.src.app.storage.store import Store

    with (
        connect(storage["EVENTS_STORAGE"], "", "") as service,
        tempfile.TemporaryDirectory() as folder,
    ):
        store = Store(service, storage["EVENTS_CONTAINER"], "cursors", Path(folder))
        for number in range(OBJECTS):
            name, check_id = f"Object_{number:02}__c", identity("check", str(number))
            first = number * count // OBJECTS
            listed = [
                ListedDelete(
                    *(check_id, name, row[3], f"{row[5]}Z", row[4], row[6], None),
                    *("both", "bin", '{"getDeleted":{}}'),
                )
                for row in plain(count // OBJECTS, first)
            ]
            file = store.new_file(sweep.BEGUN_AT + timedelta(days=1, seconds=number))
            file.add(listed)
            file.add(
                [
                    Check(
                        check_id=check_id,
                        org_id="00D5f000000ABCDEA2",
                        writer="0.1.0",
                        object_name=name,
                        window_from="2026-01-01T00:00:00.000Z",
                        window_to="2026-02-01T00:00:00.000Z",
                        listed=len(listed),
                        outcome="listed",
                        sight="view_all",
                        api_version="v67.0",
                        checked_at="2026-02-01T00:30:00.000Z",
                        error=None,
                    )
                ]
            )
            file.close()
            store.upload(file.path, file.begun_at)


def measure(events: int, listed: int, azurite: Any, server: Any) -> dict[str, Any]:
    """Run one sweep over the files of the events and, if any are listed, of the checks."""
    name = uuid.uuid4().hex[:8]
    storage = {**azurite.settings, "EVENTS_CONTAINER": f"events-{name}"}
    sweep.upload(events, storage, sweep.ROWS_IN_A_FILE)
    if listed:
        upload_checks(listed, storage)
    target = {**server.settings, "SNOWFLAKE_SCHEMA": f"s_{name}"}
    told: dict[str, Any] = process.told(
        [sys.executable, str(sweep.HERE / "sweeper.py")],
        {**storage, **target, "MAX_RUN_SECONDS": "540"},
    )
    assert told["inserted"] == events, told
    assert told["recovered"] == max(listed - events, 0), told
    return told


def main() -> int:
    """Measure, print the figures, and write the table into the page."""
    parser = argparse.ArgumentParser(description="Measure a sweep with and without checks.")
    parser.add_argument("--rows", type=int, default=500_000)
    count = parser.parse_args().rows
    process.begin()
    from local import emulators

    lines = [
        "| deletes of events | listed deletes | recovered | seconds | peak MB | MB staged |",
        "|---|---|---|---|---|---|",
    ]
    for listed in (0, 2 * count):
        with emulators.azurite(on_disk=True) as azurite, emulators.snowflake() as server:
            told = measure(count, listed, azurite, server)
        lines.append(
            f"| {count:,} | {listed:,} | {told['recovered']:,} | {told['seconds']:.0f} "
            f"| {told['peak_mb']:.0f} | {told['staged_mb']:.0f} |"
        )
        print(lines[-1], flush=True)
    page.write(
        "comparison", "\n".join([*lines, "", f"Each sweep ran once.\nMachine: {page.machine()}."])
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
