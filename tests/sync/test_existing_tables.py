"""Tables that somebody else has made: what the sync does with them, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local import emulators, warehouse
from local.proxy import Proxy, proxy

from delete_sync.src.errors import TableError, WarehouseRefusedError
from delete_sync.src.report import Report

BY_HAND = f"CREATE TABLE delete_tracker {warehouse.COLUMNS.format(id='INTEGER PRIMARY KEY')}"
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


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


