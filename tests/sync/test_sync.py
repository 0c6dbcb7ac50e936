"""Whole sweeps in this process: real event files, Azurite, the real connector, the stand-in."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import emulators
from local.event_files import delete
from local.proxy import Proxy, proxy

from delete_sync.src.errors import FilesRefusedError, SettingsError, WarehouseUnavailableError
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.report import Report
from delete_sync.src.run import run
from salesforce_client.src.app.model.rows import Gap, Poll, RejectedEvent
from salesforce_client.src.app.storage.event_file import EventFile

BROKEN = Path(__file__).resolve().parent.parent / "contract/broken"
BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
AWKWARD = {
    "text": ["it's", '"x"', "a\nb\r\n", "\\ \\n", "🦊", "$$", "%s %(x)s", "{table}", ""],
    "long": 2**63 - 1,
    "none": None,
    "deep": {"a": [1, {"b": "}"}]},
}
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


REJECT = RejectedEvent(
    "r1", "/event/X__e", "e9", b"\2", "s", b"\0\xff", "unreadable", "2026-02-01T00:10:00.456Z"
)
POLL = Poll(
    poll_id="p1",
    org_id="00D5f000000ABCDEA2",
    writer="0.1.0",
    topic="/event/X__e",
    began_at="2026-02-01T00:10:00.000Z",
    ended_at="2026-02-01T00:10:09.000Z",
    objects='["Account"]',
    ended="idle",
    read_until="2026-02-01T00:10:00.000Z",
    received=3,
    deletes=2,
    restores=0,
    skipped=0,
    rejected=1,
    gaps=1,
    error=None,
)
GAP = Gap(
    "g1",
    "/event/X__e",
    "expired_cursor",
    None,
    b"\3",
    "2026-01-01T00:00:00.000Z",
    None,
    "2026-02-01T00:10:00.456Z",
)


def test_rows_arrive_unchanged(put: Put, sweep: Sweep, query: Query) -> None:
    """Quotes, newlines, backslashes, emoji, dollars, percents and large integers stay the same."""
    put(
        delete("e1", payload=json.dumps(AWKWARD), object_name='O\'Brien "x" %s $$ \\'),
        delete("e2", object_name=None),
    )
    report = sweep()
    assert (report.staged, report.inserted) == (2, 2)
    rows = query("SELECT * FROM delete_tracker ORDER BY event_id")
    assert rows[0][1:8] == (
        "e1",
        "/event/X__e",
        'O\'Brien "x" %s $$ \\',
        "001",
        "005",
        datetime(2026, 2, 1, 0, 0, 0, 123000),
        None,
    )
    assert json.loads(rows[0][8]) == AWKWARD
    assert rows[0][9] == datetime(2026, 2, 1, 0, 10, 0, 456000)
    assert rows[1][3] is None
    assert len({row[0] for row in rows}) == 2


def test_a_loaded_file_has_a_load_record_and_is_not_read_again(
    put: Put, sweep: Sweep, query: Query, events: ContainerClient
) -> None:
    """The record has what the list of the container shows. The blob itself is not changed."""
    name = put(delete("e1"))
    before = events.get_blob_client(name).get_blob_properties()
    first = sweep()
    assert first.synced == [name]
    ((*record, token),) = query(
        "SELECT event_file, sha256, length, etag, sweep_id, reader, rows_read, rows_inserted, "
        "token FROM delete_tracker_loads"
    )
    assert record == [
        *(name, before.metadata["sha256"], before.size, before.etag.strip('"')),
        *(first.sweep_id, FORMAT_VERSION, 1, 1),
    ]
    assert query("SELECT token FROM delete_tracker_lock") == [(token,)]
    report = sweep()
    assert (report.files, report.synced, report.batches) == (1, [], 0)
    after = events.get_blob_client(name).get_blob_properties()
    assert (after.etag, after.metadata) == (before.etag, before.metadata)


def test_a_sweep_after_all_load_records_are_lost_duplicates_nothing(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """The record only saves work. The key keeps the promise."""
    put(delete("e1"), delete("e2"), REJECT, GAP, POLL)
    sweep()
    query("DELETE FROM delete_tracker_loads")
    report = sweep()
    assert (report.staged, report.inserted, report.gaps, report.rejects) == (5, 0, 0, 0)
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(2,)]
    for table in ("loads", "gaps", "rejects", "polls"):
        assert query(f"SELECT COUNT(*) FROM delete_tracker_{table}") == [(1,)]


def test_a_full_sweep_reads_everything_again_and_inserts_nothing(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """An operator who doubts the load records sets ``FULL_SWEEP``. It replaces the records.

    They still tell how many rows of the table came from each file.
    """
    for number in range(3):
        put(delete(f"e{number}"))
    sweep()
    report = sweep(FULL_SWEEP="true")
    assert (len(report.synced), report.inserted) == (3, 0)
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(3,)]
    records = query("SELECT sweep_id, rows_inserted FROM delete_tracker_loads")
    assert records == [(report.sweep_id, 1)] * 3


@pytest.mark.parametrize("day", ["1582-01-01", "9999-12-31"])
def test_the_first_and_the_last_possible_date_are_loaded_and_found_again(
    put: Put, sweep: Sweep, day: str
) -> None:
    """Keys are looked up in the whole table, whatever the date of their rows."""
    put(delete("e1", deleted_date=f"{day}T00:00:00.000Z"))
    assert sweep().inserted == 1
    put(delete("e1", deleted_date="2026-01-01T00:00:00.000Z"))
    assert sweep().inserted == 0
    assert sweep(FULL_SWEEP="true").inserted == 0


def test_of_two_rows_with_one_key_the_earliest_wins(put: Put, sweep: Sweep, query: Query) -> None:
    """The order is time, topic, file. A row that is already in the table stays."""
    put(delete("e1", ingested_at="2026-02-01T00:10:01.000Z", topic="/data/A", record_id="late"))
    put(delete("e1", ingested_at="2026-02-01T00:10:00.000Z", topic="/data/B", record_id="early"))
    put(delete("e1", ingested_at="2026-02-01T00:10:00.000Z", topic="/data/A", record_id="earliest"))
    assert sweep().inserted == 1
    put(delete("e1", ingested_at="2020-01-01T00:00:00.000Z", record_id="later sweep"))
    assert sweep().inserted == 0
    assert query("SELECT record_id FROM delete_tracker") == [("earliest",)]


def test_the_warehouse_knows_what_is_missing_and_why(put: Put, sweep: Sweep, query: Query) -> None:
    """Load records, gaps, rejects and polls are in tables beside ``delete_tracker``."""
    name = put(delete("e1"), delete("x" * 256), REJECT, GAP, POLL)
    report = sweep()
    assert (report.inserted, report.gaps, report.rejects) == (1, 1, 2)
    assert query(
        "SELECT event_file, rows_read, rows_inserted, rows_rejected, gaps, error "
        "FROM delete_tracker_loads"
    ) == [(name, 3, 1, 2, 1, None)]
    assert query("SELECT gap_id, topic, reason, from_replay_id FROM delete_tracker_gaps") == [
        ("g1", "/event/X__e", "expired_cursor", "03")
    ]
    assert query(
        "SELECT poll_id, event_file, topic, objects, ended, read_until, received, gaps, error "
        "FROM delete_tracker_polls"
    ) == [
        *[
            (
                "p1",
                name,
                "/event/X__e",
                '["Account"]',
                "idle",
                datetime(2026, 2, 1, 0, 10),
                3,
                1,
                None,
            )
        ]
    ]
    rejects = query(
        "SELECT refused_by, error, payload FROM delete_tracker_rejects ORDER BY refused_by"
    )
    assert rejects == [
        ("collector", "unreadable", "00FF"),
        ("sync", "event_id is longer than 255 characters", "7B7D"),
    ]


@pytest.mark.parametrize("broken", sorted(BROKEN.glob("*.db")), ids=lambda path: path.stem)
def test_a_broken_file_stops_neither_the_others_nor_later_sweeps(
    broken: Path, put: Put, sweep: Sweep, query: Query, events: ContainerClient
) -> None:
    """The sweep that finds the file records it, and leaves its content unchanged.

    Then the sweep fails and names the file. Later sweeps do not read it again.
    """
    put(delete("before"))
    name = put(content=broken.read_bytes())
    put(delete("after"))
    report = sweep()
    with pytest.raises(FilesRefusedError, match=name) as failure:
        report.raise_if_failed()
    assert "The other pending files are loaded, or left for the next sweep." in str(failure.value)
    assert query("SELECT event_id FROM delete_tracker ORDER BY event_id") == [
        ("after",),
        ("before",),
    ]
    (recorded,) = query(
        "SELECT event_file, error FROM delete_tracker_loads WHERE error IS NOT NULL"
    )
    assert recorded == (name, report.refused[name])
    assert events.download_blob(name).readall() == broken.read_bytes()
    again = sweep()
    again.raise_if_failed()
    assert (again.refused_before, again.batches) == (1, 0)


def test_a_file_that_can_be_read_only_in_part_stops_no_other(
    put: Put, sweep: Sweep, query: Query, tmp_path: Path
) -> None:
    """Its first rows are already staged when the reader finds the damage."""
    put(delete("before"))
    damaged = put(content=_spoiled(tmp_path))
    put(delete("after"))
    assert list(sweep().refused) == [damaged]
    assert query("SELECT event_id FROM delete_tracker ORDER BY event_id") == [
        ("after",),
        ("before",),
    ]
    assert query("SELECT COUNT(*), COUNT(error) FROM delete_tracker_loads") == [(3, 1)]


def _spoiled(folder: Path) -> bytes:
    """An event file with a delete that can be read, and a gap that cannot."""
    file = EventFile(folder / "spoiled.db", BEGUN_AT)
    file.add([delete("lost"), GAP])
    file.close()
    with contextlib.closing(sqlite3.connect(file.path)) as connection, connection:
        connection.execute("UPDATE gaps SET from_replay_id = zeroblob(64000001)")
    return file.path.read_bytes()


def test_a_file_that_does_not_match_its_sha256_is_refused(
    put: Put, sweep: Sweep, events: ContainerClient, query: Query
) -> None:
    """Such a file was damaged or changed after its upload. Its record has the declared SHA-256."""
    name = put(delete("e1"))
    events.get_blob_client(name).set_blob_metadata({"sha256": "0" * 64})
    with pytest.raises(FilesRefusedError, match="SHA-256"):
        sweep().raise_if_failed()
    assert query("SELECT sha256 FROM delete_tracker_loads") == [("0" * 64,)]
    assert sweep().refused_before == 1
    with pytest.raises(FilesRefusedError, match="SHA-256"):
        sweep(FULL_SWEEP="true").raise_if_failed()
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(0,)]


def test_a_refused_file_that_is_mended_is_loaded_and_no_longer_counts_as_refused(
    put: Put, sweep: Sweep, events: ContainerClient, query: Query
) -> None:
    """Its new load record takes the place of the refusal."""
    name = put(delete("e1"))
    good = events.get_blob_client(name).get_blob_properties().metadata
    events.get_blob_client(name).set_blob_metadata({"sha256": "0" * 64})
    sweep()
    events.get_blob_client(name).set_blob_metadata(good)
    report = sweep()
    assert (report.inserted, report.refused_before) == (1, 0)
    assert query("SELECT sha256, error FROM delete_tracker_loads") == [(good["sha256"], None)]


def test_a_file_without_a_digest_is_known_by_its_length_and_etag(
    put: Put, sweep: Sweep, events: ContainerClient, query: Query
) -> None:
    """A person may have copied the file into the container. A new copy has another ETag."""
    name = put(delete("e1"), metadata=False)
    assert sweep().inserted == 1
    assert sweep().batches == 0
    events.upload_blob(name, events.download_blob(name).readall(), overwrite=True)
    report = sweep()
    assert (report.synced, report.inserted) == ([name], 0)
    assert sweep().batches == 0
    assert query("SELECT rows_inserted FROM delete_tracker_loads") == [(1,)]


def test_other_blobs_in_the_container_are_ignored(
    put: Put, sweep: Sweep, events: ContainerClient
) -> None:
    """The sweep reads only blobs that are named like event files."""
    put(delete("e1"))
    for stray in (
        "readme.txt",
        "events_2026.db",
        "events_20260201T000000Z.db.bak",
        "x/events_20260201T000000Z.db",
    ):
        events.upload_blob(stray, b"stray")
    report = sweep()
    report.raise_if_failed()
    assert report.files == 1


@pytest.mark.parametrize("name", ["[a]", '[!a]*? "q"', "it's", "back\\slash [a"])
def test_the_temporary_directory_may_have_any_name(
    put: Put, sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The connector takes the path of PUT for a pattern, and Snowflake takes it for a literal."""
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    put("e1")
    assert sweep().inserted == 1


