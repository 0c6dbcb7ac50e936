#!/usr/bin/env python3
"""Measure what happens most often: part of ``python3 tests/run.py bench``.

These are polls that find no event, and sweeps over the small files of such polls. Salesforce's
empty responses come as late as its documentation allows. So the benchmark mostly waits.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

HERE = Path(__file__).resolve().parent
TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent")
SIX_HOURS = 21_600  # between two events of the org, so that a poll finds none
KEEPALIVE_SECONDS = 270  # Pub/Sub API documentation, "Subscribe RPC Method"
INSTANCE_GB = 0.5
CHECKED = "its daily check is due"
CASES = {
    "nothing is checked (`CHECK_OBJECTS=none`)": {"CHECK_OBJECTS": "none"},
    "no check is due": {},
    CHECKED: {},
}
FILES = 48


requests: Counter[str] = Counter()


def count_requests() -> None:
    """Let the mock Salesforce of this process count its requests."""
    from salesforce_client.src.app.mock_salesforce.pubsub_service import PubSubService
    from salesforce_client.src.app.mock_salesforce.rest_calls import RestCalls
    from salesforce_client.src.app.mock_salesforce.token_endpoint import TokenEndpoint

    def counted(kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            requests[kind] += 1
            return method(*arguments)

        return call

    for served, names, kind in (
        (PubSubService, ("GetTopic", "GetSchema", "Subscribe"), "gRPC"),
        (RestCalls, ("answer",), "REST"),
        (TokenEndpoint, ("answer",), "login"),
    ):
        for name in names:
            setattr(served, name, counted(kind, getattr(served, name)))


@contextlib.contextmanager
def storage(port: int) -> Iterator[dict[str, str]]:
    """Count the requests to the emulator of Blob Storage, and yield its settings."""
    from local import emulators
    from local.proxy import proxy

    with proxy(port) as through:
        yield {"EVENTS_STORAGE": emulators.connection_string(through.port)}
        requests["Blob"] += len(through.seen)


def poll(port: int, keepalive_seconds: float, more: Mapping[str, str]) -> dict[str, Any]:
    """Run a poll, and return its figures."""
    from salesforce_client.src.app.mock_salesforce import MockSalesforce

    requests.clear()
    with (
        MockSalesforce(SIX_HOURS, keepalive_seconds=keepalive_seconds) as mock,
        storage(port) as blobs,
    ):
        settings = {**mock.settings, "SALESFORCE_TOPICS": ",".join(TOPICS), **blobs, **more}
        told: dict[str, Any] = process.told([sys.executable, str(HERE / "poller.py")], settings)
    print(more, told, dict(requests), flush=True)
    return {**told, "requests": dict(requests)}


def make_check_due(connection_string: str) -> None:
    """Store that the last check of Account took place a day ago."""
    from azure.storage.blob import BlobServiceClient

    from salesforce_client.src.app.mock_salesforce.org import ORG_ID
    from salesforce_client.src.app.model.times import moment_of, timestamp
    from salesforce_client.src.app.storage.progress import CheckBlobs

    def earlier(moment: str | None) -> str:
        assert moment
        return timestamp(moment_of(moment) - timedelta(hours=25))

    with BlobServiceClient.from_connection_string(connection_string) as service:
        blobs = CheckBlobs(service.get_container_client("cursors"))
        stored = blobs.load_progress(ORG_ID, "Account")
        assert stored.progress
        changed: dict[str, Any] = {
            name: earlier(getattr(stored.progress, name))
            for name in ("window_to", "checked_at", "tried_at", "succeeded_at")
        }
        assert blobs.save_progress(ORG_ID, stored.progress._replace(**changed), stored.etag)


def polls() -> list[str]:
    """Return the table of polls. The first poll reads all events, and is not in the table."""
    from local import emulators

    found = {}
    with emulators.azurite() as azurite:
        assert poll(azurite.port, 1, {})["received"]
        for title, more in CASES.items():
            if title == CHECKED:
                make_check_due(azurite.settings["EVENTS_STORAGE"])
            found[title] = one = poll(azurite.port, KEEPALIVE_SECONDS, {"IDLE_SECONDS": "", **more})
            assert not one["received"], one
            assert one["checks"] == (["listed"] if title == CHECKED else []), one
    lines = [
        "| poll | seconds | login | reading | storing | check | CPU s | peak MB "
        "| gRPC calls | REST calls | logins | Blob operations | GB-seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for title, one in found.items():
        steps = [one["begin"], one["drained"], one["stored"], one["checked"]]
        cells = [title, f"{one['end']:.1f}", f"{steps[0]:.1f}"]
        cells += [f"{after - before:.1f}" for before, after in zip(steps, steps[1:])]
        cells += [f"{one['cpu']:.1f}", f"{one['peak_mb']:.0f}"]
        cells += [str(one["requests"].get(kind, 0)) for kind in ("gRPC", "REST", "login", "Blob")]
        lines.append(f"| {' | '.join([*cells, gb_seconds(one['end'])])} |")
    return lines


def gb_seconds(seconds: float) -> str:
    """Return what a run of a function counts: its memory times its time, at least one second."""
    return f"{INSTANCE_GB * max(seconds, 1):.1f}"


def upload_quiet_files(blobs: Mapping[str, str]) -> None:
    """Upload the event files of a day of polls that found nothing."""
    from salesforce_client.src.app.model.times import timestamp
    from salesforce_client.src.app.report import TopicReport
    from salesforce_client.src.app.storage.blobs import connect
    from salesforce_client.src.app.storage.store import Store

    first = datetime.now(timezone.utc) - timedelta(days=1)
    with connect(blobs["EVENTS_STORAGE"], "", "") as service, tempfile.TemporaryDirectory() as name:
        store = Store(service, "events", "cursors", Path(name))
        for number in range(FILES):
            begun_at = first + timedelta(minutes=30 * number)
            file = store.new_file(begun_at)
            for topic in TOPICS:
                report = TopicReport(topic)
                report.end("idle")
                file.add([report.poll("00D5f000000ABCDEA2", timestamp(begun_at))])
            file.close()
            store.upload(file.path, begun_at)


def sweeps() -> list[str]:
    """Return the table of sweeps: over the files of a day, and without pending files."""
    from local import emulators
    from sweep import counted

    lines = [
        "| sweep | seconds | CPU s | peak MB | Blob operations | statements | GB-seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    with emulators.azurite() as azurite, emulators.snowflake() as server:
        upload_quiet_files(azurite.settings)
        schema = f"s_{uuid.uuid4().hex[:8]}"
        for title in (f"{FILES} files of polls without events", "no pending file"):
            requests.clear()
            with counted(server.port) as (port, figures), storage(azurite.port) as blobs:
                target = {"SNOWFLAKE_SCHEMA": schema, "SNOWFLAKE_PORT": str(port)}
                told = process.told(
                    [sys.executable, str(HERE / "sweeper.py")],
                    {**server.settings, **blobs, **target},
                )
            print(title, told, dict(requests), figures, flush=True)
            cells = [title, f"{told['seconds']:.1f}", f"{told['cpu']:.1f}"]
            cells += [f"{told['peak_mb']:.0f}", str(requests["Blob"])]
            cells += [f"{figures['statements']:.0f}", gb_seconds(told["seconds"])]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> int:
    """Measure, print the tables, and write them into the page."""
    process.begin()
    count_requests()
    tables = {"small sweeps": sweeps(), "small polls": polls()}
    for name, lines in tables.items():
        print("\n".join(lines), flush=True)
        page.write(name, "\n".join([*lines, "", f"Each ran once.\nMachine: {page.machine()}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
