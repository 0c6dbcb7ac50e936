"""The set-up files for Snowflake are run, and a sweep and a reader live with their grants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from local import apps
from local.account import Account
from local.command_line import sync_command

from .conftest import Connect, Session, statements

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


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


def test_a_reader_sees_tables_and_views_and_writes_nothing(reader: Session, schema: str) -> None:
    """Analysts see neither the lock nor whose data was erased."""
    views = [line.split()[4] for line in statements("3_views.sql", schema) if "VIEW" in line]
    assert len(views) >= 7
    for name in (*views, "delete_tracker", "delete_tracker_loads"):
        assert reader(f"SELECT * FROM {name}") == []
    assert reader.refused("INSERT INTO delete_tracker (topic) SELECT 'x' AS topic") == "003001"
    assert reader.refused("SELECT * FROM delete_tracker_lock") == "002003"
    assert reader.refused("SELECT * FROM delete_tracker_erased") == "002003"


def test_the_views_made_again_keep_their_readers(
    set_up: Session, reader: Session, connect: Connect, schema: str
) -> None:
    """A replaced view loses its grants. The future grants of the schema give them back."""
    loader = connect(user=f"delete_sync_svc_{schema}", warehouse=f"DELETE_SYNC_WH_{schema}")
    for name in ("3_views.sql", "2_access.sql"):
        for statement in statements(name, schema):
            set_up(statement)
        for session in (reader, loader):
            assert session("SELECT * FROM delete_tracker_freshness") == []


def test_the_commands_need_no_more_than_the_grants_of_the_set_up(
    set_up: Session, settings: Mapping[str, str], schema: str, account: Account
) -> None:
    """The doctor finds every right that a sweep needs, and no failure."""
    assert apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}).succeeded
    own = {
        **settings,
        "SNOWFLAKE_USER": f"delete_sync_svc_{schema}",
        "SNOWFLAKE_WAREHOUSE": f"delete_sync_wh_{schema}",
    }
    assert apps.sweep(own).succeeded
    account.forget_statements()
    for words in (["doctor", "--yes"], ["status"], ["query", "SELECT * FROM delete_tracker_daily"]):
        done = sync_command(own, *words)
        assert done.code in (0, 1), done.text
        assert "failure  " not in done.text
    sent = account.statements()
    assert {one.role for one in sent} == {f"DELETE_SYNC_LOADER_{schema}"}
    assert {one.outcome for one in sent} == {"ok"}


def test_the_tear_down_leaves_nothing_that_the_set_up_made(set_up: Session, schema: str) -> None:
    """The stand-in knows no network policies. Of these, the file is only parsed."""
    for statement in statements("tear_down.sql", schema):
        if "NETWORK POLICY" not in statement and not statement.startswith("SHOW"):
            set_up(statement)
    assert set_up.refused(f"SELECT * FROM audit.{schema}.delete_tracker") == "002003"
    set_up("USE ROLE SECURITYADMIN")
    for name in ("delete_sync_loader", "delete_tracker_reader", "delete_tracker_eraser"):
        assert set_up.refused(f"GRANT ROLE {name}_{schema} TO ROLE SYSADMIN") == "002003"
