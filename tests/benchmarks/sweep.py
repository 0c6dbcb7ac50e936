#!/usr/bin/env python3
"""Compare a sweep with simpler ways to load the rows: part of ``python3 tests/run.py bench``.

All load the same rows into one stand-in for Snowflake. At the end, each key must be in the table
once. DuckDB runs the statements. So the times show the client's work and the round trips, but not
Snowflake's own speed. Snowflake would get the same statements and bytes.

With ``--against COMMIT``, the sync of an earlier commit also sweeps, in turn. The stand-in of that
time was fakesnow alone, and its event files had another version. So each sync has its own files,
and the table also shows the CPU time of both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import earlier  # noqa: E402  (found through the lines above)
import page  # noqa: E402
import process  # noqa: E402
from local import environments  # noqa: E402
from rows import INSERT_NEW, TABLE, Rows, plain  # noqa: E402

HERE = Path(__file__).resolve().parent
ROWS_IN_A_FILE = 50_000
ROW_BY_ROW = 2_000
TOGETHER = 1_000
ROUNDS = 3
BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
# Uploads the event files with the code of a commit.
UPLOAD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import sweep
sweep.upload(int(sys.argv[2]), json.loads(sys.argv[3]), sweep.ROWS_IN_A_FILE)
"""
INSERT = "INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def upload(count: int, storage: Mapping[str, str], rows_in_a_file: int) -> None:
    """Upload the event files."""
    from salesforce_client.src.app.model.rows import Delete
    from salesforce_client.src.app.storage.blobs import connect
    from salesforce_client.src.app.storage.store import Store

    with (
        connect(storage["EVENTS_STORAGE"], "", "") as service,
        tempfile.TemporaryDirectory() as folder,
    ):
        store = Store(service, storage["EVENTS_CONTAINER"], "cursors", Path(folder))
        for number, first in enumerate(range(0, count, rows_in_a_file)):
            file = store.new_file(BEGUN_AT + timedelta(seconds=number))
            some = plain(min(rows_in_a_file, count - first), first)
            file.add(
                [
                    Delete._make((*row[:5], f"{row[5]}Z", *row[6:8], f"{row[8]}Z", b"\1", "s"))
                    for row in some
                ]
            )
            file.close()
            store.upload(file.path, file.begun_at)


def row_by_row(cursor: Any, given: Rows) -> None:
    """Look for each row's key, and insert the row if the key is missing."""
    for row in given:
        cursor.execute("SELECT 1 FROM t WHERE event_id = %s", row[:1])
        if not cursor.fetchall():
            cursor.execute(INSERT, row)


def executemany(cursor: Any, given: Rows) -> None:
    """Load the rows into a second table, a thousand to a statement, then insert the new ones."""
    cursor.execute(TABLE.replace("TABLE t", "TEMPORARY TABLE s"))
    for first in range(0, len(given), TOGETHER):
        cursor.executemany(INSERT.replace("INTO t", "INTO s"), given[first : first + TOGETHER])
    cursor.execute(INSERT_NEW)


def array_binding(cursor: Any, given: Rows) -> None:
    """Load the rows like ``executemany``, but the server binds the values."""
    cursor.execute(TABLE.replace("TABLE t", "TEMPORARY TABLE s"))
    bound = INSERT.replace("INTO t", "INTO s").replace("%s", "?")
    for first in range(0, len(given), TOGETHER):
        cursor.executemany(bound, given[first : first + TOGETHER])
    cursor.execute(INSERT_NEW)


