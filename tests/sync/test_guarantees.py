"""The promises of a sweep under stress: overlaps, lost sessions, bad values, many files, many rows.

Snowflake and its stand-in enforce no UNIQUE. The stand-in has Snowflake's locks.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ContainerClient
from local import emulators, warehouse
from local.event_files import delete
from local.proxy import Proxy, Request, proxy

from delete_sync.src import sync
from delete_sync.src.errors import (
    DuplicateRowsError,
    FilesRefusedError,
    TableError,
    WarehouseRefusedError,
)
from delete_sync.src.event_files import blobs
from delete_sync.src.model import Batch, Loaded
from delete_sync.src.report import Report
from delete_sync.src.run import run
from delete_sync.src.warehouse.snowflake_errors import ADVICE, TRANSIENT, translate
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
BY_HAND = f"CREATE TABLE delete_tracker {warehouse.COLUMNS.format(id='INTEGER PRIMARY KEY')}"
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def put(events: ContainerClient, tmp_path: Path) -> Put:
    """Upload an event file. Returns its name."""
    events.create_container()
    numbers = iter(range(100_000))

    def once(*event_ids: str, metadata: Mapping[str, str] | None = None) -> str:
        number = next(numbers)
        file = EventFile(tmp_path / f"{number}.db", BEGUN_AT)
        file.add([delete(one) for one in event_ids])
        file.close()
        name = blob_name(BEGUN_AT, number)
        events.upload_blob(name, file.path.read_bytes(), metadata=dict(metadata or {}))
        return name

    return once


@pytest.fixture
def sweep(blob_settings: Mapping[str, str], snowflake_settings: Mapping[str, str]) -> Sweep:
    return lambda **changes: run({**blob_settings, **snowflake_settings, **changes})


@pytest.fixture
def query(connection: Any) -> Query:
    return lambda sql: warehouse.query(connection, sql)[1]


class Target:
    """Accepts every batch, and does nothing with it. Its session is open all the time."""

    def prepare(self) -> None:
        """Nothing to prepare."""

    def load(self, batch: Batch) -> Loaded:
        """Nothing to load."""
        return Loaded(0, 0, 0, 0)


def test_full_sweeps_that_run_out_of_time_get_through_all_files_together(
    put: Put, events: ContainerClient, service: BlobServiceClient
) -> None:
    """After a table is lost, it is rebuilt from more files than one sweep has time for."""
    names = [put(f"e{number:02}") for number in range(16)]
    container = blobs.EventContainer(service, events.container_name)

    def full_sweep(run_seconds: float) -> Report:
        """Run a full sweep with one file in each batch. A batch takes a second."""
        return sync.sweep(
            container,
            lambda: contextlib.nullcontext(Target()),
            "full",
            full=True,
            limits=sync.Limits(run_seconds, merge_rows=1000, batch_files=1),
            clock=itertools.count().__next__,
        )

    assert full_sweep(run_seconds=100).synced == names
    time.sleep(1)  # the times of marks differ only by whole seconds
    first, second = (full_sweep(run_seconds=10) for _ in range(2))
    assert (len(first.synced), first.left) == (9, 7)
    assert sorted({*first.synced, *second.synced}) == names
    assert not set(first.synced) & set(second.synced[: first.left])


@pytest.fixture
def through(snowflake: emulators.Server) -> Iterator[Proxy]:
    with proxy(snowflake.port) as running:
        yield running


def statements(through: Proxy) -> list[str]:
    """The statements that were sent, each in one line."""
    asked = [
        json.loads(request.text) for request in through.seen if "query-request" in request.path
    ]
    return [" ".join(one["sqlText"].split()) for one in asked]


# -- overlapping sweeps


def test_two_sweeps_at_once_duplicate_nothing(put: Put, sweep: Sweep, query: Query) -> None:
    """The other sweeps wait for the lease of the first one, and then have nothing to load.

    The table has no constraint that would refuse duplicates.
    """
    query(warehouse.WITHOUT_CONSTRAINTS)
    for number in range(4):
        put(*(f"e{number}-{row}" for row in range(50)))
    reports: list[Report] = []
    sweeps = [threading.Thread(target=lambda: reports.append(sweep())) for _ in range(3)]
    for one in sweeps:
        one.start()
    for one in sweeps:
        one.join()
    assert sorted(report.inserted for report in reports) == [0, 0, 200]
    assert query("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM delete_tracker") == [(200, 200)]


def test_a_sweep_is_skipped_while_another_one_is_running(
    put: Put, sweep: Sweep, events: ContainerClient, service: BlobServiceClient
) -> None:
    """The sweep first waits as long as a killed sweep would keep the lease."""
    put("e1")
    lease: BlobLeaseClient = events.acquire_lease(-1)  # an endless lease
    report = sync.sweep(
        blobs.EventContainer(service, events.container_name, patience_seconds=1),
        lambda: contextlib.nullcontext(Target()),
        "second",
        full=False,
        limits=sync.Limits(run_seconds=60, merge_rows=1000),
    )
    report.raise_if_failed()
    assert (report.skipped, list(report.lines())) == (
        True,
        ["sweep=second state=skipped reason=another sweep is running"],
    )
    lease.release()
    assert sweep().inserted == 1


def test_the_transaction_begins_with_the_lock_row(put: Put, sweep: Sweep, through: Proxy) -> None:
    """A second session waits for that row.

    Then its MERGE sees the rows that the first has committed. This was not tested on a live
    account.
    """
    put("e1")
    sweep(SNOWFLAKE_PORT=str(through.port))
    sent = statements(through)
    begin = next(
        number
        for number, text in enumerate(sent)
        if text.startswith("ALTER SESSION SET AUTOCOMMIT = FALSE")
    )
    transaction = [text.split()[0] for text in sent[begin:]]
    assert transaction == [
        "ALTER",
        "UPDATE",
        "SELECT",
        "MERGE",
        "SELECT",
        "INSERT",
        "INSERT",
        "DELETE",
        "INSERT",
        "COMMIT",
        "ALTER",
    ]
    assert not any(text.startswith(("CREATE", "PUT", "COPY")) for text in sent[begin:])


def test_a_duplicate_key_in_the_table_is_found_and_reported(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """It does not matter who inserted the duplicate rows."""
    query(warehouse.WITHOUT_CONSTRAINTS)
    put("e1", "e2")
    row = "SELECT 'e1' AS a, '2026-02-01'::TIMESTAMP_NTZ AS b"
    query(f"INSERT INTO delete_tracker (event_id, deleted_date) {row} UNION ALL {row}")
    report = sweep()
    assert report.duplicates == ["e1"]
    with pytest.raises(DuplicateRowsError, match="e1"):
        report.raise_if_failed()


# -- sessions and values


@pytest.mark.parametrize("words", ["PUT file", "COPY INTO", "MERGE INTO", "COMMIT"])
def test_a_request_that_fails_once_loses_nothing(
    put: Put, sweep: Sweep, query: Query, through: Proxy, words: str
) -> None:
    """A request is retried after an HTTP 503, also inside a transaction."""
    failures = [(503, b"")]
    through.before = lambda request: failures.pop() if failures and words in request.text else None
    put("e1", "e2")
    assert sweep(SNOWFLAKE_PORT=str(through.port)).inserted == 2
    assert not failures
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(2,)]
    assert query("SELECT rows_inserted FROM delete_tracker_loads") == [(2,)]


def test_a_lost_session_restarts_the_batch(
    put: Put, sweep: Sweep, query: Query, through: Proxy
) -> None:
    """The new session gets its own staging table and transaction."""
    gone = {
        "data": {"sqlState": "08001"},
        "code": "390111",
        "message": "Session no longer exists.",
        "success": False,
    }
    failures = [(200, json.dumps(gone).encode())]
    through.before = lambda request: (
        failures.pop() if failures and "MERGE INTO" in request.text else None
    )
    put("e1", "e2")
    assert sweep(SNOWFLAKE_PORT=str(through.port)).inserted == 2
    assert not failures
    assert sum(text.startswith("CREATE OR REPLACE TEMPORARY") for text in statements(through)) == 2
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(2,)]


def test_a_value_that_snowflake_refuses_costs_only_its_own_file(
    put: Put, sweep: Sweep, query: Query, through: Proxy
) -> None:
    """The batch is rolled back, and its files are loaded one by one. The bad file is refused."""
    refusal = {
        "data": {"sqlState": "22P02"},
        "code": "100069",
        "message": "Error parsing JSON.",
        "success": False,
    }
    copies = iter(("together", "before", "poison", "after"))

    def answer(request: Request) -> tuple[int, bytes] | None:
        refused = "COPY INTO" in request.text and next(copies, "") in ("together", "poison")
        return (200, json.dumps(refusal).encode()) if refused else None

    through.before = answer
    put("before")
    culprit = put("poison")
    put("after")
    report = sweep(SNOWFLAKE_PORT=str(through.port))
    assert list(report.refused) == [culprit]
    with pytest.raises(FilesRefusedError, match="100069"):
        report.raise_if_failed()
    assert query("SELECT event_id FROM delete_tracker ORDER BY event_id") == [
        ("after",),
        ("before",),
    ]
    assert sweep().refused_before == 1


class Raised(Exception):  # noqa: N818  (it stands for any error of the connector)
    """The part of a connector's error that the translation reads."""

    def __init__(self, number: int, state: str = "") -> None:
        self.errno, self.sqlstate, self.msg = number, state, "Snowflake's words"


