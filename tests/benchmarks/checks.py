#!/usr/bin/env python3
"""Measure a poll that checks 20 objects with 50,000 deletes each: ``python3 tests/run.py bench``.

The poll first reads 100,000 events. So its memory can be compared with a poll without checks.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

HERE = Path(__file__).resolve().parent
OBJECTS = [f"Object_{number:02}__c" for number in range(1, 21)]
EVENTS, DELETES = 100_000, 50_000
TOPIC = "/data/Accounts__chn"  # its name tells no object, so it has all of CHECK_OBJECTS
ONE_DAY = timedelta(days=1)
FIRST = datetime.fromisoformat("2026-03-15T01:00:00+00:00")  # the day of the deletes has ended
AGAIN = FIRST + 7 * ONE_DAY  # that day is listed again
ENOUGH, DEFAULT = "5000", "500"
KINDS = ("describe", "rights", "getDeleted", "queryAll", "DeleteEvent", "by id")


@dataclass(frozen=True)
class Case:
    """One poll."""

    title: str
    now: datetime
    objects: str = ",".join(OBJECTS)
    calls: str = ENOUGH


ALONE = Case("no check", FIRST, objects="none")
WHOLE = Case("check without a limit of calls", FIRST)
LATER = Case("4 objects, the day listed again after 7 days", AGAIN, objects=",".join(OBJECTS[:4]))
BOUNDED = Case("check with the default `MAX_CHECK_CALLS`", FIRST, calls=DEFAULT)


@contextlib.contextmanager
def salesforce(now: datetime) -> Iterator[dict[str, str]]:
    """Run the server, and return its settings."""
    command = [sys.executable, str(HERE / "rest_server.py"), "--now", now.isoformat()]
    command += ["--events", str(EVENTS), "--prepare", TOPIC]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def prepare(service: Any, org_id: str, now: datetime) -> None:
    """Store the progress of checks that took place every day until the day before ``now``.

    The topic has no cursor, so that the poll reads all its events.
    """
    from salesforce_client.src.app.model.checks import Progress
    from salesforce_client.src.app.model.times import timestamp
    from salesforce_client.src.app.storage.progress import CheckBlobs

    cursors = service.get_container_client("cursors")
    if not cursors.exists():
        cursors.create_container()
    for name in cursors.list_blob_names():
        if "/check/" not in name:
            cursors.delete_blob(name)
    blobs = CheckBlobs(cursors)
    last = now - ONE_DAY
    midnight = last.replace(hour=0)
    listed = {f"{midnight - days * ONE_DAY:%Y-%m-%d}": timestamp(last) for days in range(1, 16)}
    for name in OBJECTS:
        progress = Progress(
            name,
            since=timestamp(FIRST - 30 * ONE_DAY),
            window_to=timestamp(last - timedelta(minutes=30)),
            checked_at=timestamp(last),
            tried_at=timestamp(last),
            succeeded_at=timestamp(last),
            listed_again=listed,
        )
        assert blobs.save_progress(org_id, progress, blobs.load_progress(org_id, name).etag)


def measure(case: Case, storage: Mapping[str, str]) -> dict[str, Any]:
    """Run a poll, and return its figures."""
    from salesforce_client.src.app.storage.blobs import connect

    with connect(storage["EVENTS_STORAGE"], "", "") as service, salesforce(case.now) as server:
        prepare(service, server["org_id"], case.now)
        told = process.told(
            [sys.executable, str(HERE / "checker.py")],
            {
                **{name: value for name, value in server.items() if name.isupper()},
                **storage,
                "SALESFORCE_TOPICS": TOPIC,
                "IDLE_SECONDS": "1",
                "CHECK_OBJECTS": case.objects,
                "MAX_CHECK_CALLS": case.calls,
                "BENCHMARK_NOW": case.now.isoformat(),
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": server["ca_file"],
                "REQUESTS_CA_BUNDLE": server["ca_file"],
            },
        )
        with urllib.request.urlopen(server["figures"]) as answered:
            answers = json.loads(gzip.decompress(answered.read()))
        files = told.pop("uploaded")[-int(told["files"]) :] if told["files"] else []
        return {**told, "answers": answers, **rows(service, files)}


def rows(service: Any, files: list[str]) -> dict[str, Any]:
    """Return what the event files of the checks have.

    ``without`` is the number of rows of each object that lack who deleted.
    """
    events = service.get_container_client("events")
    found: dict[str, Any] = {"bytes": 0, "listed": 0, "restores": 0}
    without: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for name in files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.db"
            path.write_bytes(events.download_blob(name).readall())
            found["bytes"] += path.stat().st_size
            with contextlib.closing(sqlite3.connect(path)) as database:
                for object_name, state, nobody, number in database.execute(
                    "SELECT object_name, state, deleted_by IS NULL, COUNT(*) FROM listed_deletes"
                    " GROUP BY 1, 2, 3"
                ):
                    found["listed"] += number
                    states[state] += number
                    if nobody and state == "unknown":
                        without[object_name] += number
                (restores,) = database.execute("SELECT COUNT(*) FROM restores").fetchone()
                found["restores"] += restores
    return {**found, "states": states, "without": without}


def costs(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of seconds, memory and bytes."""
    lines = [
        "| poll | listed deletes | seconds of the check | listed deletes/s | CPU s "
        "| peak MB before the check | peak MB | files | MB of the files "
        "| MB received, compressed | MB of JSON |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for title, one in measured.items():
        rate = f"{one['listed'] / one['seconds']:,.0f}" if one["listed"] else ""
        cells = [title, f"{one['listed']:,}", f"{one['seconds']:.0f}", rate, f"{one['cpu']:.0f}"]
        cells += [f"{one['peak_mb_before']:.0f}", f"{one['peak_mb']:.0f}", f"{one['files']:.0f}"]
        cells += [f"{one['bytes'] / 1e6:.0f}"]
        cells += [f"{one['answers'][name] / 1e6:.0f}" for name in ("sent", "plain")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def calls(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of calls, and of what is not known without the calls that are left out."""
    lines = [
        f"| poll | {' | '.join(f'calls: {kind}' for kind in KINDS)} | all calls "
        "| `bin` | `purged` | `unknown` | restores | objects with nothing but `unknown` |",
        f"|---|{'---|' * len(KINDS)}---|---|---|---|---|---|",
    ]
    for title, one in measured.items():
        by_kind = one["answers"]["calls"]
        states, without = one["states"], one["without"]
        cells = [title, *(f"{by_kind.get(kind, 0)}" for kind in KINDS), f"{sum(by_kind.values())}"]
        cells += [f"{states[state]:,}" for state in ("bin", "purged", "unknown")]
        nothing = sum(number == DELETES for number in without.values())
        cells += [f"{one['restores']:,}", str(nothing)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def reasons(one: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what the checks did not ask, and the objects."""
    found: dict[str, list[str]] = {}
    for check in one["checks"]:
        assert check["outcome"] == "listed", check
        if check["reason"]:
            found.setdefault(check["reason"], []).append(check["object_name"])
    return found


def main() -> int:
    """Measure, print the tables, and write them into the page."""
    process.begin()
    from local import emulators

    measured: dict[str, dict[str, Any]] = {}
    for cases in ((ALONE,), (WHOLE, LATER), (BOUNDED,)):
        with emulators.azurite(on_disk=True) as azurite:
            for case in cases:
                storage = {"EVENTS_CONTAINER": "events", **azurite.settings}
                measured[case.title] = one = measure(case, storage)
                assert one["deletes"] == EVENTS, one
                print(case.title, f"{one['seconds']:.0f} s, {one['peak_mb']:.0f} MB", flush=True)
                for reason, names in reasons(one).items():
                    print(f"  {len(names)} objects: {reason}", flush=True)
    print("\n".join(costs(measured)), "\n".join(calls(measured)), sep="\n")
    told = f"Each poll ran once.\nMachine: {page.machine()}."
    page.write(
        "checks",
        "\n".join([*costs(measured), "", *calls(measured), "", told]),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
