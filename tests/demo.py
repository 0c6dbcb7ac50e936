#!/usr/bin/env python3
"""The whole pipeline on this machine: ``python3 tests/demo.py``.

Deletes travel from a mock Salesforce through event files in Azurite into ``delete_tracker`` in fakesnow, every hop over a real
socket. Two polls and two sweeps, an hour apart on the mock's clock; in the end the table is held against what the org published.

    --keep    leave the emulators up on the ports that local.settings.example.json points at, for `func start`
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
from local import environments  # noqa: E402  (found through the line above)

BLOB_PORT, SNOWFLAKE_PORT = 10000, 10085  # as in local.settings.example.json
QUERIES = {  # the three of the README's section on monitoring
    "Check recent events": "SELECT * FROM delete_tracker ORDER BY ingested_at DESC LIMIT 10",
    "Count by object type": "SELECT object_name, COUNT(*) FROM delete_tracker GROUP BY object_name",
    "Events by day": """
        SELECT DATE(ingested_at) as date, COUNT(*) FROM delete_tracker GROUP BY DATE(ingested_at) ORDER BY date DESC""",
}


def main() -> int:
    """Set up, run, compare."""
    parser = argparse.ArgumentParser(
        description="Watch deletes travel from a mock Salesforce into delete_tracker."
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the emulators up on fixed ports until Ctrl-C"
    )
    keep = parser.parse_args().keep
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(KeyboardInterrupt):
        return demonstrate(keep=keep)
    return 130


def demonstrate(*, keep: bool) -> int:
    """Run the pipeline twice; 0 if the table holds exactly what the org published."""
    from local import emulators

    step("Starting Azurite (Blob Storage) and fakesnow (Snowflake)")
    with (
        emulators.azurite(BLOB_PORT if keep else 0) as blob,
        emulators.fakesnow(SNOWFLAKE_PORT if keep else 0) as snowflake,
    ):
        settings = {**blob.settings, **snowflake.settings}
        print(f"  Azurite on 127.0.0.1:{blob.port}, fakesnow on 127.0.0.1:{snowflake.port}")
        second = datetime.now(timezone.utc).replace(microsecond=0)
        first = second - timedelta(hours=1)
        for title, moment in (("First", first), ("An hour later: second", second)):
            step(f"{title} poll: TimerPoller.main, the org's clock at {moment:%Y-%m-%d %H:%M} UTC")
            poll(settings, moment)
            step(f"{title} sweep: SnowflakePusher.main")
            sweep(settings)
        show_blobs(settings)
        differences = show_table(settings, first, second)
        if keep:
            wait(blob.port, snowflake.port)
    return 1 if differences else 0


def poll(settings: dict[str, str], moment: datetime) -> None:
    """One invocation of the collector in MOCK_MODE."""
    from local import apps

    began = time.monotonic()
    mock = {"MOCK_MODE": "true", "MOCK_NOW": moment.isoformat(), "IDLE_SECONDS": "3"}
    tell(apps.poll({**settings, **mock}), began)


def sweep(settings: dict[str, str]) -> None:
    """One invocation of the sync."""
    from local import apps

    began = time.monotonic()
    tell(apps.sweep(settings), began)


def tell(invocation: Any, began: float) -> None:
    """Show what the function logged; end the demo if it failed."""
    if not invocation.succeeded:
        print(invocation.log)
        sys.exit("the function failed")
    for line in invocation.log.splitlines():
        print("  " + line.partition("past_due=False ")[2].partition(" rpc_id=")[0])
    print(f"  took {time.monotonic() - began:.1f} s")


def show_blobs(settings: dict[str, str]) -> None:
    """The tree of both containers."""
    from azure.storage.blob import BlobServiceClient

    step("What lies in Blob Storage")
    with BlobServiceClient.from_connection_string(settings["EVENTS_STORAGE"]) as service:
        for container in service.list_containers():
            print(f"  {container.name}/")
            for blob in service.get_container_client(container.name).list_blobs(
                include=["metadata"]
            ):
                mark = "  synced" if "synced" in (blob.metadata or {}) else ""
                print(f"    {blob.name}  {blob.size:,} bytes{mark}")


def show_table(settings: dict[str, str], first: datetime, second: datetime) -> bool:
    """The monitoring queries, and whether the table differs from what the org published."""
    from local import truth, warehouse

    from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
    from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

    with warehouse.connect(settings) as connection:
        for title, query in QUERIES.items():
            step(title)
            print(warehouse.as_table(*warehouse.query(connection, query)))
        step("The table against what the org published")
        result = truth.difference(connection, Org(), DEFAULT_TOPICS, first - RETENTION, second)
    print(
        f"  published {result.published:,}, in delete_tracker {result.found:,}: {len(result.missing)} missing, "
        f"{len(result.twice)} twice, {len(result.unknown)} unknown"
    )
    return bool(result)


def wait(blob_port: int, snowflake_port: int) -> None:
    """Leave the emulators up."""
    step("The emulators stay up; Ctrl-C ends them")
    print(
        f"  Azurite 127.0.0.1:{blob_port}, fakesnow 127.0.0.1:{snowflake_port}: local.settings.example.json points at both."
    )
    print(
        "  In another terminal: cd salesforce_client && func start     and: cd delete_sync && func start --port 7072",
        flush=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def step(title: str) -> None:
    """A headline."""
    print(f"\n── {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
