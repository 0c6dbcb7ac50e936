#!/usr/bin/env python3
"""Run the whole pipeline on this machine: ``python3 tests/demo.py``.

Deletes travel from a mock Salesforce into event files in Azurite, and from there into
``delete_tracker`` in a stand-in for Snowflake. Every hop uses a real socket. The demo runs a poll
and a sweep twice, an hour apart on the mock's clock. At the end it compares the table with what the
org published.

    --keep    leave the emulators running on the ports of local.settings.example.json,
              for `func start`
"""

import argparse
import contextlib
import signal
import sys
import textwrap
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
from local import environments  # noqa: E402  (the line above makes it importable)

BLOB_PORT, SNOWFLAKE_PORT = 10000, 10085  # as in local.settings.example.json
COLUMNS = 100  # of the terminal
# The README's queries for monitoring, and two about completeness, with only the columns that fit in
# the terminal.
QUERIES = {
    "The ten newest rows of delete_tracker": """
        SELECT topic, object_name, record_id, deleted_by, deleted_date FROM delete_tracker
        ORDER BY ingested_at DESC LIMIT 10""",
    "Deletes by object type": """
        SELECT object_name, COUNT(*) AS deletes FROM delete_tracker GROUP BY object_name""",
    "Load records: which event files are loaded": """
        SELECT event_file, rows_read, rows_inserted, error FROM delete_tracker_loads
        ORDER BY event_file""",
    "Polls: when each topic was read, and how it ended": """
        SELECT topic, began_at, ended, received, deletes FROM delete_tracker_polls
        ORDER BY began_at, topic""",
    "Deletes by day of arrival": """
        SELECT DATE(ingested_at) AS date, COUNT(*) AS deletes FROM delete_tracker
        GROUP BY DATE(ingested_at) ORDER BY date DESC""",
}


def main() -> int:
    """Install what is missing, then run the demo."""
    parser = argparse.ArgumentParser(
        description="Show how deletes travel from a mock Salesforce into delete_tracker."
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the emulators running on fixed ports until Ctrl-C",
    )
    keep = parser.parse_args().keep
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(KeyboardInterrupt):
        return demonstrate(keep=keep)
    return 130


def demonstrate(*, keep: bool) -> int:
    """Run the pipeline twice. Return 0 if the table holds exactly what was published, else 1."""
    from local import emulators

    step("Start Azurite (for Blob Storage) and the stand-in for Snowflake")
    with contextlib.ExitStack() as started:
        blob = started.enter_context(emulators.azurite(BLOB_PORT if keep else 0))
        snowflake = started.enter_context(emulators.snowflake(SNOWFLAKE_PORT if keep else 0))
        settings = {**blob.settings, **snowflake.settings}
        print(f"  Azurite on 127.0.0.1:{blob.port}, Snowflake on 127.0.0.1:{snowflake.port}")
        second = datetime.now(timezone.utc).replace(microsecond=0)
        first = second - timedelta(hours=1)
        for title, moment in (("First", first), ("Second", second)):
            step(
                f"{title} poll: salesforce_client reads the mock Salesforce "
                f"at {moment:%Y-%m-%d %H:%M} UTC on its clock"
            )
            poll(settings, moment)
            step(f"{title} sweep: delete_sync loads the new event file into Snowflake")
            sweep(settings)
        show_blobs(settings)
        differences = show_table(settings, first, second)
        if keep:
            wait(blob.port, snowflake.port)
    return 1 if differences else 0


def poll(settings: dict[str, str], moment: datetime) -> None:
    """Run the collector once in MOCK_MODE."""
    from local import apps

    began = time.monotonic()
    mock = {"MOCK_MODE": "true", "MOCK_NOW": moment.isoformat(), "IDLE_SECONDS": "3"}
    tell(apps.poll({**settings, **mock}), began)


def sweep(settings: dict[str, str]) -> None:
    """Run the sync once."""
    from local import apps

    began = time.monotonic()
    tell(apps.sweep(settings), began)


def tell(invocation: Any, began: float) -> None:
    """Print what the function logged. If the function failed, end the demo."""
    if not invocation.succeeded:
        print(invocation.log)
        sys.exit("demo: the function failed; its log is above")
    for line in invocation.log.splitlines():
        show(line.partition("past_due=False ")[2].partition(" rpc_id=")[0])
    print(f"  took {time.monotonic() - began:.1f} s")


def show_blobs(settings: dict[str, str]) -> None:
    """Print the blobs of both containers."""
    from azure.storage.blob import BlobServiceClient

    step("Blob Storage now holds the cursors and the event files")
    with BlobServiceClient.from_connection_string(settings["EVENTS_STORAGE"]) as service:
        for container in service.list_containers():
            print(f"  {container.name}/")
            for blob in service.get_container_client(container.name).list_blobs():
                print(f"    {blob.name}  {blob.size:,} bytes")


def show_table(settings: dict[str, str], first: datetime, second: datetime) -> bool:
    """Print the results of the queries. Return whether the table differs from the org."""
    from local import truth, warehouse

    from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
    from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

    with warehouse.connect(settings) as connection:
        for title, query in QUERIES.items():
            step(title)
            print(warehouse.as_table(*warehouse.query(connection, query)))
        step("Compare the table with what the org published")
        result = truth.difference(connection, Org(), DEFAULT_TOPICS, first - RETENTION, second)
    print(
        f"  {result.published:,} deletes published, {result.found:,} rows in delete_tracker\n"
        f"  {len(result.missing)} missing, {len(result.twice)} duplicated, "
        f"{len(result.unknown)} unknown"
    )
    return bool(result)


def wait(blob_port: int, snowflake_port: int) -> None:
    """Leave the emulators running until Ctrl-C."""
    step("The emulators run until you press Ctrl-C")
    print(
        f"  Azurite on 127.0.0.1:{blob_port}, Snowflake on 127.0.0.1:{snowflake_port}\n"
        "  The local.settings.example.json of both apps uses these ports."
    )
    print(
        "  Start each app in its own terminal:\n"
        "    cd salesforce_client && func start\n"
        "    cd delete_sync && func start --port 7072",
        flush=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def show(line: str) -> None:
    """Print a log line, wrapped to the width of the terminal."""
    print(
        textwrap.fill(
            line,
            COLUMNS,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def step(title: str) -> None:
    """Print a headline."""
    print(f"\n── {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