@pytest.mark.parametrize("number", ADVICE)
def test_a_known_refusal_says_what_to_do(number: int) -> None:
    """The advice follows Snowflake's own message."""
    assert str(translate(Raised(number), "merge")).endswith(f" – {ADVICE[number]}")


def test_errors_are_sorted_by_who_has_to_act() -> None:
    """The class, the number and the SQLSTATE decide."""
    assert {type(translate(kind(msg="x", errno=1), "merge")).__name__ for kind in TRANSIENT} == {
        "WarehouseUnavailableError"
    }
    kinds = {
        (604, "57014"): "WarehouseUnavailableError",
        (390111, ""): "WarehouseUnavailableError",
        (100038, "22018"): "DataRefusedError",
        (2003, "42S02"): "WarehouseRefusedError",
        (606, "57P03"): "WarehouseRefusedError",
    }
    for (number, state), name in kinds.items():
        assert type(translate(Raised(number, state), "merge")).__name__ == name


# -- tables


def test_the_sync_numbers_the_rows_of_a_table_made_from_the_plain_ddl(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """The ``id`` of such a table has no default.

    The lock row keeps two sweeps from using the same numbers.
    """
    query(BY_HAND)
    for batch in (("e1", "e2"), ("e2", "e3")):
        put(*batch)
        sweep()
    assert [row[0] for row in query("SELECT event_id FROM delete_tracker ORDER BY id")] == [
        "e1",
        "e2",
        "e3",
    ]
    assert len({row[0] for row in query("SELECT id FROM delete_tracker")}) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE delete_tracker DROP COLUMN owner_id", "ADD COLUMN OWNER_ID VARCHAR(255)"),
        (
            "CREATE OR REPLACE TABLE delete_tracker (id INTEGER, event_id INTEGER)",
            "EVENT_ID is NUMBER, not TEXT",
        ),
    ],
)
def test_the_error_about_a_wrong_table_has_the_statement_to_run(
    put: Put, sweep: Sweep, query: Query, change: str, words: str
) -> None:
    """The sweep fails before it loads anything."""
    query(warehouse.WITHOUT_CONSTRAINTS)
    query(change)
    put("e1")
    with pytest.raises(TableError) as raised:
        sweep()
    assert words in str(raised.value)


