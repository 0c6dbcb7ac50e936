#!/usr/bin/env python3
"""A sweep against the ways one would write first, on one fakesnow: part of ``python3 tests/run.py bench``.

Each has the rows of the same event files and must end with each key once in the table. fakesnow runs statements in DuckDB, so the
times show the client's share and the round trips, not Snowflake's own speed; statements and bytes are what Snowflake would get.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
from local import environments  # noqa: E402

ROWS_IN_A_FILE = 50_000
ROW_BY_ROW = 2_000
TOGETHER = 1_000
BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
TABLE = """CREATE TABLE t (event_id VARCHAR, topic VARCHAR, object_name VARCHAR, record_id VARCHAR, deleted_by VARCHAR,
    deleted_date TIMESTAMP_NTZ, owner_id VARCHAR, payload VARCHAR, ingested_at TIMESTAMP_NTZ)"""
INSERT = "INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
Rows = list[tuple[Any, ...]]


def rows(count: int) -> Iterator[Any]:
    """Deletes as of platform events with a payload of 300 bytes."""
    from salesforce_client.src.app.deletes import Delete

    for number in range(count):
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
        record, payload = f"006AA{number:010}EXA", f'{{"Record_Id__c":"006AA{number:010}EXA","Record_Name__c":"{"x" * 240}"}}'
        times = (f"2026-01-{number % 28 + 1:02}T00:00:00.123Z", "2026-02-01T00:10:00.456Z")
        yield Delete(key, "/event/X__e", "Opportunity", record, "005", times[0], "005", payload, times[1], b"\1", "s")


def upload(count: int, storage: Mapping[str, str], folder: Path) -> None:
    """The event files."""
    from azure.storage.blob import BlobServiceClient

    from salesforce_client.src.app.event_file import EventFile, blob_name

    with BlobServiceClient.from_connection_string(storage["EVENTS_STORAGE"]) as service:
        container = service.get_container_client(storage["EVENTS_CONTAINER"])
        container.create_container()
        some = list(rows(count))
        for number, first in enumerate(range(0, count, ROWS_IN_A_FILE)):
            file = EventFile(folder / f"{number}.db", BEGUN_AT)
            file.add(some[first : first + ROWS_IN_A_FILE])
            file.close()
            with file.path.open("rb") as content:
                container.upload_blob(blob_name(BEGUN_AT, number), content)
            file.path.unlink()


def plain(count: int) -> Rows:
    """What the alternatives are given, without the work of reading files."""
    return [(*row[:5], row.deleted_date[:23], row.owner_id, row.payload, row.ingested_at[:23]) for row in rows(count)]


def row_by_row(cursor: Any, given: Rows) -> None:
    """Is it there? If not, insert it."""
    for row in given:
        cursor.execute("SELECT 1 FROM t WHERE event_id = %s", row[:1])
        if not cursor.fetchall():
            cursor.execute(INSERT, row)


def executemany(cursor: Any, given: Rows) -> None:
    """Into a table beside, a thousand rows to a statement, then what is new from there."""
    cursor.execute(TABLE.replace("TABLE t", "TEMPORARY TABLE s"))
    for first in range(0, len(given), TOGETHER):
        cursor.executemany(INSERT.replace("INTO t", "INTO s"), given[first : first + TOGETHER])
    cursor.execute("INSERT INTO t SELECT s.* FROM s LEFT JOIN t ON t.event_id = s.event_id WHERE t.event_id IS NULL")


def array_binding(cursor: Any, given: Rows) -> None:
    """Likewise, with the values bound by the server."""
    cursor.execute(TABLE.replace("TABLE t", "TEMPORARY TABLE s"))
    bound = INSERT.replace("INTO t", "INTO s").replace("%s", "?")
    for first in range(0, len(given), TOGETHER):
        cursor.executemany(bound, given[first : first + TOGETHER])
    cursor.execute("INSERT INTO t SELECT s.* FROM s LEFT JOIN t ON t.event_id = s.event_id WHERE t.event_id IS NULL")


@contextlib.contextmanager
def counted(port: int) -> Iterator[tuple[int, dict[str, float]]]:
    """A proxy before fakesnow; statements and megabytes afterwards."""
    from local.proxy import proxy

    figures: dict[str, float] = {}
    with proxy(port) as through:
        yield through.port, figures
        queries = [request for request in through.seen if "query-request" in request.path]
        figures["statements"] = len(queries)
        figures["megabytes"] = sum(len(request.body) for request in queries) / 1e6


def alternative(work: Callable[[Any, Rows], None], count: int, fakesnow: Any, paramstyle: str) -> dict[str, float]:
    """Seconds, statements and bytes of one of the others."""
    import snowflake.connector
    from local import warehouse

    given = plain(count)
    settings = {**fakesnow.settings, "SNOWFLAKE_SCHEMA": f"s_{uuid.uuid4().hex[:8]}"}
    before, snowflake.connector.paramstyle = snowflake.connector.paramstyle, paramstyle
    try:
        with counted(fakesnow.port) as (port, figures), warehouse.connect({**settings, "SNOWFLAKE_PORT": str(port)}) as session:
            session.cursor().execute(TABLE)
            began = time.monotonic()
            work(session.cursor(), given)
            seconds = time.monotonic() - began
            (found,) = session.cursor().execute("SELECT COUNT(DISTINCT event_id) FROM t").fetchone()
            assert found == count, f"{found} of {count} rows arrived"
    finally:
        snowflake.connector.paramstyle = before
    return {"seconds": seconds, **figures}


def ours(count: int, azurite: Any, fakesnow: Any) -> dict[str, float]:
    """A whole sweep: listing, download, verification, staging, merge, marks."""
    from delete_sync.src import staging
    from delete_sync.src.run import run

    name = uuid.uuid4().hex[:8]
    storage = {**azurite.settings, "EVENTS_CONTAINER": f"events-{name}"}
    with tempfile.TemporaryDirectory() as folder:
        upload(count, storage, Path(folder))
    sizes: list[int] = []
    close = staging.Batch.close

    def weigh(batch: staging.Batch) -> None:
        close(batch)
        sizes.append(sum(path.stat().st_size for path in batch.folder.rglob("*") if path.is_file()))

    staging.Batch.close = weigh  # type: ignore[assignment, method-assign]
    try:
        with counted(fakesnow.port) as (port, figures):
            began = time.monotonic()
            target = {**fakesnow.settings, "SNOWFLAKE_SCHEMA": f"s_{name}", "SNOWFLAKE_PORT": str(port)}
            report = run({**storage, **target, "MAX_RUN_SECONDS": "3000"})
            seconds = time.monotonic() - began
    finally:
        staging.Batch.close = close  # type: ignore[method-assign]
    assert report.inserted == count
    figures["megabytes"] += sum(sizes) / 1e6
    return {"seconds": seconds, **figures}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="A sweep against the ways one would write first.")
    parser.add_argument("--rows", type=int, default=500_000)
    count = parser.parse_args().rows
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end too
    from local import emulators

    lines = ["| | rows | rows/s | against row by row | statements | MB sent |", "|---|---|---|---|---|---|"]
    with emulators.azurite() as azurite, emulators.fakesnow() as fakesnow:
        runs: dict[str, tuple[int, Callable[[], dict[str, float]]]] = {
            "delete_sync": (count, lambda: ours(count, azurite, fakesnow)),
            "row by row": (ROW_BY_ROW, lambda: alternative(row_by_row, ROW_BY_ROW, fakesnow, "pyformat")),
            "`executemany`": (count // 25, lambda: alternative(executemany, count // 25, fakesnow, "pyformat")),
            "array binding": (count // 250, lambda: alternative(array_binding, count // 250, fakesnow, "qmark")),
        }
        measured: dict[str, Any] = {}
        for title, (number, work) in runs.items():
            try:
                measured[title] = (number, work())
            except Exception as error:  # noqa: BLE001  (what does not run here is named with its error)
                measured[title] = (number, f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
            print(title, measured[title], flush=True)
    slowest = ROW_BY_ROW / measured["row by row"][1]["seconds"]
    for title, (number, figures) in measured.items():
        if isinstance(figures, str):
            lines.append(f"| {title} | {number:,} | does not run on fakesnow: {figures} | | | |")
            continue
        rate = number / figures["seconds"]
        cells = [title, f"{number:,}", f"{rate:,.0f}", f"{rate / slowest:.0f} ×", f"{figures['statements']:,.0f}"]
        cells.append(f"{figures['megabytes']:,.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    page.write("sweep", "\n".join([*lines, "", f"Each ran once. Machine: {page.machine()}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
