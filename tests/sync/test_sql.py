"""The statements of a sweep: a snapshot for the review, and a check of Snowflake's grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlglot

from delete_sync.src.warehouse.columns import Column, columns_of
from delete_sync.src.warehouse.companions import COMPANIONS, missing
from delete_sync.src.warehouse.erasure import records_to_erase
from delete_sync.src.warehouse.move import KEYS, clauses_of
from delete_sync.src.warehouse.names import Identifier, names_of
from delete_sync.src.warehouse.places import naming
from delete_sync.src.warehouse.session import FOLDER, SQL

ORIGIN = names_of(Identifier("DELETE_TRACKER"), Identifier("AUDIT"), Identifier("OLD"))
SNAPSHOT = Path(__file__).with_name("statements.sql")
NAMES = names_of(Identifier("DELETE_TRACKER"), Identifier("AUDIT"), Identifier("SALESFORCE"))
PARTS = {
    "path": "path",
    "files": "(%s)",
    "new": "(%s, %s)",
    "tables": "table_name = %s",
    "number": "41 + ROW_NUMBER() OVER (ORDER BY d.event_id) AS id,\n        ",
    "id": "id, ",
    "s_id": "s.id, ",
    "comparable": "(c.compared_at IS NOT NULL OR c.event_file <= %s)",
    "scope": "WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)\n",
    "probed": NAMES["gaps"],
    "column": "topic",
    "erasable": NAMES["listed"],
    "records": records_to_erase(NAMES),
    "condition": "r.id = %s",
    "key": "check_id",
    "own": naming("value", NAMES["listed"], "record_id"),
    "value": "NULL",
    "most": 10,
    "missing": missing(NAMES, {companion.figure: 1 for companion in COMPANIONS}),
}
# The comparison puts these texts into its statements, the first one into the second, and so on.
NESTED = ("relations", "statuses", "new_recovered")


def nested(parts: Mapping[str, object]) -> dict[str, str]:
    """The texts that the comparison puts into its statements."""
    texts = {"listed_once": SQL["listed_once"].format(**NAMES)}
    for name in NESTED:
        text = SQL[name].format(**NAMES, **parts, **texts)
        texts[name] = f"({text})" if name == "relations" else text
    return texts


def rendered() -> dict[str, str]:
    """Every statement as the sync sends it. One that several tables share is there for each."""
    found = {}
    shared = {"insert_companion", "missing", "copy_rows", "count_unmoved", "unmoved"}
    shared |= {"erased_in_either"}
    for name in sorted({file.stem for file in FOLDER.glob("*.sql")} - shared):
        parts = {**PARTS, "files": "file:///tmp/rows_*.gz"} if name == "put" else PARTS
        found[name] = SQL[name].format(**NAMES, **parts, **nested(parts))
    for companion in COMPANIONS:
        clauses = companion.clauses(NAMES)
        found[f"insert_{companion.part}"] = SQL["insert_companion"].format(**{**NAMES, **clauses})
    for part in KEYS:
        clauses = {**clauses_of(part, NAMES, ORIGIN), "id": "", "number": ""}
        found[f"copy_{part}"] = SQL["copy_rows"].format(**{**NAMES, **clauses})
        found[f"count_unmoved_{part}"] = SQL["count_unmoved"].format(**{**NAMES, **clauses})
    return dict(sorted(found.items()))


STATEMENTS = rendered()


def test_the_statements_are_the_reviewed_ones() -> None:
    """The diff of ``statements.sql`` shows every change.

    To accept a change, delete that file and run this test once.
    """
    text = "\n\n".join(f"-- {name}\n{sql};" for name, sql in STATEMENTS.items()) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(text)
        pytest.fail(f"wrote {SNAPSHOT.name}: review it and run the test again")
    assert SNAPSHOT.read_text() == text


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_statement_parses_in_the_snowflake_dialect(statement: str) -> None:
    """The parser sqlglot returns a statement that it does not know as a bare command.

    Of ours, that is only REMOVE. It takes LIST for a name.
    """
    (tree,) = sqlglot.parse(STATEMENTS[statement].replace("%s", "'x'"), dialect="snowflake")
    assert tree is not None
    assert isinstance(tree, sqlglot.exp.Command) == (statement in ("remove", "empty_stage"))


def test_delete_tracker_is_created_as_the_spec_says() -> None:
    """The table has the columns, types and constraints of the spec, and ``id`` numbers itself."""
    assert " ".join(SQL["create_table"].split()) == (
        "CREATE TABLE IF NOT EXISTS {table} ( "
        "id INTEGER AUTOINCREMENT PRIMARY KEY, event_id VARCHAR(255) UNIQUE, "
        "topic VARCHAR(255), object_name VARCHAR(255), record_id VARCHAR(255), "
        "deleted_by VARCHAR(255), deleted_date TIMESTAMP_NTZ, owner_id VARCHAR(255), "
        "payload VARIANT, ingested_at TIMESTAMP_NTZ )"
    )


GUARDED = (
    "merge",
    *(f"insert_{companion.part}" for companion in COMPANIONS),
    "insert_loads",
    "replace_loads",
    "insert_recovered",
    "set_compared",
    *(f"copy_{part}" for part in KEYS),
    # Those of the command erase.
    *("note_erased", "note_removed", "remove_own", "clear_column", "clear_payload"),
)


def test_every_statement_after_the_lock_needs_the_token_in_the_lock_row() -> None:
    """If the transaction was ended from outside, the row has another token, and nothing changes."""
    changing = {
        name
        for name, text in STATEMENTS.items()
        if text.startswith(("MERGE", "INSERT", "DELETE", "UPDATE"))
    }
    # The first two run before the transaction begins, and begin it. The others are of commands:
    # a person's note, and statements that find no row, whose right the doctor looks at.
    alone = {"drop_unwanted", "take_lock", "acknowledge"}
    probes = {"probe_insert", "probe_update", "probe_delete"}
    assert changing - alone - probes == set(GUARDED)
    for name in probes:
        assert STATEMENTS[name].endswith("WHERE FALSE")
    for name in GUARDED:
        # An UPDATE has no JOIN: its condition stands in WHERE.
        guard = r'(JOIN "\w+_LOCK" g ON|FROM "\w+_LOCK" g\nWHERE) g\.token = (%s|l\.token)'
        assert re.search(guard, STATEMENTS[name]), name


def test_no_statement_begins_a_transaction_or_changes_the_session() -> None:
    """AUTOCOMMIT is off from login to logout. Only the doctor switches secondary roles off."""
    words = {text.split()[0] for name, text in STATEMENTS.items() if name != "secondary_roles_off"}
    assert words == {
        *("SELECT", "WITH", "SHOW", "CREATE", "PUT", "COPY", "LIST", "REMOVE"),
        *("MERGE", "INSERT", "DELETE", "UPDATE"),
    }


REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"
OF_SNOWFLAKE = re.compile(r"\b(information_schema|account_usage)\.")
# What is read from a VARIANT is cast, and a cast has no collation.
ON_A_TEXT = re.compile(r"(?<!::VARCHAR )(?<!::VARCHAR NOT )\bIN\s*\(|\bI?LIKE\b|\bRLIKE\b|\bREGEXP")


def documented() -> dict[str, str]:
    """The statements of the set-up, the examples and the dashboard, by their places."""
    found = {}
    for path in sorted((DOCS / "setup/snowflake").rglob("*.sql")):
        for number, statement in enumerate(path.read_text().split(";"), 1):
            found[f"{path.name} {number}"] = re.sub("--.*", "", statement)
    for path in sorted((DOCS / "setup/snowflake").rglob("*.py")):
        found[path.name] = path.read_text()
    for path in (*sorted(DOCS.rglob("*.md")), *REPOSITORY.glob("*/README.md")):
        blocks = re.findall(r"```sql\n(.*?)```", path.read_text(), re.DOTALL)
        for number, block in enumerate(blocks):
            found[f"{path.relative_to(REPOSITORY)} {number}"] = re.sub("--.*", "", block)
    return found


def test_no_statement_uses_what_a_text_with_a_collation_does_not_support() -> None:
    """With DEFAULT_DDL_COLLATION, every text column of the tables has a collation.

    IN does not support one, and LIKE none with a language. Snowflake's own tables have none.
    Source: pages "[NOT] IN", "[NOT] LIKE" and "Collation support".
    """
    everything = {**STATEMENTS, **documented()}
    assert len(everything) > len(STATEMENTS) + 50
    wrong = {
        name
        for name, text in everything.items()
        if ON_A_TEXT.search(text) and not OF_SNOWFLAKE.search(text)
    }
    assert wrong == set()


def test_the_columns_of_a_table_are_read_from_the_statement_that_creates_it() -> None:
    """So the check of an existing table cannot differ from a new table."""
    assert columns_of("lock") == [
        Column("id", "INTEGER", 38),
        Column("token", "VARCHAR", 64),
        Column("previous", "VARCHAR", 64),
        Column("taken_at", "TIMESTAMP_NTZ", 0),
    ]
    assert [column.name for column in columns_of("table")] == [
        *("id", "event_id", "topic", "object_name", "record_id", "deleted_by", "deleted_date"),
        *("owner_id", "payload", "ingested_at"),
    ]
    assert Column("payload", "VARCHAR", 16_777_216) in columns_of("rejects")