def test_the_merge_compares_only_rows_within_a_window_of_days(
    put: Put, sweep: Sweep, through: Proxy
) -> None:
    """Snowflake can then skip all other rows. FULL_SWEEP, or a window of 0, compares all rows."""
    put("e1")
    sweep(SNOWFLAKE_PORT=str(through.port))
    merges = [text for text in statements(through) if text.startswith("MERGE")]
    assert (
        "BETWEEN TO_TIMESTAMP_NTZ('2026-01-25T00:00:00.123000') "
        "AND TO_TIMESTAMP_NTZ('2026-02-08T00:00:00.123000')" in merges[0]
    )
    for changes in ({"FULL_SWEEP": "true"}, {"FULL_SWEEP": "true", "MERGE_WINDOW_DAYS": "0"}):
        assert sweep(SNOWFLAKE_PORT=str(through.port), **changes).inserted == 0
    later = [text for text in statements(through) if text.startswith("MERGE")][1:]
    assert len(later) == 2
    assert not any("BETWEEN" in text for text in later)


@pytest.mark.parametrize("day", ["1582-01-01", "9999-12-31"])
def test_the_first_and_the_last_possible_date_are_loaded(
    events: ContainerClient, tmp_path: Path, sweep: Sweep, day: str, query: Query
) -> None:
    """The window does not reach beyond the first or the last possible date."""
    events.create_container()
    file = EventFile(tmp_path / "x.db", BEGUN_AT)
    file.add([delete("e1", deleted_date=f"{day}T00:00:00.000Z")])
    file.close()
    events.upload_blob(blob_name(BEGUN_AT), file.path.read_bytes())
    assert sweep().inserted == 1
    assert sweep(FULL_SWEEP="true").inserted == 0


