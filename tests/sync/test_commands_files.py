"""The operator's commands of the sync that look into event files: show and find."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from local.command_line import sync_command
from local.emulators import AZURITE_KEY
from local.environments import REPOSITORY
from local.event_files import check, delete, listed, restore

from delete_sync.src.event_files.contents import TABLES, Contents
from delete_sync.src.event_files.file_format import FORMATS
from salesforce_client.src.app.model.rows import RejectedEvent

from .conftest import PASSWORD, Place, Put

BROKEN = sorted((REPOSITORY / "tests/contract/broken").glob("*.db"))
GOLDEN = sorted((REPOSITORY / "tests/contract/golden").glob("*.db"))
SHORT, LONG = "0015f00000AbCdE", "0015f00000AbCdEAAV"
OTHER = "0015f00000XxXxXAAV"
# These are no databases, or SQLite cannot read their list of tables.
WITHOUT_TABLES = {"empty", "header_only", "not_sqlite", "half", "v1_half", "scrambled_pages"}


def names(container: ContainerClient) -> list[tuple[str, str]]:
    return [(blob.name, blob.etag) for blob in container.list_blobs()]


# -- show


def test_a_loaded_file_is_shown_with_its_rows(
    place: Place, put: Put, events: ContainerClient
) -> None:
    """Its tables, its format and what the load record says. Nothing is changed."""
    name = put("e1", "e2", restore("r1"))
    sync_command(place.settings, "sweep", "--yes")
    before = names(events), place.rows("SELECT * FROM delete_tracker_loads")
    call = sync_command(place.settings, "show", name, "--json")
    assert call.code == 0, call.text
    assert (call.json["state"], call.json["format"], call.json["refusal"]) == ("loaded", 2, None)
    assert call.json["sha256"] == call.json["sha256_in_metadata"]
    assert {it: one["count"] for it, one in call.json["tables"].items() if one["count"]} == {
        "events": 2,
        "restores": 1,
    }
    row = call.json["tables"]["events"]["rows"][0]
    assert (row["event_id"], row["replay_id"], row["payload"]) == ("e1", "01", "{}")
    assert (names(events), place.rows("SELECT * FROM delete_tracker_loads")) == before
    shown = sync_command(place.settings, "show", name, "--rows", "1").out
    assert "the first 1 of 2 rows of events:" in shown
    assert "e2" not in shown
    for secret in (AZURITE_KEY, PASSWORD):
        assert secret not in call.text + shown


def test_a_refused_file_is_shown_with_the_reason(place: Place, put: Put) -> None:
    """The file has a newer format. What this version can read is shown."""
    content = (REPOSITORY / "tests/contract/broken/newer_version.db").read_bytes()
    name = put(content=content)
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "show", name, "--json")
    assert call.code == 1
    assert (call.json["state"], call.json["format"]) == ("refused", 3)
    assert "is newer than this reader's 2" in call.json["refusal"]
    assert call.json["load_records"][0]["error"] == call.json["refusal"]
    assert call.json["tables"]["events"]["count"] > 0


def test_a_file_that_does_not_match_its_metadata_is_shown(
    place: Place, put: Put, events: ContainerClient
) -> None:
    name = put("e1")
    events.get_blob_client(name).set_blob_metadata({"sha256": "0" * 64})
    call = sync_command(place.settings, "show", name, "--json")
    assert call.code == 1
    assert "does not match the SHA-256 in its metadata" in call.json["refusal"]
    assert call.json["tables"]["events"]["rows"][0]["event_id"] == "e1"


def test_a_file_is_shown_without_snowflake(place: Place, put: Put) -> None:
    """Only its state is not known then."""
    name = put("e1")
    other = {**place.settings, "SNOWFLAKE_ROLE": "NO_SUCH_ROLE"}
    call = sync_command(other, "show", name, "--json")
    assert call.code == 0
    assert (call.json["state"], call.json["tables"]["events"]["count"]) == ("unknown", 1)
    assert "the load records cannot be read: WarehouseRefusedError" in call.err


@pytest.mark.parametrize("path", [*GOLDEN, *BROKEN], ids=lambda path: path.stem)
def test_a_file_on_this_machine_is_shown(
    path: Path, blob_settings: dict[str, str], snowflake_settings: dict[str, str]
) -> None:
    """Golden files in full, and broken ones with the reason. None of them ends the command."""
    call = sync_command({**blob_settings, **snowflake_settings}, "show", str(path), "--json")
    if path in GOLDEN:
        assert call.code == 0
        connection = sqlite3.connect(path)
        for table, shown in call.json["tables"].items():
            (count,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
            assert shown["count"] == count
            assert len(shown["rows"]) == min(count, 5)
        connection.close()
    else:
        assert call.code == 1
        assert call.json["refusal"]
        assert bool(call.json["tables"]) == (path.stem not in WITHOUT_TABLES)
        assert call.json["tables"] or call.json["unreadable"] or call.json["format"] is None


def test_every_table_of_every_format_can_be_searched() -> None:
    """A new table or column needs an entry."""
    found: dict[str, set[str]] = {}
    for ddl in FORMATS.values():
        connection = sqlite3.connect(":memory:")
        connection.executescript(ddl)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            found[table] = found.get(table, set()) | columns
        connection.close()
    assert set(found) == set(TABLES)
    for table, ours in TABLES.items():
        assert {it for it in ours if it} <= found[table]
        assert bool(ours.record_id) == ("record_id" in found[table])


def test_a_file_runs_nothing_of_its_own(tmp_path: Path) -> None:
    """Neither a view nor a virtual table of the name of one of ours is read."""
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIEW events AS SELECT 1 AS event_id")
    connection.execute("CREATE VIRTUAL TABLE gaps USING fts5(gap_id)")
    connection.execute("CREATE TABLE polls (poll_id TEXT)")
    connection.commit()
    connection.close()
    with Contents(path, path.name, "0") as contents:
        assert contents.tables() == ["polls"]
        assert contents.refusal


def test_what_a_terminal_would_obey_is_replaced(place: Place, put: Put) -> None:
    name = put(delete("e1", object_name="A\x1b[31m\nB"))
    shown = sync_command(place.settings, "show", name).out
    assert "\x1b" not in shown
    assert "A?[31m B" in shown


@pytest.mark.parametrize("name", ["events_20990101T000000Z.db", "no-such-file"])
def test_a_file_that_is_not_there_is_a_problem_of_usage(place: Place, put: Put, name: str) -> None:
    put("e1")
    assert sync_command(place.settings, "show", name).code == 2


# -- find


def test_a_record_is_found_in_files_and_tables(
    place: Place, put: Put, events: ContainerClient
) -> None:
    """Also in files that are pending or refused, and by its id of 15 characters."""
    first = put(delete("e1", record_id=LONG), delete("e2", record_id=OTHER))
    checked = put(check(), listed(record_id=LONG), restore("r1", record_id=LONG))
    sync_command(place.settings, "sweep", "--yes")
    pending = put(delete("e3", record_id=SHORT))
    newer = (REPOSITORY / "tests/contract/broken/newer_version.db").read_bytes()
    put(content=newer)
    before = names(events)
    for identifier in (LONG, SHORT):
        call = sync_command(place.settings, "find", "--record", identifier, "--json")
        assert call.code == 0, call.text
        assert [
            (it["event_file"], it["state"], it["table"], it["id"]) for it in call.json["rows"]
        ] == [
            (first, "loaded", "events", "e1"),
            (checked, "loaded", "restores", "r1"),
            (checked, "loaded", "listed_deletes", "c1"),
            (pending, "pending", "events", "e3"),
        ]
        assert [(it["what"], it["id"]) for it in call.json["tables"]] == [
            ("delete", "e1"),
            ("listed delete", "c1"),
            ("restore", "r1"),
        ]
        assert call.json["tables"][1]["event_file"] == checked
        assert call.json["erased_at"] is None
    assert names(events) == before
    shown = sync_command(place.settings, "find", "--record", LONG).out
    assert "4 row(s) in 3 of 4 event files, 3 in the tables" in shown


def test_a_refused_file_is_searched_too(place: Place, put: Put, tmp_path: Path) -> None:
    newer = REPOSITORY / "tests/contract/broken/newer_version.db"
    connection = sqlite3.connect(newer)
    ((record, key),) = connection.execute(
        "SELECT record_id, event_id FROM events WHERE length(record_id) = 18 LIMIT 1"
    ).fetchall()
    connection.close()
    name = put(content=newer.read_bytes())
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "find", "--record", record, "--json")
    assert (name, "refused", key) in {
        (it["event_file"], it["state"], it["id"]) for it in call.json["rows"]
    }


def test_it_is_told_when_a_records_data_were_erased(place: Place, put: Put) -> None:
    put(delete("e1", record_id=OTHER))
    place.run(
        "INSERT INTO delete_tracker_erased (record_sha256, erased_at)"
        f" SELECT SHA2('{LONG}', 256), '2026-02-03 04:05:06'::TIMESTAMP_NTZ"
    )
    call = sync_command(place.settings, "find", "--record", LONG, "--json")
    assert call.json["erased_at"] == "2026-02-03T04:05:06Z"
    assert call.code == 1  # nothing was found
    shown = sync_command(place.settings, "find", "--record", LONG).out
    assert "the data of this record were erased at 2026-02-03T04:05:06Z" in shown


def test_rows_of_a_time_are_found(place: Place, put: Put) -> None:
    """From the first time on, until before the second one, in every table."""
    rejected = RejectedEvent("r-1", "t", "e", b"\1", "s", b"", "x", "2026-02-02T00:00:00.000Z")
    name = put(
        delete("e1", deleted_date="2026-02-01T00:00:00.000Z"),
        delete("e2", deleted_date="2026-02-01T12:00:00.000Z"),
        delete("e3", deleted_date="2026-02-02T00:00:00.000Z"),
        rejected,
    )

    def found(begin: str, end: str) -> list[str]:
        call = sync_command(place.settings, "find", "--between", begin, end, "--json")
        assert {it["event_file"] for it in call.json["rows"]} <= {name}
        return [it["id"] for it in call.json["rows"]]

    assert found("2026-02-01", "2026-02-02") == ["e1", "e2"]
    assert found("2026-02-01T12:00:00Z", "2026-02-03") == ["e2", "e3", "r-1"]
    assert found("2026-02-01T13:00:00+01:00", "2026-02-01T13:00:01+01:00") == ["e2"]
    assert found("2026-03-01", "2026-03-02") == []  # no file of that time, and none is read


def test_a_file_that_cannot_be_read_is_named(place: Place, put: Put) -> None:
    """The answer is then not complete, which the exit code tells."""
    put(delete("e1", record_id=LONG))
    bad = put(content=b"not an event file")
    call = sync_command(place.settings, "find", "--record", LONG, "--json")
    assert call.code == 1
    assert call.json["unreadable"] == {bad: "it is not a SQLite file"}
    assert [it["id"] for it in call.json["rows"]] == ["e1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--record", "001"], "001 is no record id of 15 or 18 characters"),
        (["--record", "0015f00000AbCd*"], "is no record id"),
        (["--record", f"{SHORT}AA"], "is no record id"),
        (["--between", "yesterday", "2026-02-01"], "yesterday is no date or time"),
        (["--between", "2026-02-02", "2026-02-01"], "is not before"),
        (["--between", "2026-02-01"], ""),
        (["--between", "2026-02-01", "2026-02-02", "--record", LONG], ""),
    ],
)
def test_what_cannot_be_looked_for_is_a_problem_of_usage(
    place: Place, arguments: list[str], says: str
) -> None:
    call = sync_command(place.settings, "find", *arguments)
    assert call.code == 2
    assert says in call.err