@contextlib.contextmanager
def counted(port: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Run a proxy in front of the stand-in, and return its port and its figures.

    At the end, the figures are the number of statements and of megabytes.
    """
    from local.proxy import proxy

    figures: dict[str, float] = {}
    with proxy(port) as through:
        yield through.port, figures
        queries = [request for request in through.seen if "query-request" in request.path]
        figures["statements"] = len(queries)
        figures["megabytes"] = sum(len(request.body) for request in queries) / 1e6


def alternative(
    work: Callable[[Any, Rows], None], count: int, server: Any, paramstyle: str
) -> dict[str, float]:
    """Run one of the other ways, and return its seconds, statements and megabytes."""
    import snowflake.connector
    from local import warehouse

    given = plain(count)
    settings = {**server.settings, "SNOWFLAKE_SCHEMA": f"s_{uuid.uuid4().hex[:8]}"}
    before, snowflake.connector.paramstyle = snowflake.connector.paramstyle, paramstyle
    try:
        with (
            counted(server.port) as (port, figures),
            warehouse.connect({**settings, "SNOWFLAKE_PORT": str(port)}) as session,
        ):
            session.cursor().execute(TABLE)
            began = time.monotonic()
            work(session.cursor(), given)
            seconds = time.monotonic() - began
            (found,) = session.cursor().execute("SELECT COUNT(DISTINCT event_id) FROM t").fetchone()
            assert found == count, f"{found} of {count} rows arrived"
    finally:
        snowflake.connector.paramstyle = before
    return {"seconds": seconds, **figures}


def ours(
    count: int, azurite: Any, server: Any, rows_in_a_file: int = ROWS_IN_A_FILE
) -> dict[str, float]:
    """Run a whole sweep: listing, download, verification, staging, merge, load records."""
    name = uuid.uuid4().hex[:8]
    storage = {**azurite.settings, "EVENTS_CONTAINER": f"events-{name}"}
    upload(count, storage, rows_in_a_file)
    with counted(server.port) as (port, figures):
        target = {**server.settings, "SNOWFLAKE_SCHEMA": f"s_{name}", "SNOWFLAKE_PORT": str(port)}
        swept = process.told(
            [sys.executable, str(HERE / "sweeper.py")],
            {**storage, **target, "MAX_RUN_SECONDS": "540"},
        )
    assert swept["inserted"] == count
    figures["megabytes"] += swept["staged_mb"]
    return {**swept, **figures}


@dataclass(frozen=True)
class Version:
    """The code of one commit, and what runs the stand-in that it can use."""

    repository: Path
    stand_in: Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def fakesnow() -> Iterator[Any]:
    """Run fakesnow without the stand-in's rules, for a sync that does not know them."""
    from local import emulators

    port = emulators.free_port()
    program = str(environments.group("fakesnow").with_name("fakesnow"))
    command = [program, "-s", "--host", "127.0.0.1", "-p", str(port)]
    with emulators.process("fakesnow", command, port) as pid:
        settings = {**emulators.snowflake_settings(port), "SNOWFLAKE_ACCOUNT": "fakesnow"}
        yield emulators.Server(port, pid, settings)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def both_sides(count: int, version: Version) -> dict[str, float]:
    """Sweep with the code of a commit. Return its seconds, and the CPU seconds of both sides."""
    from local import emulators

    benchmarks = version.repository / "tests/benchmarks"
    with emulators.azurite() as azurite, version.stand_in() as server:
        storage = {**azurite.settings, "EVENTS_CONTAINER": "events"}
        command = [sys.executable, "-c", UPLOAD, str(benchmarks), str(count), json.dumps(storage)]
        subprocess.run(command, check=True)
        before, idle = os.times(), cpu_seconds(server.pid)
        swept = process.told(
            [sys.executable, str(benchmarks / "sweeper.py")],
            {**storage, **server.settings, "MAX_RUN_SECONDS": "540"},
        )
        after, busy = os.times(), cpu_seconds(server.pid)
        assert swept["inserted"] == rows_in(server.settings) == count, swept
    ours = after.children_user + after.children_system
    ours -= before.children_user + before.children_system
    return {"seconds": swept["seconds"], "cpu": ours, "stand-in": busy - idle}


def rows_in(settings: Mapping[str, str]) -> int:
    """Return the number of keys in the table."""
    from local import warehouse

    with warehouse.connect(settings) as session:
        _, ((found,),) = warehouse.query(
            session, "SELECT COUNT(DISTINCT event_id) FROM delete_tracker"
        )
    return int(found)


def sides(count: int, commit: str | None) -> list[str]:
    """Return the table of both sides of a sweep, of one commit or of two in turn."""
    from local import emulators

    with contextlib.ExitStack() as stack:
        versions = {"now": Version(environments.REPOSITORY, emulators.snowflake)}
        if commit:
            code = stack.enter_context(earlier.checkout(commit))
            versions = {f"`{commit}`": Version(code, fakesnow), **versions}
        runs: dict[str, list[dict[str, float]]] = {title: [] for title in versions}
        for number in range(ROUNDS):
            for title in reversed(versions) if number % 2 else versions:
                runs[title].append(both_sides(count, versions[title]))
                print(title, runs[title][-1], flush=True)
    lines = [
        "| code | rows | rows/s | CPU s: `delete_sync` | CPU s: stand-in | share of the stand-in |",
        "|---|---|---|---|---|---|",
    ]
    for title, some in runs.items():
        median = {key: statistics.median(one[key] for one in some) for key in some[0]}
        share = median["stand-in"] / (median["stand-in"] + median["cpu"])
        cells = [title, f"{count:,}", f"{count / median['seconds']:,.0f}"]
        cells += [f"{median['cpu']:.1f}", f"{median['stand-in']:.1f}", f"{100 * share:.0f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def ways(count: int) -> list[str]:
    """Return the table of the ways to load rows."""
    from local import emulators

    runs: dict[str, tuple[int, Callable[[], dict[str, float]]]] = {
        "delete_sync": (count, lambda: ours(count, azurite, server)),
        "row by row": (
            ROW_BY_ROW,
            lambda: alternative(row_by_row, ROW_BY_ROW, server, "pyformat"),
        ),
        "`executemany`": (
            count // 25,
            lambda: alternative(executemany, count // 25, server, "pyformat"),
        ),
        "array binding": (
            count // 250,
            lambda: alternative(array_binding, count // 250, server, "qmark"),
        ),
    }
    measured: dict[str, list[dict[str, float]]] = {title: [] for title in runs}
    for _ in range(ROUNDS):
        with emulators.azurite() as azurite, emulators.snowflake() as server:
            for title, (_, work) in runs.items():
                measured[title].append(work())
                print(title, measured[title][-1], flush=True)
    seconds = {
        title: statistics.median(one["seconds"] for one in some) for title, some in measured.items()
    }
    slowest = ROW_BY_ROW / seconds["row by row"]
    lines = [
        f"| way | rows | rows/s | speed relative to row by row | time for {count:,} rows "
        "| statements | MB sent |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, (number, _) in runs.items():
        rate, some = number / seconds[title], measured[title][-1]
        taken = f"{count / rate:,.0f} s" + (" (extrapolated)" if number < count else "")
        cells = [title, f"{number:,}", f"{rate:,.0f}", f"{rate / slowest:.0f} ×", taken]
        cells += [f"{some['statements']:,.0f}", f"{some['megabytes']:,.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> int:
    """Measure, print the figures, and write the tables into the page."""
    parser = argparse.ArgumentParser(
        description="Compare a sweep with simpler ways to load the rows."
    )
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--against", metavar="COMMIT", help="compare it with this commit too")
    parser.add_argument("--sides", action="store_true", help="leave out the other ways")
    given = parser.parse_args()
    process.begin()
    tables = {"sweep sides": sides(given.rows, given.against)}
    if not given.sides:
        tables["sweep"] = ways(given.rows)
    for name, lines in tables.items():
        print("\n".join(lines), flush=True)
        about = f"Medians of {ROUNDS} rounds.\nMachine: {page.machine()}."
        page.write(name, "\n".join([*lines, "", about]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