def test_a_column_that_someone_else_added_is_ignored(put: Put, sweep: Sweep, query: Query) -> None:
    """An analyst may add a column to the table."""
    query(warehouse.WITHOUT_CONSTRAINTS)
    query("ALTER TABLE delete_tracker ADD COLUMN note VARCHAR")
    put("e1")
    assert sweep().inserted == 1


def test_existing_tables_are_not_created_again(put: Put, sweep: Sweep, through: Proxy) -> None:
    """CREATE … IF NOT EXISTS needs the right to create, even if the table exists."""
    put("e1")
    sweep()
    put("e2")
    sweep(SNOWFLAKE_PORT=str(through.port))
    assert [text for text in statements(through) if text.startswith("CREATE")] == [
        'CREATE OR REPLACE TEMPORARY TABLE "DELETE_TRACKER_STAGING" (v VARIANT)'
    ]


def test_the_error_about_a_missing_right_has_the_statement_to_run(
    put: Put, sweep: Sweep, through: Proxy
) -> None:
    """A person with the right can run that statement."""
    refusal = {
        "data": {"sqlState": "42501"},
        "code": "003001",
        "message": "Insufficient privileges.",
        "success": False,
    }
    through.before = lambda request: (
        (200, json.dumps(refusal).encode()) if "CREATE TABLE" in request.text else None
    )
    put("e1")
    with pytest.raises(
        WarehouseRefusedError,
        match=r'Insufficient privileges.*run: CREATE TABLE IF NOT EXISTS "DELETE_TRACKER" \( id',
    ):
        sweep(SNOWFLAKE_PORT=str(through.port))


# -- size


def test_one_new_file_among_ten_thousand_costs_one_download(
    put: Put,
    sweep: Sweep,
    events: ContainerClient,
    service: BlobServiceClient,
    azurite: emulators.Server,
) -> None:
    """The sweep runs one download and one merge."""
    put("e0")
    sweep()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as pool:
        marked = {"sha256": "f" * 64, "synced": "f" * 64}
        list(
            pool.map(
                lambda number: events.upload_blob(
                    blob_name(BEGUN_AT, number), b"", metadata=marked
                ),
                range(100, 10_100),
            )
        )
    put("e1")
    with proxy(azurite.port) as through:
        report = sweep(EVENTS_STORAGE=emulators.connection_string(through.port))
        downloads = [
            request.path
            for request in through.seen
            if request.method == "GET" and "comp=list" not in request.path
        ]
    assert (report.files, report.inserted, report.batches, len(downloads)) == (10_002, 1, 1, 1)


def test_memory_stays_flat_over_half_a_million_rows(
    events: ContainerClient,
    tmp_path: Path,
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
) -> None:
    """The peak is under 120 MiB, with the connector included."""
    events.create_container()
    for number in range(2):
        file = EventFile(tmp_path / "x.db", BEGUN_AT)
        payload = json.dumps({"text": "x" * 400})
        file.add([delete(f"{number}-{row}", payload=payload) for row in range(250_000)])
        file.close()
        with file.path.open("rb") as data:
            events.upload_blob(blob_name(BEGUN_AT, number), data)
        file.path.unlink()
    code = (
        "import json, re, sys; from delete_sync.src.run import run; "
        "report = run(json.loads(sys.argv[1])); "
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()); "
        "print(report.inserted, report.batches, int(peak[1]) // 1024)"
    )
    settings = json.dumps({**blob_settings, **snowflake_settings})
    repository = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, settings],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    inserted, batches, mebibytes = (int(part) for part in done.stdout.split())
    assert (inserted, batches) == (500_000, 1)
    assert mebibytes < 120
