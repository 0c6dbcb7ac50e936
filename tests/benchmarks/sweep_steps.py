#!/usr/bin/env python3
"""Measure the client's share of a sweep: part of ``python3 tests/run.py bench``.

Between an event file and the compressed lines for Snowflake, a sweep reads, checks and compresses
each row. The limit is what the same libraries need to read, join and compress the columns, without
any check. The second table compares sizes and levels of the compressed files in whole sweeps.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]
import page  # noqa: E402  (found through the line above)
import process  # noqa: E402

if __name__ == "__main__":
    process.begin()
import server  # noqa: E402
from local import emulators  # noqa: E402
from sweep import upload  # noqa: E402

from delete_sync.src.event_files import event_file as reader  # noqa: E402
from delete_sync.src.event_files.erasure import Digests  # noqa: E402
from delete_sync.src.event_files.file_format import FORMAT_VERSION  # noqa: E402
from delete_sync.src.model import EventBlob  # noqa: E402
from delete_sync.src.warehouse.staging import LEVEL, BatchWriter  # noqa: E402
from salesforce_client.src.app.decoding.interpreter import Interpreter  # noqa: E402
from salesforce_client.src.app.mock_salesforce import schemas  # noqa: E402
from salesforce_client.src.app.salesforce.subscription import response_of  # noqa: E402
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire  # noqa: E402
from salesforce_client.src.app.storage import event_file as writer  # noqa: E402

EVENTS, ROUNDS = 40_000, 3
TOPICS = {"Account delete": "/data/AccountChangeEvent", "platform event": "/event/Delete_Event__e"}
SHA256 = "0" * 64
PORTION = 1_000_000
ROWS, SWEEPS = 250_000, 3
# Megabytes and level of the compressed files. The first is the default.
CHOICES = [(8, 1), (1, 1), (16, 1), (8, 3), (8, 6)]


def event_file(topic: str, folder: Path) -> Path:
    """Write an event file, as the collector does."""
    interpreter = Interpreter(schemas.BY_ID.__getitem__, "00D", {})
    file = writer.EventFile(folder / f"{uuid.uuid4().hex}.db", datetime.now(timezone.utc))
    for place in range(0, EVENTS, server.BATCH):
        response = response_of(
            wire.FetchResponse.FromString(server.response(topic, place)),
            "",
        )
        file.add(interpreter.read(topic, response.events).rows)
    file.close()
    return file.path


def limit(path: Path, folder: Path) -> None:
    """Read the columns as bytes, join them, and compress the lines, with no check at all."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    found = connection.execute(
        "SELECT event_id, topic, object_name, record_id, deleted_by, COALESCE(owner_id, ''),"
        " deleted_date, payload, ingested_at FROM events NOT INDEXED"
    )
    size, portion = 0, list[bytes]()
    with gzip.GzipFile(folder / "limit.gz", "wb", compresslevel=LEVEL) as part:
        for row in found:
            portion.append(b'","'.join(row))
            size += len(portion[-1])
            if size > PORTION:
                part.write(b"\n".join(portion))
                size, portion = 0, []
        part.write(b"\n".join(portion))
    connection.close()


def check(path: Path) -> None:
    """Open an event file, which checks its format and its pages."""
    with reader.EventFile(path, path.name, SHA256):
        pass


def lines(path: Path, erased: int = 0) -> None:
    """Check the rows and make the lines, without compressing them.

    ``erased`` is how many records are erased. No row names one.
    """
    digests = Digests(hashlib.sha256(str(one).encode()).hexdigest() for one in range(erased))
    with reader.EventFile(path, path.name, SHA256, digests) as file:
        assert sum(count for count, _ in file.lines()) == EVENTS


def stage(path: Path, folder: Path) -> None:
    """All that a sweep does between an event file and the compressed lines."""
    batch = BatchWriter(folder, "s", FORMAT_VERSION)
    with reader.EventFile(path, path.name, SHA256) as file:
        batch.add(file, EventBlob(path.name, path.stat().st_size, "", ""), SHA256)
    assert batch.finish().figures.deletes == EVENTS


def steps(topic: str) -> dict[str, float]:
    """Return the seconds of each step, and of the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = event_file(topic, folder)
        work: dict[str, Callable[[], None]] = {
            "limit: read, join, compress": lambda: limit(path, folder),
            "check the file": lambda: check(path),
            "check the file and the rows, make lines": lambda: lines(path),
            "the same, with 1 erased record": lambda: lines(path, 1),
            "the same, with 1,000 erased records": lambda: lines(path, 1_000),
            "all, with compression in a second thread": lambda: stage(path, folder),
        }
        seconds: dict[str, list[float]] = {title: [] for title in work}
        for _ in range(ROUNDS):
            for title, step in work.items():
                began = time.perf_counter()
                step()
                seconds[title].append(time.perf_counter() - began)
    return {title: statistics.median(some) for title, some in seconds.items()}


def sweeps() -> list[str]:
    """The table of whole sweeps, with compressed files of several sizes and levels."""
    found: dict[tuple[int, int], list[dict[str, float]]] = {choice: [] for choice in CHOICES}
    with emulators.azurite() as azurite:
        storage = {**azurite.settings, "EVENTS_CONTAINER": f"events-{uuid.uuid4().hex[:8]}"}
        upload(ROWS, storage, 25_000)
        for _ in range(SWEEPS):
            for megabytes, level in CHOICES:
                with emulators.snowflake() as warehouse:
                    command = [sys.executable, str(HERE / "sweeper.py")]
                    command += [str(megabytes * 1_000_000), str(level)]
                    swept = process.told(command, {**storage, **warehouse.settings})
                assert swept["inserted"] == ROWS
                found[megabytes, level].append(swept)
                print(megabytes, level, swept, flush=True)
    table = [
        "| MB of a file | gzip level | seconds | CPU s of the sweep | MB sent | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for (megabytes, level), some in found.items():
        median = {key: statistics.median(one[key] for one in some) for key in some[0]}
        table.append(
            f"| {megabytes} | {level} | {median['seconds']:.1f} | {median['cpu']:.1f} "
            f"| {median['staged_mb']:.1f} | {median['peak_mb']:.0f} |"
        )
    return table


def rates() -> list[str]:
    """The table of the steps."""
    columns = {title: steps(topic) for title, topic in TOPICS.items()}
    table = [f"| rows/s | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    bounds = [by["limit: read, join, compress"] for by in columns.values()]
    for step in next(iter(columns.values())):
        cells = (
            f"{EVENTS / by[step]:,.0f} ({bound / by[step]:.2f} of the limit)"
            for by, bound in zip(columns.values(), bounds)
        )
        table.append(f"| {step} | {' | '.join(cells)} |")
    return table


def main() -> None:
    """Measure, print the tables, and write them into the page."""
    parser = argparse.ArgumentParser(description="Measure the client's share of a sweep.")
    parser.add_argument("--staged", action="store_true", help="measure only the staged files")
    measured = [("staged files", sweeps, SWEEPS)]
    if not parser.parse_args().staged:
        measured.insert(0, ("sweep steps", rates, ROUNDS))
    for name, measure, rounds in measured:
        table = measure()
        print("\n".join(table), flush=True)
        about = f"Medians of {rounds} rounds.\nMachine: {page.machine()}."
        page.write(name, "\n".join([*table, "", about]))


if __name__ == "__main__":
    main()
