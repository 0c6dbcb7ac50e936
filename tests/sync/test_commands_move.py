"""The operator's command move: another schema or table gets all rows, and nothing comes back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import ContainerClient
from local.account import Account
from local.command_line import Done, sync_command, sync_started
from local.crashes import statement, through_warehouse, until_ended
from local.emulators import Server
from local.event_files import check, delete, listed, poll, restore

from .conftest import PASSWORD, Place, Put
from .test_commands import DAMAGED, WHY, gap, reject

pytestmark = pytest.mark.views
LONG, ERASED = "0015f00000AbCdEAAV", "0015f00000XxXxXAAV"
PARTS = (
    *("", "_loads", "_gaps", "_rejects", "_polls", "_restores", "_checks", "_listed", "_erased"),
    "_acknowledged",
)
# These columns say where and when a row was loaded, or number it. A move may change them.
OWN = {"ID", "SWEEP_ID", "TOKEN", "LOADED_AT"}

COPY = 'INSERT INTO "DELETE_TRACKER_{}" (\n'  # a look for the right to insert has no line break


class Moved:
    """An old target with rows of all kinds, and a new one that is empty.

    The first event file is gone. Its deletes, companions and load record are in the tables only.
    """

    def __init__(self, place: Place, put: Put, events: ContainerClient) -> None:
        self.place, self.new = place, place.beside()
        self.origin = f"audit.{place.schema}.delete_tracker"
        now = datetime.now(timezone.utc)
        self.gone = put(
            delete("e1", record_id=LONG),
            restore("r1", record_id=LONG),
            poll(objects='["Account"]'),
            gap("g-lost", now - timedelta(days=40)),
            reject("x-1"),
        )
        self.kept = put(delete("e2"), delete("e3", record_id=ERASED))
        put(check(), listed(record_id=LONG))
        self.refused = put(content=DAMAGED)
        assert self.old("sweep", "--yes").code == 4
        assert self.old("acknowledge", "x-1", "--why", WHY, "--yes").code == 0
        place.run(
            f"INSERT INTO delete_tracker_erased (record_sha256, rows_removed)"
            f" SELECT SHA2('{ERASED}', 256), 1;"
            f"DELETE FROM delete_tracker WHERE record_id = '{ERASED}'"
        )
        events.delete_blob(self.gone)
        events.delete_blob(self.refused)

    def old(self, *arguments: str) -> Done:
        """Run a command against the old target."""
        return sync_command(self.place.settings, *arguments)

    def move(self, *arguments: str, **changes: str) -> Done:
        """Run the command, with these changes of the settings."""
        return sync_command({**self.new, **changes}, "move", "--from", self.origin, *arguments)

    def content(self, schema: str) -> dict[str, list[tuple[object, ...]]]:
        """All rows of a target, less what a move may change."""
        found = {}
        for part in PARTS:
            name = f"DELETE_TRACKER{part.upper()}"
            columns = [
                column
                for (column,) in self.place.rows(
                    "SELECT column_name FROM audit.information_schema.columns"
                    f" WHERE table_schema = '{schema}' AND table_name = '{name}'"
                    " ORDER BY ordinal_position"
                )
                if column not in OWN
            ]
            rows = self.place.rows(f"SELECT {', '.join(columns)} FROM audit.{schema}.{name}")
            found[part] = sorted(rows, key=repr)
        return found


@pytest.fixture
def moved(place: Place, put: Put, events: ContainerClient) -> Moved:
    return Moved(place, put, events)


def test_everything_is_in_the_new_target_and_nothing_erased_comes_back(moved: Moved) -> None:
    """The rows, the load records, what was acknowledged, and the verdicts are the same."""
    schema = moved.place.schema
    before = moved.content(schema)
    call = moved.move("--yes", "--json")
    assert call.code == 0, call.text
    assert (call.json["gone"], call.json["differ"]) == ([moved.gone, moved.refused], [])
    assert (call.json["copied"]["erased"], call.json["copied"]["table"]) == (1, 2)
    assert call.json["sweep"]["figures"]["inserted"] == 0
    assert call.json["sweep"]["figures"]["gone"] == 2
    assert {one["unmoved"] for one in call.json["tables"]} == {0}
    assert moved.content(f"{schema}_NEW") == moved.content(schema) == before
    assert PASSWORD not in call.text
    doctor = sync_command(moved.new, "doctor", "--yes")
    assert "0 failure" in doctor.out, doctor.out
    swept = sync_command(moved.new, "sweep", "--yes", "--json")
    assert (swept.code, swept.json["synced"]) == (0, [])


def test_without_consent_the_command_tells_what_it_will_do(moved: Moved) -> None:
    """It is a dry run: no row is copied, and no file is loaded."""
    before = moved.content(f"{moved.place.schema}_NEW")
    call = moved.move()
    assert call.code == 2
    assert f"from AUDIT.{moved.place.schema}.DELETE_TRACKER to AUDIT." in call.out
    told = [line.split() for line in call.out.splitlines()]
    assert ["DELETE_TRACKER_ERASED", "1", "0", "1"] in told
    assert ["DELETE_TRACKER", "2", "0", "2"] in told
    assert "event files that are gone: 2, so their rows are only copied" in call.out
    assert "Copy the rows that are missing in AUDIT." in call.err
    assert "Nothing was changed: add --yes to allow it." in call.err
    assert moved.content(f"{moved.place.schema}_NEW") == before


def test_files_that_the_old_target_has_not_loaded_are_loaded(moved: Moved, put: Put) -> None:
    """A pending file needs no copy. The views of the two targets then differ, which is told."""
    put(delete("e9"), gap("g-new", datetime.now(timezone.utc)))
    call = moved.move("--yes", "--json")
    assert call.code == 1, call.text
    assert call.json["differ"] == ["open reasons: only in the new target: gap g-new open"]
    assert call.json["sweep"]["figures"]["inserted"] == 1


def test_a_lost_row_comes_back_from_its_file_and_one_of_an_erased_record_is_left(
    moved: Moved,
) -> None:
    """The copied load records do not hide the file from the full sweep."""
    moved.place.run(
        "DELETE FROM delete_tracker WHERE event_id = 'e2';"
        f"INSERT INTO delete_tracker (event_id, record_id) SELECT 'e4', '{ERASED}'"
    )
    call = moved.move("--yes", "--json")
    assert (call.json["copied"]["table"], call.json["sweep"]["figures"]["inserted"]) == (1, 1)
    keys = {row[0] for row in moved.content(f"{moved.place.schema}_NEW")[""]}
    assert keys == {"e1", "e2"}
    assert {one["unmoved"] for one in call.json["tables"]} == {0}
    assert call.code == 1  # the verdict of its day is another one now
    assert {one.partition(":")[0] for one in call.json["differ"]} == {"verdicts"}


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ("silent", COPY.format("ERASED")),
        ("error", COPY.format("LOADS")),
        ("silent", "COMMIT"),
    ],
)
def test_a_transaction_that_is_ended_from_outside_is_tried_again(
    moved: Moved, snowflake: Server, reading: str, words: str
) -> None:
    """No row is there twice, and none is missing."""
    account = Account(snowflake, f"{moved.place.schema}_NEW")
    account.set(reading=reading)
    account.fault("abort", words)
    call = moved.move("--yes", "--json")
    assert call.code == 0, call.text
    assert account.happened() == {"abort": 1}
    assert moved.content(f"{moved.place.schema}_NEW") == moved.content(moved.place.schema)


def test_a_move_that_failed_can_be_run_again(moved: Moved, snowflake: Server) -> None:
    """Before COMMIT nothing is there, and after it no row is copied again."""
    account = Account(snowflake, f"{moved.place.schema}_NEW")
    empty = moved.content(f"{moved.place.schema}_NEW")
    account.fault("refuse", COPY.format("LISTED"), times=3)
    call = moved.move("--yes")
    assert call.code == 3, call.text
    assert moved.content(f"{moved.place.schema}_NEW") == empty
    account.fault("refuse", "v:kind::VARCHAR = 'delete'", times=3)  # of the sweep
    assert moved.move("--yes").code == 3
    call = moved.move("--yes", "--json")
    assert call.code == 0, call.text
    assert set(call.json["copied"].values()) == {0}
    assert moved.content(f"{moved.place.schema}_NEW") == moved.content(moved.place.schema)


@pytest.mark.parametrize(
    ("words", "is_copied"), [(COPY.format("LISTED"), False), ("v:kind::VARCHAR = 'delete'", True)]
)
def test_a_move_that_was_killed_can_be_run_again(
    moved: Moved, snowflake: Server, words: str, is_copied: bool
) -> None:
    """In the middle of the copy, or of the sweep after it. Every row is there once."""
    Account(snowflake, f"{moved.place.schema}_NEW").set(idle_seconds=0.2)
    until_ended(
        lambda changes: sync_started(
            {**moved.new, **changes}, "move", "--from", moved.origin, "--yes"
        ),
        snowflake,
        through_warehouse,
        statement(json.dumps(words)[1:-1]),  # as it is in the request
    )
    assert any(moved.content(f"{moved.place.schema}_NEW").values()) == is_copied
    call = moved.move("--yes", "--json")
    assert call.code == 0, call.text
    assert (call.json["copied"]["table"], call.json["differ"]) == (0 if is_copied else 2, [])
    assert moved.content(f"{moved.place.schema}_NEW") == moved.content(moved.place.schema)


def test_a_role_that_may_not_copy_is_told_so(moved: Moved) -> None:
    """The loader may not insert into the table of erased records, so nothing is copied."""
    call = moved.move("--yes", SNOWFLAKE_ROLE=f"delete_sync_loader_{moved.place.schema}")
    assert call.code == 4
    assert "DELETE_TRACKER_ERASED" in call.err
    assert "error 3001" in call.err
    assert not any(moved.content(f"{moved.place.schema}_NEW").values())


@pytest.mark.parametrize(
    ("origin", "code", "says"),
    [
        ("a.b.c.d", 2, "a.b.c.d is no table: write DATABASE.SCHEMA.TABLE"),
        ("delete_tracker", 2, "which --from names too. Nothing was changed: set SNOWFLAKE"),
        ("other", 4, "table OTHER_LOADS: it does not exist, or the role has no right on it;"),
        ("nowhere.delete_tracker", 4, "check SNOWFLAKE_SCHEMA, and GRANT USAGE ON SCHEMA NOWHERE"),
    ],
)
def test_an_old_target_that_cannot_be_used_is_told(
    place: Place, origin: str, code: int, says: str
) -> None:
    call = sync_command(place.settings, "move", "--from", origin, "--yes")
    assert call.code == code
    assert says in call.err
    assert "Nothing was changed" in call.err or code == 2


def test_a_new_target_that_was_not_set_up_is_told(place: Place) -> None:
    """The command makes no table itself."""
    other = {**place.settings, "SNOWFLAKE_TABLE": "other"}
    call = sync_command(other, "move", "--from", "delete_tracker", "--yes")
    assert call.code == 4
    assert "Nothing was changed. Correct this first:" in call.err
    assert "tables: none exists, or the role has no right on any; run 1_tables.sql" in call.err