def test_batches_are_bounded_and_each_is_committed(put: Put, sweep: Sweep, query: Query) -> None:
    """After a long outage, a sweep loads the files in several merges."""
    for number in range(5):
        put(delete(f"e{number}a"), delete(f"e{number}b"))
    report = sweep(MAX_MERGE_ROWS="4")
    assert (report.batches, report.inserted, len(report.synced)) == (3, 10, 5)
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(10,)]


def test_the_number_of_statements_does_not_grow_with_the_rows(
    put: Put, sweep: Sweep, snowflake: emulators.Server
) -> None:
    """A hundred times as many rows need the same number of statements."""

    def statements(through: Proxy) -> int:
        return sum("query-request" in request.path for request in through.seen)

    put(delete("warm-up"))
    sweep()
    counts = []
    for size in (10, 1000):
        put(*(delete(f"{size}-{number}") for number in range(size)))
        with proxy(snowflake.port) as through:
            assert sweep(SNOWFLAKE_PORT=str(through.port)).inserted == size
            counts.append(statements(through))
    assert counts[0] == counts[1]


def test_the_next_sweep_retries_if_snowflake_does_not_answer(put: Put, sweep: Sweep) -> None:
    """The sweep tries to log in three times, and then raises a transient error."""
    put(delete("e1"))
    with pytest.raises(WarehouseUnavailableError):
        sweep(SNOWFLAKE_PORT=str(emulators.free_port()), MAX_RUN_SECONDS="10")
    assert sweep().inserted == 1


def test_no_payload_and_no_secret_is_logged(
    put: Put, sweep: Sweep, caplog: pytest.LogCaptureFixture, snowflake_settings: Mapping[str, str]
) -> None:
    """The log at the level that Azure shows contains neither."""
    caplog.set_level(logging.INFO)
    put(delete("e1", payload='{"secret":"do not tell"}'))
    sweep()
    assert "do not tell" not in caplog.text
    assert "AccountKey" not in caplog.text


def test_settings_are_checked_before_the_sweep_begins() -> None:
    """Missing settings raise an error before anything is read or written."""
    with pytest.raises(SettingsError):
        run({})
