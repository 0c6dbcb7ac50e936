"""Both apps at work in Microsoft's runtime, within the memory of the smallest instance.

The peak is measured, not limited: an address space limit counts memory that is never used, and a
limit by cgroup needs rights that a laptop lacks.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient
from local import apps, emulators

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path[:0] = [str(BENCHMARKS)]
import drain  # noqa: E402  (found through the line above)
import sweep  # noqa: E402

INSTANCE_MB = 512
# Microsoft Learn, "Azure Functions Flex Consumption plan hosting", Instance sizes: an instance has
# 272 MB more than its size, for system and host processes. Here they come out of the 512 MB.
HOST_MB = 272
LIMIT_MB = INSTANCE_MB - HOST_MB
CONTAINERS = ("EVENTS_CONTAINER", "CURSORS_CONTAINER")
EVENTS = 50_000
ROWS = 500_000


class Sampler:
    """The peak memory of a process and its children: the sum of their resident sets."""

    def __init__(self, root: int) -> None:
        self.peak_mb = 0.0
        self._root, self._ended = root, threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> float:
        """End sampling, and return the peak in MB."""
        self._ended.set()
        self._thread.join()
        return self.peak_mb

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            self.peak_mb = max(self.peak_mb, sum(map(resident_mb, tree(self._root))))


def tree(root: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    found = [root]
    for pid in found:
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def resident_mb(pid: int) -> float:
    """The resident memory of a process in MB, or 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    resident = re.search(r"VmRSS:\s+(\d+)", status)
    return int(resident[1]) / 1024 if resident else 0


def peak_mb(app: str, function: str, settings: Mapping[str, str], worker: apps.Worker) -> float:
    """Invoke a function once, and return the peak memory of its worker in MB."""
    process = apps.start(app, function, settings, worker)
    sampler = Sampler(process.pid)
    ended = apps.finish(process, timeout=540)
    peak = sampler.stop()
    assert ended.succeeded, ended.log
    print(f"{app}: peak of the whole worker {peak:.0f} MB")
    return peak


def test_a_poll_of_50_000_events_fits_with_room(
    azurite: emulators.Server, microsoft: apps.Worker
) -> None:
    """All are in event files."""
    case = drain.Case("", ("/data/AccountChangeEvent",), EVENTS)
    containers = {name: f"{name[:6].lower()}-{uuid.uuid4().hex}" for name in CONTAINERS}
    with drain.salesforce(case) as server:
        settings = {name: value for name, value in server.items() if name.isupper()}
        peak = peak_mb(
            "salesforce_client",
            "TimerPoller",
            {
                **settings,
                **azurite.settings,
                **containers,
                "SALESFORCE_TOPICS": case.topics[0],
                "IDLE_SECONDS": "1",
                "MAX_RUN_SECONDS": "300",
                "CHECK_OBJECTS": "none",
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": server["ca_file"],
                "REQUESTS_CA_BUNDLE": server["ca_file"],
            },
            microsoft,
        )
    with BlobServiceClient.from_connection_string(azurite.settings["EVENTS_STORAGE"]) as service:
        container = service.get_container_client(containers["EVENTS_CONTAINER"])
        deletes = 0
        for blob in container.list_blobs():
            file = Path(microsoft.folder) / "some.db"
            file.write_bytes(container.download_blob(blob.name).readall())
            with contextlib.closing(sqlite3.connect(file)) as opened:
                deletes += opened.execute("SELECT count(*) FROM events").fetchone()[0]
    assert deletes >= EVENTS
    assert peak < LIMIT_MB


def test_a_sweep_of_500_000_rows_fits_with_room(
    azurite: emulators.Server,
    snowflake_settings: Mapping[str, str],
    connection: Any,
    microsoft: apps.Worker,
) -> None:
    """All are in ``delete_tracker``."""
    storage = {**azurite.settings, "EVENTS_CONTAINER": f"events-{uuid.uuid4().hex}"}
    sweep.upload(ROWS, storage, rows_in_a_file=25_000)
    more = {"MAX_RUN_SECONDS": "540", "MAX_BACKLOG_HOURS": "0", "MAX_SILENCE_HOURS": "0"}
    settings = {**storage, **snowflake_settings, **more}
    peak = peak_mb("delete_sync", "SnowflakePusher", settings, microsoft)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM delete_tracker")
        assert cursor.fetchone()[0] == ROWS
    assert peak < LIMIT_MB
