"""The set-up files for Snowflake are run, and a sweep and a reader live with their grants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest
from local import apps
from local.account import Account

from .conftest import Connect, Session

SQL = Path(__file__).resolve().parent.parent.parent / "docs/setup/snowflake"
FILES = ("1_tables.sql", "2_access.sql", "3_views.sql")
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


def statements(name: str, schema: str) -> Iterator[str]:
    """The statements of a file, in the test's own schema and with names of its own for roles."""
    text = re.sub(r"^\s*--.*$", "", (SQL / name).read_text(), flags=re.MULTILINE)
    for old, new in (
        (r"\baudit\.salesforce\b", f"audit.{schema}"),
        (r'"<analysts>"', f"analysts_{schema}"),
        (
            r"\b(delete_sync_loader|delete_tracker_reader|delete_sync_svc|delete_sync_wh)\b",
            rf"\1_{schema}",
        ),
    ):
        text = re.sub(old, new, text)
    yield from (one.strip() for one in text.split(";") if one.strip())


@pytest.fixture
def set_up(connect: Connect, schema: str) -> Session:
    """An administrator's session that has run all files."""
    administrator: Session = connect()
    administrator(f"CREATE ROLE analysts_{schema}")
    for name in FILES:
        for statement in statements(name, schema):
            administrator(statement)
    return administrator


def test_a_sweep_and_a_reader_need_no_more_than_the_grants_of_the_set_up(
    set_up: Session, connect: Connect, settings: Mapping[str, str], schema: str, account: Account
) -> None:
    """The sweep begins with the default role of its user, and no statement of it is refused."""
    polled = apps.poll({**settings, "MOCK_NOW": NOW.isoformat()})
    assert polled.succeeded, polled.log
    account.forget_statements()
    user = {"SNOWFLAKE_USER": f"delete_sync_svc_{schema}", "SNOWFLAKE_WAREHOUSE": ""}
    warehouse = {"SNOWFLAKE_WAREHOUSE": f"delete_sync_wh_{schema}"}
    for full in ("false", "true"):
        swept = apps.sweep({**settings, **user, **warehouse, "FULL_SWEEP": full})
        assert swept.succeeded, swept.log
    sent = account.statements()
    assert {one.role for one in sent} == {f"DELETE_SYNC_LOADER_{schema}"}
    assert {one.outcome for one in sent} == {"ok"}
    assert set_up.one("SELECT COUNT(*) AS n FROM delete_tracker") > 0


def test_the_loader_may_not_change_a_row_of_the_table(
    set_up: Session, connect: Connect, schema: str
) -> None:
    """Nor may it make or drop anything."""
    loader = connect(user=f"delete_sync_svc_{schema}", warehouse=f"DELETE_SYNC_WH_{schema}")
    for statement in (
        "UPDATE delete_tracker SET topic = 'x'",
        "DELETE FROM delete_tracker",
        "TRUNCATE TABLE delete_tracker",
        "DROP TABLE delete_tracker",
        "ALTER TABLE delete_tracker ADD COLUMN x VARCHAR",
        "CREATE TABLE other (k INTEGER)",
        "CREATE OR REPLACE STAGE delete_tracker_stage",
    ):
        assert loader.refused(statement) == "003001"


def test_a_reader_sees_tables_and_views_and_writes_nothing(
    set_up: Session, connect: Connect, schema: str
) -> None:
    """Analysts have a warehouse of their own."""
    reader = f"delete_tracker_reader_{schema}"
    for statement in (
        "USE ROLE ACCOUNTADMIN",
        f"CREATE WAREHOUSE analysis_{schema}",
        f"GRANT USAGE ON WAREHOUSE analysis_{schema} TO ROLE {reader}",
    ):
        set_up(statement)
    session = connect(role=reader.upper(), warehouse=f"ANALYSIS_{schema}")
    views = [line.split()[4] for line in statements("3_views.sql", schema) if "VIEW" in line]
    assert len(views) >= 4
    for name in (*views, "delete_tracker", "delete_tracker_loads"):
        assert session(f"SELECT * FROM {name}") == []
    assert session.refused("INSERT INTO delete_tracker (topic) SELECT 'x' AS topic") == "003001"
    assert session.refused("SELECT * FROM delete_tracker_lock") == "002003"
