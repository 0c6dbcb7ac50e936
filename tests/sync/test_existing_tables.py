"""Tables that somebody else has made: what the sync does with them, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local import emulators, warehouse
from local.event_files import delete
from local.proxy import Proxy, proxy

from delete_sync.src.errors import TableError, WarehouseRefusedError
from delete_sync.src.report import Report

BY_HAND = f"CREATE TABLE delete_tracker {warehouse.COLUMNS.format(id='INTEGER PRIMARY KEY')}"
PLAIN = warehouse.COLUMNS.format(id="INTEGER AUTOINCREMENT")
REPLACE = "CREATE OR REPLACE TABLE delete_tracker "
TOO_SHORT = REPLACE + PLAIN.replace("deleted_by VARCHAR(255)", "deleted_by VARCHAR(15)")
NOT_NULL = REPLACE + PLAIN.replace("owner_id VARCHAR(255)", "owner_id VARCHAR(255) NOT NULL")
OF_OTHERS = REPLACE + PLAIN.replace("owner_id", "batch INTEGER NOT NULL, owner_id")
MEND = re.compile(r"run(?:, as the owner of the table)?: (.*?)(?: – |$)", re.MULTILINE)
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


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
    "change",
    [
        "ALTER TABLE delete_tracker DROP COLUMN owner_id",
        "CREATE OR REPLACE TABLE delete_tracker (id INTEGER, event_id INTEGER)",
        TOO_SHORT,
        OF_OTHERS,
        NOT_NULL,
        "CREATE OR REPLACE TABLE delete_tracker_gaps (gap_id VARCHAR(64))",
        "DELETE FROM delete_tracker_lock",
        "INSERT INTO delete_tracker_lock SELECT * FROM delete_tracker_lock",
    ],
)
def test_the_error_about_a_wrong_table_has_the_statements_that_mend_it(
    put: Put, sweep: Sweep, query: Query, change: str
) -> None:
    """The sweep fails before it loads or refuses anything. After the statements it loads the file.

    The row has a NULL and a text of 18 characters.
    """
    first = put("e0")
    sweep()
    query(change)
    put(delete("e1", owner_id=None, deleted_by="005000000000001AAA"))
    with pytest.raises(TableError) as raised:
        sweep()
    assert query("SELECT MAX(event_file) FROM delete_tracker_loads") == [(first,)]
    mend = re.findall(
        r"run(?:, as the owner of the table)?: (.*?)(?: – |$)", str(raised.value), re.M
    )
    assert mend
    for statement in mend:
        query(statement)
    report = sweep()
    report.raise_if_failed()
    assert query("SELECT COUNT(*) FROM delete_tracker WHERE event_id = 'e1'") == [(1,)]


def test_a_column_that_someone_else_added_is_ignored(put: Put, sweep: Sweep, query: Query) -> None:
    """An analyst may add a column to the table."""
    query(f"CREATE TABLE delete_tracker {PLAIN}")
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
