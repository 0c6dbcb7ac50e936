"""Parameters that an administrator may have set for the account, and what a session misses.

Source of the rules: Snowflake documentation, page "Parameters".
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from local.account import Account

from .conftest import Connect, Session

LOCAL = "SELECT CURRENT_TIMESTAMP()::TIMESTAMP_NTZ AS here, SYSDATE() AS utc"


def behind(session: Session) -> timedelta:
    """How far the clock of the session is behind UTC."""
    ((here, utc),) = session(LOCAL)
    difference: timedelta = utc - here
    return timedelta(minutes=round(difference.total_seconds() / 60))


def test_the_time_zone_is_that_of_los_angeles_unless_someone_sets_one(
    connect: Connect, account: Account
) -> None:
    """The session beats the account. SYSDATE() is UTC always."""
    assert behind(connect()) in (timedelta(hours=7), timedelta(hours=8))
    account.set(parameters={"TIMEZONE": "Asia/Tokyo"})
    assert behind(connect()) == timedelta(hours=-9)
    session = connect(session_parameters={"TIMEZONE": "UTC"})
    assert behind(session) == timedelta(0)
    session("ALTER SESSION UNSET TIMEZONE")
    assert behind(session) == timedelta(hours=-9)


def test_times_without_a_zone_do_not_depend_on_the_time_zone(connect: Connect) -> None:
    """A text with Z is UTC, and so is a number of seconds."""
    assert connect()(
        "SELECT TO_TIMESTAMP_NTZ('2026-02-01T10:00:00.123Z') AS a, TO_TIMESTAMP_NTZ('86400') AS b, "
        "'2026-02-01'::TIMESTAMP_NTZ AS c"
    ) == [
        (
            datetime(2026, 2, 1, 10, 0, 0, 123000),
            datetime(1970, 1, 2),
            datetime(2026, 2, 1),
        )
    ]


@pytest.mark.parametrize(
    "value",
    [
        "TO_TIMESTAMP_NTZ('{}')",
        "'{}'::TIMESTAMP_NTZ",
        'TO_TIMESTAMP_NTZ(PARSE_JSON(\'{{"a": "{}"}}\'):a::VARCHAR)',
    ],
)
def test_another_format_of_times_refuses_iso(
    connect: Connect, account: Account, value: str
) -> None:
    """A session that sets AUTO reads ISO again."""
    account.set(parameters={"TIMESTAMP_INPUT_FORMAT": "DD/MM/YYYY HH24:MI:SS"})
    session = connect()
    iso = f"SELECT {value.format('2026-02-01T10:00:00')} AS t"
    assert session.refused(iso) == "100035"
    right = f"SELECT {value.format('01/02/2026 10:00:00')} AS t"
    assert session.one(right) == datetime(2026, 2, 1, 10)
    automatic = connect(session_parameters={"TIMESTAMP_INPUT_FORMAT": "AUTO"})
    assert automatic.one(iso) == datetime(2026, 2, 1, 10)


def test_quotes_may_not_keep_small_letters(connect: Connect, account: Account) -> None:
    session = connect()
    session('CREATE TABLE "small" (k INTEGER)')
    session.refused("SELECT * FROM small")
    account.set(parameters={"QUOTED_IDENTIFIERS_IGNORE_CASE": "TRUE"})
    session('CREATE TABLE "other" (k INTEGER)')
    assert session("SELECT k FROM OTHER") == []
    assert session.refused('SELECT k FROM "small"') == "002003"


# -- READ_CONSISTENCY_MODE = SESSION


@pytest.fixture
def late(connect: Connect, account: Account) -> tuple[Session, Session]:
    """A session that commits, and one that began before and is blind to it."""
    account.set(blind="always")
    writer, reader = connect(), connect()
    writer("CREATE TABLE t (k INTEGER, text VARCHAR(10))")
    writer("INSERT INTO t SELECT 1 AS k, 'old' AS text")
    writer("COMMIT")
    reader.close()
    reader = connect()
    writer("INSERT INTO t SELECT 2 AS k, 'new' AS text")
    writer("UPDATE t SET text = 'changed' WHERE k = 1")
    writer("COMMIT")
    return writer, reader


def test_a_session_sees_its_own_commits_and_those_before_its_login(
    late: tuple[Session, Session], connect: Connect
) -> None:
    writer, reader = late
    everything = [(1, "changed"), (2, "new")]
    rows = "SELECT k, text FROM t ORDER BY k"
    assert writer(rows) == everything
    assert reader(rows) == [(1, "old")]
    assert connect()(rows) == everything


def test_a_merge_of_a_blind_session_inserts_the_row_again(
    late: tuple[Session, Session],
) -> None:
    """The wait for a lock does not help. An INSERT that looks is as blind."""
    _, reader = late
    assert reader(
        "MERGE INTO t USING (SELECT 2 AS k) s ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k) "
        "VALUES (s.k)"
    ) == [(1,)]
    assert reader(
        "INSERT INTO t (k) SELECT 1 AS k WHERE NOT EXISTS (SELECT 1 FROM t WHERE text = 'changed')"
    ) == [(1,)]
    assert reader("DELETE FROM t WHERE text = 'new'") == [(0,)]


def test_an_update_works_on_the_latest_version(late: tuple[Session, Session]) -> None:
    """From then on the session sees the whole table, with each row once."""
    writer, reader = late
    assert reader("UPDATE t SET text = text || '!' WHERE k = 1") == [(1, 0)]
    assert reader("SELECT k, text FROM t ORDER BY k") == [(1, "changed!"), (2, "new")]
    reader("ROLLBACK")
    assert writer("SELECT text FROM t WHERE k = 1") == [("changed",)]


def test_a_random_session_sees_a_commit_at_some_moment_and_keeps_seeing_it(
    connect: Connect, account: Account
) -> None:
    """What one statement reads fits together: the row is there once in each."""
    account.set(blind="random", seed=3)
    writer = connect()
    writer("CREATE TABLE t AS SELECT 'old' AS text")
    readers = [connect() for _ in range(4)]
    writer("UPDATE t SET text = 'new'")
    writer("COMMIT")
    seen = [
        [reader("SELECT a.text AS a, b.text AS b FROM t a, t b") for _ in range(25)]
        for reader in readers
    ]
    old, new = [("old", "old")], [("new", "new")]
    assert all(one in (old, new) for reader in seen for one in reader)
    assert all(reader == sorted(reader, key=lambda one: one == new) for reader in seen)
    assert any(old in reader for reader in seen)
    assert all(reader[-1] == new for reader in seen)


def test_rows_that_nobody_can_see_are_gone_when_the_blind_sessions_are(
    late: tuple[Session, Session], connect: Connect, account: Account
) -> None:
    writer, reader = late
    reader.close()
    account.set(blind="off")
    assert writer("SELECT k, text FROM t ORDER BY k") == [(1, "changed"), (2, "new")]
    assert connect()("SELECT k, text FROM t ORDER BY k") == [(1, "changed"), (2, "new")]
