#!/usr/bin/env python3
"""Run the whole pipeline on this machine: ``python3 tests/demo.py``.

Deletes travel from a mock Salesforce into event files in Azurite, and from there into
``delete_tracker`` in a stand-in for Snowflake. Every hop uses a real socket. The demo runs a poll
and a sweep twice, an hour apart on the mock's clock. The mock tells nothing of some of its deletes,
as Salesforce does if a record is changed and deleted in one transaction. The first poll misses
them. The second poll also asks Salesforce for its list of deleted records, and finds them. At the
end the demo compares the table with what happened in the org.

    --keep         leave the emulators running on the ports of local.settings.example.json,
                   for `func start`
    --dashboard    instead, load a month of the mock's history, and show the dashboard
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
# The line above makes these importable.
from local import emulators, environments, installation, screen, signals  # noqa: E402

BLOB_PORT, SNOWFLAKE_PORT = 10000, 10085  # as in local.settings.example.json
IN_USE = """demo: {what} needs port {port}, and a program already listens there.
It may be another demo with --keep, or {who}. Nothing was started.
End that program, or run the demo without --keep: it then takes free ports.
`lsof -i :{port}` shows the program."""
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
        SELECT object_name, topic, proven_until, read_until FROM delete_tracker_freshness
        ORDER BY topic, object_name""",
}
# The first columns of a query are those that matter most: a narrow terminal shows only them.
QUERIES = {
    "The ten newest rows of delete_tracker": """
        SELECT object_name, record_id, deleted_date, deleted_by, topic, owner_id, event_id,
            ingested_at
        FROM delete_tracker ORDER BY deleted_date DESC LIMIT 10""",
    "Deletes by object, and how many of them an event or a check told of": """
        SELECT object_name, COUNT(*) AS deletes, COUNT_IF(source = 'event') AS told_by_event,
            COUNT_IF(source = 'check') AS told_by_check
        FROM delete_tracker_deletes GROUP BY object_name ORDER BY object_name""",
    "Deletes by day (deleted_date, UTC)": """
        SELECT day, SUM(deletes) AS deletes FROM delete_tracker_daily
        GROUP BY day ORDER BY day DESC""",
    "Load records: which event files are loaded": """
        SELECT event_file, rows_read, rows_inserted, error FROM delete_tracker_loads
        ORDER BY event_file""",
    "Polls: when each topic was read, and how it ended": """
        SELECT topic, began_at, ended, received, deletes FROM delete_tracker_polls
        ORDER BY began_at, topic""",
}
QUERY = """.venv/bin/python -m delete_sync.src query \\
  --settings delete_sync/local.settings.example.json \\
  "SELECT * FROM delete_tracker_daily ORDER BY day DESC LIMIT 10\""""


def main(
    arguments: "list[str]", blob_port: int = BLOB_PORT, snowflake_port: int = SNOWFLAKE_PORT
) -> int:
    """Install what is missing, then run the demo. The ports are those of ``--keep``."""
    parser = argparse.ArgumentParser(
        description="Show how deletes travel from a mock Salesforce into delete_tracker."
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the emulators running on fixed ports until Ctrl-C",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="instead, load a month of history and show the dashboard until Ctrl-C",
    )
    options = parser.parse_args(arguments)
    ports = (blob_port, snowflake_port) if options.keep else None
    for number in signals.ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup lets it live on
            signal.signal(number, end)
    with contextlib.suppress(KeyboardInterrupt):
        if ports:
            refuse_used(*ports)
        dashboard = [installation.dashboard()] if options.dashboard else []
        installation.install([*installation.parts(), *dashboard])
        environments.go_on_in_dev()
        with temporary_folder():
            if options.dashboard:
                from local import dashboard_demo

                return dashboard_demo.demonstrate()
            return demonstrate(ports)
    return 130


