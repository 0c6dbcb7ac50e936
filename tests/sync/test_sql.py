"""The statements of a sweep: a snapshot for the review, and a check of Snowflake's grammar."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

from delete_sync.src.warehouse.load import WINDOW
from delete_sync.src.warehouse.session import SQL
from delete_sync.src.warehouse.tables import Identifier, names_beside

SNAPSHOT = Path(__file__).with_name("statements.sql")
PARTS = {
    "files": "%s",
    "path": "sweep/batch",
    "keys": "(%s, %s)",
    "rows": "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
}


def rendered(statement: str) -> str:
    parts = {**PARTS, "files": "file:///tmp/rows_*.gz"} if statement == "put" else PARTS
    parts = {**parts, "window": WINDOW, "last_id": "41"}
    return SQL[statement].format(**names_beside(Identifier("DELETE_TRACKER")), **parts)


def test_the_statements_are_the_reviewed_ones() -> None:
    """The diff of ``statements.sql`` shows every change.

    To accept a change, delete that file and run this test once.
    """
    text = (
        "\n\n".join(f"-- {statement}\n{rendered(statement)};" for statement in sorted(SQL)) + "\n"
    )
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(text)
        pytest.fail(f"wrote {SNAPSHOT.name}: review it and run the test again")
    assert SNAPSHOT.read_text() == text


@pytest.mark.parametrize("statement", sorted(SQL))
def test_every_statement_parses_in_the_snowflake_dialect(statement: str) -> None:
    """The parser sqlglot knows every statement. It returns an unknown one as a bare command."""
    (tree,) = sqlglot.parse(rendered(statement).replace("%s", "'x'"), dialect="snowflake")
    assert tree is not None
    assert not isinstance(tree, sqlglot.exp.Command)


def test_delete_tracker_is_created_as_the_spec_says() -> None:
    """The table has the columns, types and constraints of the spec, and ``id`` numbers itself."""
    assert " ".join(SQL["create_table"].split()) == (
        "CREATE TABLE IF NOT EXISTS {table} ( "
        "id INTEGER AUTOINCREMENT PRIMARY KEY, event_id VARCHAR(255) UNIQUE, "
        "topic VARCHAR(255), object_name VARCHAR(255), record_id VARCHAR(255), "
        "deleted_by VARCHAR(255), deleted_date TIMESTAMP_NTZ, owner_id VARCHAR(255), "
        "payload VARIANT, ingested_at TIMESTAMP_NTZ )"
    )


def test_the_two_merges_differ_only_in_the_id() -> None:
    """``merge_numbered`` is for a table whose ``id`` does not number itself."""
    without = SQL["merge_numbered"]
    for part in (
        "{last_id} + ROW_NUMBER() OVER (ORDER BY v:event_id::VARCHAR) AS id,\n        ",
        "id, ",
        "s.id, ",
    ):
        assert part in without
        without = without.replace(part, "", 1)
    assert without == SQL["merge"]
