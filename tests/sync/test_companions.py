"""How restores, checks, listed deletes and resolved rejects arrive in their tables.

And how the rows of erased records do not arrive in any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local import comparison
from local.event_files import check, delete, listed, restore

from delete_sync.src.errors import ErasedMeanwhileError
from delete_sync.src.event_files.event_file import EventFile
from delete_sync.src.model import EventBlob, Figures
from delete_sync.src.report import Report
from delete_sync.src.warehouse.columns import columns_of
from delete_sync.src.warehouse.companions import COMPANIONS, DELETES, LEFT_NULL
from delete_sync.src.warehouse.staging import batch_writer
from salesforce_client.src.app.model.rows import ResolvedReject
from salesforce_client.src.app.storage.event_file import EventFile as Writer

Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]

EARLY, LATE = "2026-02-01T00:10:00.000Z", "2026-02-01T00:11:00.000Z"
GONE, STAYS = "0035f00000ABCDEAA1", "0035f00000ABCDFAA1"
RESOLVED = ResolvedReject("r1", "delete", EARLY)


def test_every_number_of_rows_belongs_to_a_table() -> None:
    """If a figure had no table, the rows that it counts would be staged but not inserted."""
    figures = Figures(0, 0, 0, None, None).counts()
    of_tables = [companion.figure for companion in (DELETES, *COMPANIONS)]
    assert sorted(of_tables) == sorted(figures)


def test_a_restore_arrives_with_all_its_columns(put: Put, sweep: Sweep, query: Query) -> None:
    name = put(restore("r1", record_id="0015f00000ABCDE"))
    assert sweep().restores == 1
    assert query(
        "SELECT restore_id, event_file, topic, object_name, record_id, restored_by, restored_date, "
        "found_by, ingested_at, loaded_at > '2026-02-01' FROM delete_tracker_restores"
    ) == [
        (
            *("r1", name, "/data/AccountChangeEvent", "Account", "0015f00000ABCDEAA5", "005"),
            *(datetime(2026, 2, 1, 0, 5), "event", datetime(2026, 2, 1, 0, 10, 0, 456000), True),
        )
    ]


def test_a_check_and_its_list_arrive_with_all_their_columns(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """The same sweep compares the check. Large numbers in the payload stay exact."""
    payload = '{"id":"0015f00000ABCDEAA5","n":9223372036854775807}'
    entry = listed(
        *("c1",), record_id=STAYS, owner_id="005O", merged_into=GONE, state="bin", payload=payload
    )
    name = put(check("c1", error="why", listed=1), entry)
    report = sweep()
    assert (report.checks, report.listed) == (1, 1)
    assert query(
        "SELECT check_id, event_file, org_id, writer, object_name, window_from, window_to, listed, "
        "outcome, sight, api_version, checked_at, error, compared_at IS NOT NULL "
        "FROM delete_tracker_checks"
    ) == [
        (
            *("c1", name, "00D5f000000ABCDEA2", "0.1.0", "Account"),
            *(datetime(2026, 2, 1), datetime(2026, 2, 2), 1, "listed", "view_all", "v67.0"),
            *(datetime(2026, 2, 2, 0, 40), "why", True),
        )
    ]
    ((*row, told),) = query(
        "SELECT check_id, event_file, object_name, record_id, deleted_date, deleted_by, owner_id, "
        "merged_into, listed_by, state, payload FROM delete_tracker_listed"
    )
    assert row == [
        *("c1", name, "Account", STAYS, datetime(2026, 2, 1, 0, 0, 0, 123000), "005", "005O"),
        *(GONE, "both", "bin"),
    ]
    assert json.loads(told) == json.loads(payload)


def test_a_reject_that_was_decoded_again_is_acknowledged_once(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """The first time that it was decoded counts, unless a person has acknowledged it before."""
    put(
        RESOLVED._replace(became="restore", resolved_at=LATE), ResolvedReject("r3", "delete", EARLY)
    )
    put(RESOLVED, ResolvedReject("r2", "nothing", LATE))
    sweep()
    query(
        "INSERT INTO delete_tracker_acknowledged (kind, id, why, who) "
        "SELECT 'gap' AS kind, 'r4' AS id, 'known' AS why, 'Jane' AS who UNION ALL "
        "SELECT 'reject', 'r5', 'known', 'Jane'"
    )
    put(RESOLVED, ResolvedReject("r4", "delete", EARLY), ResolvedReject("r5", "delete", EARLY))
    sweep().raise_if_failed()
    rows = query("SELECT kind, id, why, who FROM delete_tracker_acknowledged ORDER BY id, kind")
    assert rows == [
        ("reject", "r1", "reprocessed: became delete", "reprocess"),
        ("reject", "r2", "reprocessed: became nothing", "reprocess"),
        ("reject", "r3", "reprocessed: became delete", "reprocess"),
        ("gap", "r4", "known", "Jane"),
        ("reject", "r4", "reprocessed: became delete", "reprocess"),
        ("reject", "r5", "known", "Jane"),
    ]
    assert query("SELECT acknowledged_at FROM delete_tracker_acknowledged WHERE id = 'r1'") == [
        (datetime(2026, 2, 1, 0, 10),)
    ]


@pytest.mark.parametrize("batches", [1, 2])
def test_of_a_restore_that_arrives_twice_the_earliest_row_stays(
    put: Put, sweep: Sweep, query: Query, batches: int
) -> None:
    """A row that is in the table stays, whatever comes later."""
    put(restore("r1", topic="/data/B", ingested_at=LATE))
    if batches == 2:
        sweep()
    put(restore("r1", topic="/data/B", ingested_at=EARLY))
    put(restore("r1", topic="/data/A", ingested_at=EARLY))
    put(restore("r1", topic="/data/A", ingested_at=EARLY))
    sweep().raise_if_failed()
    topic = "/data/A" if batches == 1 else "/data/B"
    assert query("SELECT topic FROM delete_tracker_restores") == [(topic,)]


def test_a_full_sweep_inserts_no_row_twice(put: Put, sweep: Sweep, query: Query) -> None:
    """Two entries of one check differ by the record or the date. Even an unknown date is a date."""
    name = put(
        *(RESOLVED, restore(), check()),
        *(listed(record_id=STAYS), listed(record_id=GONE), listed(deleted_date=LATE)),
        *(listed(deleted_date="unknown"), listed("c2")),
    )
    sweep().raise_if_failed()
    report = sweep(FULL_SWEEP="true")
    report.raise_if_failed()
    assert report.synced == [name]
    assert (report.restores, report.checks, report.listed, report.erased) == (0, 0, 0, 0)
    counts = {
        companion.part: query(f"SELECT COUNT(*) FROM delete_tracker_{companion.part}")[0][0]
        for companion in COMPANIONS
    }
    assert counts == {
        **dict.fromkeys(("gaps", "rejects", "polls"), 0),
        "acknowledged": 1,
        "restores": 1,
        "checks": 1,
        "listed": 5,
    }


def erase(query: Query, record_id: str) -> None:
    digest = hashlib.sha256(record_id.encode()).hexdigest()
    query(
        "INSERT INTO delete_tracker_erased (record_sha256, erased_at) "
        f"SELECT '{digest}' AS record_sha256, SYSDATE() AS erased_at"
    )


@pytest.mark.parametrize("full", ["true", "false"])
def test_the_rows_of_an_erased_record_are_left_out_and_counted(
    put: Put, sweep: Sweep, query: Query, full: str
) -> None:
    """Their file counts as loaded. Its other rows arrive, also rows without a record."""
    sweep()
    erase(query, GONE)
    erase(query, GONE)
    name = put(
        *(delete("e1", record_id=GONE), delete("e2", record_id=STAYS)),
        delete("e3", record_id=None),
        *(restore("r1", record_id=GONE), restore("r2", record_id=STAYS)),
        *(check(listed=2), listed(record_id=GONE), listed(record_id=STAYS)),
    )
    only = put(delete("e4", record_id=GONE))
    report = sweep(FULL_SWEEP=full)
    report.raise_if_failed()
    assert report.synced == [name, only]
    assert (report.inserted, report.restores, report.listed, report.erased) == (2, 1, 1, 4)
    assert query("SELECT event_id FROM delete_tracker ORDER BY event_id") == [("e2",), ("e3",)]
    assert query("SELECT restore_id FROM delete_tracker_restores") == [("r2",)]
    assert query("SELECT record_id FROM delete_tracker_listed") == [(STAYS,)]
    assert query("SELECT rows_read, rows_inserted FROM delete_tracker_loads ORDER BY 1 DESC") == [
        (3, 2),
        (1, 0),
    ]


def test_an_erased_record_does_not_come_back_with_a_full_sweep(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """Its rows were in the tables before. Somebody has removed them since."""
    put(delete("e1", record_id=GONE), restore("r1", record_id=GONE), listed(record_id=GONE))
    sweep()
    erase(query, GONE)
    for table in ("", "_restores", "_listed"):
        query(f"DELETE FROM delete_tracker{table}")
    report = sweep(FULL_SWEEP="true")
    report.raise_if_failed()
    assert (len(report.synced), report.inserted, report.erased) == (1, 0, 3)
    for table in ("", "_restores", "_listed"):
        assert query(f"SELECT COUNT(*) FROM delete_tracker{table}") == [(0,)]


def test_a_row_of_an_erased_record_that_stays_in_the_table_is_not_changed(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """The fact of a delete may stay. Then its row has the key, and no personal data."""
    put(delete("e1", record_id=GONE), delete("e2", record_id=STAYS))
    sweep()
    erase(query, GONE)
    query("UPDATE delete_tracker SET payload = NULL WHERE event_id = 'e1'")
    sweep(FULL_SWEEP="true").raise_if_failed()
    rows = query("SELECT event_id, payload IS NULL FROM delete_tracker ORDER BY event_id")
    assert rows == [("e1", True), ("e2", False)]


def test_a_batch_is_not_loaded_if_data_were_erased_since_it_was_read(
    snowflake_settings: Mapping[str, str], query: Query, tmp_path: Path
) -> None:
    """Its rows may name the record. The next sweep reads the file again."""
    loader = comparison.loader(snowflake_settings)
    loader.prepare()
    assert loader.erased() == frozenset()
    file = Writer(tmp_path / "x.db", datetime(2026, 2, 1, tzinfo=timezone.utc))
    file.add([delete("e1", deleted_by=GONE)])
    file.close()
    erase(query, GONE)
    with batch_writer(tmp_path, "s", 2) as writer:
        with EventFile(file.path, "x", "0") as content:
            writer.add(content, EventBlob("x", 1, "etag", "0"), "0")
        batch = writer.finish()
        with pytest.raises(ErasedMeanwhileError, match="somebody has erased data"):
            loader.load(batch, again=False)
        assert query("SELECT COUNT(*) FROM delete_tracker") == [(0,)]
        assert len(loader.erased()) == 1
        assert loader.load(batch, again=False).inserted == 1
    loader.close()


def test_the_sync_writes_every_column_of_its_tables_but_one() -> None:
    """The comparison fills ``compared_at`` later."""
    columns = {column.name for one in COMPANIONS for column in columns_of(one.part)}
    assert {"compared_at"} == LEFT_NULL <= columns
