"""Tests the set-up files for Snowflake.

All files are parsed in Snowflake's dialect. Those of tables and views
are also run here. ``tests/stand_in/test_set_up.py`` runs the grants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local import apps, pages, warehouse
from local.warehouse import executable, run, statements
from sqlfluff.core import FluffConfig, Linter

from delete_sync.src.warehouse import inspection
from delete_sync.src.warehouse.names import Identifier, names_of
from delete_sync.src.warehouse.places import RIGHTS

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SQL = warehouse.SET_UP
NAMES = names_of(Identifier("delete_tracker"), Identifier("audit"), Identifier("salesforce"))
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


def plain(statement: str) -> str:
    """A statement without quotes, spaces and the difference of upper and lower case."""
    return re.sub(r'["\s]', "", statement).upper()


def test_the_tables_are_those_that_the_sync_would_make() -> None:
    """If a table differed, the sync would refuse it or load rows with another meaning."""
    snapshot = (REPOSITORY / "tests/sync/statements.sql").read_text()
    sent = re.findall(r"^-- (create_\w+)\n(.*?);\n", snapshot, re.MULTILINE | re.DOTALL)
    made = {
        plain(one)
        for one in statements("1_tables.sql")
        if not one.startswith(("USE ", "CREATE DATABASE", "CREATE SCHEMA"))
    }
    assert len(made) == 12
    assert made == {plain(one) for name, one in sent if name != "create_staging"}


def test_the_loader_has_the_rights_that_the_doctor_looks_at() -> None:
    """It can neither change nor remove a row of ``delete_tracker``."""
    grants = re.findall(
        r"GRANT ([A-Z, ]+) ON (\w+) (\S+)\s+TO ROLE delete_sync_loader",
        (SQL / "2_access.sql").read_text(),
    )
    rights = {
        (kind, name.rpartition(".")[2]): set()  # type: ignore[var-annotated]
        for _, kind, name in grants
    }
    for privileges, kind, name in grants:
        rights[kind, name.rpartition(".")[2]] |= set(privileges.split(", "))
    assert inspection.RIGHTS["table"] == ("SELECT", "INSERT")
    assert rights == {
        ("WAREHOUSE", "delete_sync_wh"): {"USAGE"},
        ("DATABASE", "audit"): {"USAGE"},
        ("SCHEMA", "salesforce"): {"USAGE"},
        **{
            ("TABLE", NAMES[part].name.lower()): set(needed)
            for part, needed in inspection.RIGHTS.items()
        },
        ("STAGE", "delete_tracker_stage"): {"READ", "WRITE"},
    }
    # The command status shows what the views say.
    views = re.findall(
        r"GRANT SELECT ON (\w+) VIEWS IN SCHEMA audit.salesforce TO ROLE delete_sync_loader",
        (SQL / "2_access.sql").read_text(),
    )
    assert views == ["ALL", "FUTURE"]


def test_the_eraser_has_the_rights_that_the_command_looks_at() -> None:
    """And no right to insert a delete, or to remove what is not of the person."""
    grants = re.findall(
        r"GRANT ([A-Z, ]+) ON (\w+) (\S+)\s+TO ROLE delete_tracker_eraser",
        (SQL / "2_access.sql").read_text(),
    )
    rights: dict[str, set[str]] = {}
    for privileges, _, name in grants:
        rights.setdefault(name.rpartition(".")[2], set()).update(privileges.split(", "))
    assert rights == {
        **{name: {"USAGE"} for name in ("delete_sync_wh", "audit", "salesforce")},
        "delete_tracker_stage": {"READ", "WRITE"},
        **{NAMES[part].name.lower(): set(needed) for part, needed in RIGHTS.items()},
    }


def test_the_tear_down_drops_each_role_user_warehouse_and_policy_of_the_set_up() -> None:
    """The schema takes its tables, views, stage and network rule with it."""
    kinds = "ROLE|USER|WAREHOUSE|NETWORK POLICY|SCHEMA"
    made = {
        found
        for path in SQL.glob("*.sql")
        for found in re.findall(
            rf"^CREATE ({kinds}) IF NOT EXISTS (\S+)", path.read_text(), re.MULTILINE
        )
    }
    assert len(made) > 5
    dropped = re.findall(
        rf"^DROP ({kinds}) IF EXISTS ([^\s;]+)", (SQL / "tear_down.sql").read_text(), re.MULTILINE
    )
    assert made <= set(dropped)


def test_the_page_tells_of_every_role_of_the_set_up() -> None:
    """A role without a row would be granted by nobody, or to too many."""
    made = {
        found
        for path in SQL.glob("*.sql")
        for found in re.findall(r"^CREATE ROLE IF NOT EXISTS (\w+)", path.read_text(), re.MULTILINE)
    }
    table = pages.rows(SQL / "README.md", "role", "who has it", "what it may do")
    assert {row[0].strip("`") for row in table} == made


def test_the_issuer_has_one_form() -> None:
    """Another form in a page would make the reader try both."""
    told = {
        found
        for path in (REPOSITORY / "docs").rglob("*")
        if path.suffix in (".md", ".sql", ".sh", ".bicep")
        for found in re.findall(
            r"https://(?:sts\.windows\.net|login\.microsoftonline\.com)/<[^']*", path.read_text()
        )
    }
    assert told == {"https://login.microsoftonline.com/<tenant id>/v2.0"}


def test_readers_see_every_table_but_two_and_old_and_new_views() -> None:
    """If the file runs again after ``3_views.sql``, the views that exist are granted too.

    Readers see neither the lock nor ``_erased``, from which somebody could guess whose data it was.
    """
    text = (SQL / "2_access.sql").read_text()
    grants = re.findall(r"GRANT SELECT ON (.*) TO ROLE delete_tracker_reader", text)
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", (SQL / "1_tables.sql").read_text())
    readable = {f"TABLE audit.salesforce.{name}" for name in tables if not name.endswith("_erased")}
    views = {f"{which} VIEWS IN SCHEMA audit.salesforce" for which in ("ALL", "FUTURE")}
    assert set(grants) == readable | views


def test_a_sweep_loads_the_tables_of_the_set_up_and_the_views_show_its_rows(
    settings: Mapping[str, str], connection: Any
) -> None:
    """After a poll and a sweep, the views and the monitoring queries show what was loaded."""
    for one in executable("1_tables.sql"):
        if "DATABASE" not in one and "SCHEMA" not in one:
            warehouse.query(connection, one)
    assert apps.poll(
        {**settings, "MOCK_NOW": NOW.isoformat(), "MOCK_FAULTS": "rare_changes,corrupt=9"}
    ).succeeded
    swept = apps.sweep(settings)
    assert swept.succeeded, swept.log
    run(connection, "3_views.sql")

    def count(what: str) -> int:
        return int(warehouse.query(connection, f"SELECT COUNT(*) FROM {what}")[1][0][0])

    wildcards = count("(SELECT 1 FROM delete_tracker WHERE record_id LIKE '%*')")
    assert count("delete_tracker_deletes") == count("delete_tracker") - wildcards
    assert count("delete_tracker_latest") == count(
        "(SELECT DISTINCT record_id FROM delete_tracker WHERE record_id NOT LIKE '%*')"
    )
    assert warehouse.query(connection, "SELECT SUM(deletes) FROM delete_tracker_daily")[1] == [
        (count("delete_tracker_deletes"),)
    ]
    told: dict[str, int] = dict(
        warehouse.query(
            connection, "SELECT what, COUNT(*) FROM delete_tracker_incomplete GROUP BY what"
        )[1]
    )
    assert told == {"gap": count("delete_tracker_gaps"), "reject": count("delete_tracker_rejects")}
    assert min(told.values()) > 0
    ((files, rows_inserted),) = warehouse.query(
        connection, "SELECT files, rows_inserted FROM delete_tracker_sweeps"
    )[1]
    assert (files, rows_inserted) == (1, count("delete_tracker"))
    answers = run(connection, "monitoring.sql")
    assert len(answers[0]) == 10
    assert sum(row[1] for row in answers[1]) == count("delete_tracker")
    assert answers[-1] == []


def test_the_monitoring_queries_count_a_delete_once_and_time_events_only(connection: Any) -> None:
    """Two topics tell of the first delete, 20 seconds after it. A check tells of the second one."""
    for one in executable("1_tables.sql"):
        if "DATABASE" not in one and "SCHEMA" not in one:
            warehouse.query(connection, one)
    run(connection, "3_views.sql")
    for number, topic, record, seconds in (
        *((1, "/data/AccountChangeEvent", "001A", 20), (2, "/event/Delete_Event__e", "001A", 20)),
        (3, "check", "001B", 86_400),
    ):
        warehouse.query(
            connection,
            "INSERT INTO delete_tracker "
            "(id, event_id, topic, object_name, record_id, deleted_date, ingested_at) "
            f"SELECT {number}, 'e{number}', '{topic}', 'Account', '{record}', "
            f"DATEADD('second', -{seconds}, SYSDATE()), SYSDATE()",
        )
    answers = run(connection, "monitoring.sql")
    assert sorted(row[1] for row in answers[3]) == [1, 1]
    ((_, deletes, average, longest),) = answers[8]
    assert (deletes, float(average), int(longest)) == (2, 20, 20)


@pytest.fixture
def replicated(connection: Any, snowflake_settings: Mapping[str, str]) -> Any:
    """A replica of Account. Two of its deleted records were restored, and one was merged.

    The replication has told of the restore of C, and the tracker of the restore of D.
    """
    for one in executable("1_tables.sql"):
        if "DATABASE" not in one and "SCHEMA" not in one:
            warehouse.query(connection, one)
    run(connection, "3_views.sql")
    warehouse.query(connection, "CREATE SCHEMA IF NOT EXISTS crm")
    # Creating a schema also changes to it.
    warehouse.query(connection, f"USE SCHEMA {snowflake_settings['SNOWFLAKE_SCHEMA']}")
    warehouse.query(
        connection,
        "CREATE OR REPLACE TABLE crm.account "
        "(id VARCHAR, name VARCHAR, system_modstamp TIMESTAMP_NTZ, deleted_at TIMESTAMP_NTZ)",
    )
    for row in (
        "('001A', 'kept', '2026-01-01', NULL)",
        "('001B', 'gone', '2026-01-01', NULL)",
        "('001C', 'back', '2026-03-01', NULL)",
        "('001D', 'back too', '2026-01-01', '2026-02-04')",
        "('001E', 'merged', '2026-01-01', NULL)",
    ):
        warehouse.query(connection, f"INSERT INTO crm.account VALUES {row}")
    for event, record in (
        *(("e1", "001B"), ("e2", "001C"), ("e3", "001B"), ("e4", "001D"), ("e5", "001E")),
    ):
        warehouse.query(
            connection,
            "INSERT INTO delete_tracker (id, event_id, object_name, record_id, deleted_date) "
            f"SELECT {int(event[1])}, '{event}', 'Account', '{record}', "
            f"'2026-02-0{event[1]}'::TIMESTAMP_NTZ",
        )
    warehouse.query(
        connection,
        "INSERT INTO delete_tracker_restores (record_id, restored_date) "
        "SELECT '001D', '2026-02-05'::TIMESTAMP_NTZ",
    )
    return connection


def check(connection: Any, *entries: str) -> None:
    """A check of Account after all deletes that has these entries: id, date, state and winner."""
    day = "'2026-02-01'::TIMESTAMP_NTZ, '2026-02-06'::TIMESTAMP_NTZ, '2026-02-07'::TIMESTAMP_NTZ"
    warehouse.query(
        connection,
        "INSERT INTO delete_tracker_checks (check_id, object_name, outcome, window_from, "
        "window_to, checked_at, compared_at) "
        f"SELECT 'c1', 'Account', 'listed', {day}, SYSDATE()",
    )
    for entry in entries:
        warehouse.query(
            connection,
            "INSERT INTO delete_tracker_listed (check_id, object_name, listed_by, record_id, "
            f"deleted_date, state, merged_into) SELECT 'c1', 'Account', 'both', {entry}",
        )


def recipes() -> list[str]:
    """The statements of ``apply_deletes.sql``: soft delete, two for restores, hard delete."""
    found = executable("apply_deletes.sql")
    return [one for one in found if not one.startswith("ALTER SESSION")]


def accounts(connection: Any) -> dict[str, datetime | None]:
    """The rows of the replica, and when each was deleted."""
    return dict(warehouse.query(connection, "SELECT id, deleted_at FROM crm.account")[1])


def test_soft_and_hard_deletes_can_be_applied_twice(replicated: Any) -> None:
    """Each recipe may run again, and the restored records stay."""
    soft, *restored, hard = recipes()
    assert len(restored) == 2
    for _ in range(2):
        for one in (soft, *restored):
            warehouse.query(replicated, one)
    assert accounts(replicated) == {
        **dict.fromkeys(("001A", "001C", "001D")),
        "001B": datetime(2026, 2, 3),
        "001E": datetime(2026, 2, 5),
    }
    for _ in range(2):
        warehouse.query(replicated, hard)
    assert sorted(accounts(replicated)) == ["001A", "001C", "001D"]


def test_for_an_object_with_checks_only_confirmed_deletes_are_applied(replicated: Any) -> None:
    """Here a check has found the record B in the recycle bin, and not the record E."""
    check(
        replicated,
        "'001B', '2026-02-03'::TIMESTAMP_NTZ, 'bin', NULL",
        "'001E', '2026-02-05'::TIMESTAMP_NTZ, 'unknown', NULL",
    )
    soft, *_, hard = recipes()
    warehouse.query(replicated, soft)
    marked = accounts(replicated)
    assert (marked["001B"], marked["001E"]) == (datetime(2026, 2, 3), None)
    warehouse.query(replicated, hard)
    assert sorted(accounts(replicated)) == ["001A", "001C", "001D", "001E"]


def test_a_record_of_which_nobody_knows_whether_it_is_deleted_is_left_alone(
    replicated: Any,
) -> None:
    before = accounts(replicated)
    warehouse.query(
        replicated,
        "CREATE OR REPLACE VIEW delete_tracker_latest AS SELECT 'Account' AS object_name, "
        "record_id, deleted_date, 'unknown' AS deleted_now, deleted_date AS restored_date, "
        "deleted_date AS confirmed_at FROM delete_tracker",
    )
    for one in recipes():
        warehouse.query(replicated, one)
    assert accounts(replicated) == before


def test_children_of_a_merged_record_can_be_pointed_at_the_record_that_is_left(
    replicated: Any,
) -> None:
    """The statement is a comment, because not everybody needs it.

    The merge of the record B is not confirmed, so its child stays.
    """
    check(
        replicated,
        "'001E', '2026-02-05'::TIMESTAMP_NTZ, 'bin', '001A'",
        "'001B', '2026-02-03'::TIMESTAMP_NTZ, 'unknown', '001A'",
    )
    text = (SQL / "apply_deletes.sql").read_text()
    (commented,) = re.findall(r"^-- (UPDATE crm\.contact.*?;)$", text, re.MULTILINE | re.DOTALL)
    warehouse.query(
        replicated, "CREATE OR REPLACE TABLE crm.contact (id VARCHAR, account_id VARCHAR)"
    )
    warehouse.query(
        replicated,
        "INSERT INTO crm.contact VALUES ('003A', '001E'), ('003B', '001B'), ('003C', '001C')",
    )
    for _ in range(2):
        warehouse.query(replicated, commented.replace("\n--", "\n").rstrip(";"))
    assert warehouse.query(replicated, "SELECT id, account_id FROM crm.contact ORDER BY id")[1] == [
        ("003A", "001A"),
        ("003B", "001B"),
        ("003C", "001C"),
    ]


def test_an_erased_record_stays_erased_when_the_event_file_is_read_again(
    settings: Mapping[str, str], connection: Any
) -> None:
    """Rows of other records that name it stay, without their payload.

    All changes are in one transaction, which takes the lock as those of a sweep do.
    """
    assert apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}).succeeded
    assert apps.sweep(settings).succeeded
    (_, first), (other, _) = warehouse.query(
        connection,
        "SELECT event_id, record_id FROM delete_tracker WHERE record_id IS NOT NULL"
        " ORDER BY record_id LIMIT 2",
    )[1]
    warehouse.query(
        connection,
        f"""UPDATE delete_tracker SET owner_id = '{first}', payload = PARSE_JSON(
            '{{"_tracker": {{"deleted_date_from": "x"}}, "ids": ["{first.upper()}"]}}'
        ) WHERE event_id = '{other}'""",
    )
    before = warehouse.query(connection, "SELECT COUNT(*) FROM delete_tracker")[1][0][0]
    lock = "SELECT token FROM delete_tracker_lock"
    (token,) = warehouse.query(connection, lock)[1]
    begun, *changes, committed, removed_files, check, _ = executable("erase.sql")
    assert (begun, committed) == ("BEGIN TRANSACTION", "COMMIT")
    assert changes[0].startswith("UPDATE delete_tracker_lock SET previous = token")
    assert removed_files.startswith("REMOVE ")
    for one in executable("erase.sql"):
        answer = warehouse.query(
            connection,
            one.replace("003000000000001AAA", first).replace(
                "'2026-02-01 00:00:00'", f"'{NOW:%Y-%m-%d} 12:00:00'"
            ),
        )[1]
    assert answer == warehouse.query(connection, "SELECT event_file FROM delete_tracker_loads")[1]
    assert warehouse.query(connection, check.replace("003000000000001AAA", first))[1] == [(1, 0)]
    previous = warehouse.query(connection, "SELECT previous, token FROM delete_tracker_lock")[1]
    assert previous[0][0] == token[0] != previous[0][1]
    assert apps.sweep({**settings, "FULL_SWEEP": "true"}).succeeded
    ((after, removed),) = warehouse.query(
        connection,
        "SELECT (SELECT COUNT(*) FROM delete_tracker),"
        " (SELECT SUM(rows_removed) FROM delete_tracker_erased)",
    )[1]
    assert (after + removed, removed >= 1) == (before, True)
    assert not warehouse.query(
        connection, f"SELECT 1 FROM delete_tracker WHERE record_id = '{first}'"
    )[1]
    assert warehouse.query(
        connection,
        "SELECT owner_id, payload:_tracker.deleted_date_from::VARCHAR, payload:ids::VARCHAR"
        f" FROM delete_tracker WHERE event_id = '{other}'",
    )[1] == [(None, "x", None)]


def slips(text: str) -> list[str]:
    """What sqlfluff's Snowflake dialect cannot parse, by line.

    It knows users, roles, grants and policies.
    """
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
    # The grammar does not know these statements yet.
    unknown = r"ALTER USER \w+ ADD PROGRAMMATIC ACCESS TOKEN|SHOW USER WORKLOAD IDENTITY"
    known = re.sub(rf"^(?:{unknown}) [^;]*;", "", text, flags=re.MULTILINE)
    return [
        f"line {error.line_no}: {error.desc()}" for error in linter.parse_string(known).violations
    ]


@pytest.mark.parametrize("path", sorted(SQL.glob("*.sql")), ids=lambda path: path.name)
def test_every_statement_is_valid_in_snowflakes_dialect(path: Path) -> None:
    """Statements that the stand-in cannot run are parsed too."""
    assert slips(path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("5_network.sql", "MODE = INGRESS", "MOD = INGRESS"),
        ("2_access.sql", "GRANT SELECT, INSERT ON TABLE", "GRANT SELECT INSERT ON TABLE"),
        ("2_access.sql", "CREATE ROLE IF NOT EXISTS", "CREATE ROLE IF NOT EXIST"),
        ("3_views.sql", "QUALIFY ROW_NUMBER() OVER (", "QUALIFY ROW_NUMBER() OVER ("[:-1]),
        ("apply_deletes.sql", "WHEN MATCHED", "WHEN MATCH"),
        ("1_tables.sql", "event_id VARCHAR(255) UNIQUE,", "event_id VARCHAR(255) UNIQUE"),
    ],
)
def test_a_mistake_in_sql_is_found(file: str, right: str, wrong: str) -> None:
    """If the parser missed mistakes, the test above would prove nothing."""
    text = (SQL / file).read_text()
    assert right in text
    assert slips(text.replace(right, wrong, 1))