def end(number: int, _: Any) -> None:
    """End the demo. A second signal does not interrupt the clean-up."""
    for one in signals.ENDING:
        signal.signal(one, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def refuse_used(blob_port: int, snowflake_port: int) -> None:
    """End the demo if a port is in use."""
    for what, port, who in (
        ("Azurite", blob_port, "an Azurite of your own (npm, Docker, VS Code or Visual Studio)"),
        ("the stand-in for Snowflake", snowflake_port, "a server of your own"),
    ):
        if emulators.in_use(port):
            sys.exit(IN_USE.format(what=what, port=port, who=who))


@contextlib.contextmanager
def temporary_folder() -> "Iterator[None]":
    """Whatever the demo and its processes write to the temporary folder is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield


def demonstrate(ports: "tuple[int, int] | None") -> int:
    """Run the pipeline twice. Return 0 if the table holds exactly what was published, else 1."""
    screen.line("The demo takes about a minute. All times are in UTC.", indent=0)
    screen.headline("Start Azurite (for Blob Storage) and the stand-in for Snowflake")
    with contextlib.ExitStack() as started:
        blob_port, snowflake_port = ports or (0, 0)
        with screen.working("starting"):
            blob = started.enter_context(emulators.azurite(blob_port))
            snowflake = started.enter_context(emulators.snowflake(snowflake_port))
        settings = {**blob.settings, **snowflake.settings}
        addresses = f"Azurite on 127.0.0.1:{blob.port}, Snowflake on 127.0.0.1:{snowflake.port}"
        screen.line(addresses)
        set_up(settings)
        second = datetime.now(timezone.utc).replace(microsecond=0)
        first = second - timedelta(hours=1)
        for title, moment in (("First", first), ("Second", second)):
            screen.headline(f"{title} poll: salesforce_client reads the mock Salesforce")
            screen.line(f"On the mock's clock it is {moment:%Y-%m-%d %H:%M}.")
            poll(settings, moment, checked=moment == second)
            screen.headline(f"{title} sweep: delete_sync loads the new event files into Snowflake")
            sweep(settings)
            show_what_is_proven(settings)
        show_blobs(settings)
        differences = show_table(settings, first, second)
        show_next_steps(kept=bool(ports))
        if ports:
            screen.until_ctrl_c("The emulators run until you press Ctrl-C", addresses)
    return 1 if differences else 0


def set_up(settings: "dict[str, str]") -> None:
    """Create the tables and the views in Snowflake."""
    from local import warehouse

    screen.headline("Create the tables and views in Snowflake, as docs/setup/snowflake does")
    with warehouse.connect(settings) as connection, screen.working("creating"):
        for name in ("1_tables.sql", "3_views.sql"):
            warehouse.run(connection, name)
    screen.line("ran 1_tables.sql and 3_views.sql")


def poll(settings: "dict[str, str]", moment: datetime, *, checked: bool) -> None:
    """Run the collector once in MOCK_MODE. With ``checked``, it asks for the list of deletes."""
    from local import apps

    began = time.monotonic()
    mock = {"MOCK_MODE": "true", "MOCK_NOW": moment.isoformat(), "MOCK_FAULTS": HISTORY}
    checks = {} if checked else {"CHECK_OBJECTS": "none"}
    with screen.working("reading"):
        run = apps.poll({**settings, **mock, **checks, "IDLE_SECONDS": "3"})
    tell(run, began)


def sweep(settings: "dict[str, str]") -> None:
    """Run the sync once."""
    from local import apps

    began = time.monotonic()
    with screen.working("loading"):
        run = apps.sweep(settings)
    tell(run, began)


def tell(invocation: Any, began: float) -> None:
    """Print what the function logged. If the function failed, end the demo."""
    if not invocation.succeeded:
        print(invocation.log)
        sys.exit("demo: the function failed; its log is above")
    for line in invocation.log.splitlines():
        told = line.partition("past_due=False ")[2].partition(" rpc_id=")[0]
        screen.line(told.replace(",events_", ", events_"))
    screen.line(f"took {time.monotonic() - began:.1f} s")


def show_what_is_proven(settings: "dict[str, str]") -> None:
    """Ask the views what is proven."""
    from local import warehouse

    with warehouse.connect(settings) as connection:
        for title, query in IS_IT_COMPLETE.items():
            screen.headline(title)
            screen.table(*warehouse.query(connection, query))


def show_blobs(settings: "dict[str, str]") -> None:
    """Print the blobs of both containers. A folder of checks is one line."""
    from azure.storage.blob import BlobServiceClient

    screen.headline(
        "Blob Storage now holds the cursors, the progress of the checks, and the event files"
    )
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


def show_table(settings: "dict[str, str]", first: datetime, second: datetime) -> bool:
    """Print the results of the queries. Return whether the table differs from the org."""
    from local import truth, warehouse

    from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
    from salesforce_client.src.app.mock_salesforce.faults import Faults
    from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

    with warehouse.connect(settings) as connection:
        for title, query in QUERIES.items():
            screen.headline(title)
            screen.table(*warehouse.query(connection, query))
        screen.headline("Compare the table with what happened in the org")
        org, since = Org(faults=Faults(HISTORY)), first - RETENTION
        result = truth.difference(connection, org, DEFAULT_TOPICS, since, second)
        screen.line(f"{result.published:,} deletes published, {result.found:,} rows of events")
        screen.line(
            f"{len(result.missing)} missing, {len(result.twice)} duplicated, "
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
        screen.line(
            f"{len(hidden):,} deletes that no event told of, {len(found):,} found by the check"
        )
        screen.line(
            f"The check found {len(rows) - len(found):,} older deletes too: it goes back 15 days,"
            " and Salesforce keeps events for 72 hours only."
        )
    return bool(result) or found != hidden


def show_next_steps(*, kept: bool) -> None:
    """Say how to query the emulator, and how to run the functions without ``func``."""
    screen.headline("What to do next")
    if not kept:
        screen.line("Run the demo again, and let it leave the emulators running:")
        print("\n    python3 tests/demo.py --keep\n")
    screen.line(f"Query the emulator, in another terminal in {environments.REPOSITORY}:")
    print("\n" + "\n".join(f"    {line}" for line in QUERY.splitlines()) + "\n")
    screen.line("Run each function once, without func. Each command says what it needs before:")
    print("\n    python3 tests/launch.py salesforce_client")
    print("    python3 tests/launch.py delete_sync\n")
    screen.line("With func, see Quick start in README.md.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
