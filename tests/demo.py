#!/usr/bin/env python3
"""Run the whole pipeline on this machine: ``python3 tests/demo.py``.

Deletes travel from a mock Salesforce into event files in Azurite, and from there into
``delete_tracker`` in a stand-in for Snowflake. Every hop uses a real socket. The demo runs a poll
and a sweep twice, an hour apart on the mock's clock. The mock tells nothing of some of its deletes,
as Salesforce does if a record is changed and deleted in one transaction. The first poll misses
them. The second poll also asks Salesforce for its list of deleted records, and finds them. At the
end the demo compares the table with what happened in the org.

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
# Every tenth delete is hidden behind an update of the same transaction.
HISTORY = "hide=update_delete:10"
NOT_LISTED_YET = timedelta(minutes=31)  # a check leaves out the last half hour before the poll
IS_IT_COMPLETE = {
    "Is it complete? The days of each object, by what is known of them": """
        SELECT object_name, verdict, reason, COUNT(*) AS days, SUM(listed) AS listed,
            SUM(recovered) AS recovered
        FROM delete_tracker_completeness GROUP BY object_name, verdict, reason
        ORDER BY object_name, verdict, reason""",
    "Up to when is it proven?": """
        SELECT topic, object_name, read_until, proven_until FROM delete_tracker_freshness
        ORDER BY topic, object_name""",
}
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
            poll(settings, moment, checked=moment == second)
            step(f"{title} sweep: delete_sync loads the new event files into Snowflake")
            sweep(settings)
            show_what_is_proven(settings)
        show_blobs(settings)
        differences = show_table(settings, first, second)
        if keep:
            wait(blob.port, snowflake.port)
    return 1 if differences else 0


def poll(settings: dict[str, str], moment: datetime, *, checked: bool) -> None:
    """Run the collector once in MOCK_MODE. With ``checked``, it asks for the list of deletes."""
    from local import apps

    began = time.monotonic()
    mock = {"MOCK_MODE": "true", "MOCK_NOW": moment.isoformat(), "MOCK_FAULTS": HISTORY}
    checks = {} if checked else {"CHECK_OBJECTS": "none"}
    tell(apps.poll({**settings, **mock, **checks, "IDLE_SECONDS": "3"}), began)


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


def show_what_is_proven(settings: dict[str, str]) -> None:
    """Create the views of the set-up if they are missing, and ask them what is proven."""
    from local import warehouse

    with warehouse.connect(settings) as connection:
        warehouse.run(connection, "3_views.sql")
        for title, query in IS_IT_COMPLETE.items():
            step(title)
            print(warehouse.as_table(*warehouse.query(connection, query)))


def show_blobs(settings: dict[str, str]) -> None:
    """Print the blobs of both containers. A folder of checks is one line."""
    from azure.storage.blob import BlobServiceClient

    step("Blob Storage now holds the cursors, the progress of the checks, and the event files")
    with BlobServiceClient.from_connection_string(settings["EVENTS_STORAGE"]) as service:
        for container in service.list_containers():
            print(f"  {container.name}/")
            sizes: dict[str, list[int]] = {}
            for blob in service.get_container_client(container.name).list_blobs():
                folder, day, _ = blob.name.rpartition("/2")
                sizes.setdefault(f"{folder}/…" if day else blob.name, []).append(blob.size)
            for name, found in sizes.items():
                blobs = f"  {len(found)} blobs" if name.endswith("…") else ""
                print(f"    {name}{blobs}  {sum(found):,} bytes")


def show_table(settings: dict[str, str], first: datetime, second: datetime) -> bool:
    """Print the results of the queries. Return whether the table differs from the org."""
    from local import truth, warehouse

    from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
    from salesforce_client.src.app.mock_salesforce.faults import Faults
    from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

    with warehouse.connect(settings) as connection:
        for title, query in QUERIES.items():
            step(title)
            print(warehouse.as_table(*warehouse.query(connection, query)))
        step("Compare the table with what happened in the org")
        org, since = Org(faults=Faults(HISTORY)), first - RETENTION
        result = truth.difference(connection, org, DEFAULT_TOPICS, since, second)
        print(
            f"  {result.published:,} deletes published, {result.found:,} rows of events\n"
            f"  {len(result.missing)} missing, {len(result.twice)} duplicated, "
            f"{len(result.unknown)} unknown"
        )
        _, rows = warehouse.query(
            connection, "SELECT record_id, deleted_date FROM delete_tracker WHERE topic = 'check'"
        )
        hidden = {
            (it.change.record_id, it.change.at.replace(tzinfo=None))
            for it in org.hidden(DEFAULT_TOPICS, since, second - NOT_LISTED_YET)
            if org.state(it.change.record_id, second) != "live"
        }
        found = hidden & {(record, at) for record, at in rows}
        print(f"  {len(hidden):,} deletes that no event told of, {len(found):,} found by the check")
    return bool(result) or found != hidden


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
