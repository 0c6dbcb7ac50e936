"""What commits, what a session sees, and what it answers after its transaction was ended.

Source of the rules: Snowflake documentation, pages "Transactions", "COMMIT", "ROLLBACK", "MERGE".
"""

from __future__ import annotations

import gzip
import http.client
import json
import time
from pathlib import Path

import pytest
from local import emulators
from local.account import Account
from snowflake.connector.errors import Error

from .conftest import Connect, Session

MERGE = (
    "MERGE INTO t USING (SELECT column1 AS k FROM VALUES (1), (2)) s ON t.k = s.k "
    "WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)"
)


@pytest.fixture
def writer(connect: Connect) -> Session:
    """A session with an empty table ``t``, and an open transaction with one row in it."""
    session: Session = connect()
    session("CREATE TABLE t (k INTEGER, text VARCHAR(3))")
    session("INSERT INTO t (k) SELECT 7 AS k")
    return session


def count(session: Session) -> int:
    return int(session.one("SELECT COUNT(*) AS n FROM t"))


def test_only_its_own_session_sees_an_open_transaction(writer: Session, connect: Connect) -> None:
    """COMMIT shows it to the others at once, also to one that has a transaction itself."""
    other = connect()
    assert (count(writer), count(other)) == (1, 0)
    other("INSERT INTO t (k) SELECT 8 AS k")
    writer("COMMIT")
    assert (count(writer), count(other)) == (1, 2)


def test_a_view_shows_only_committed_rows(writer: Session, connect: Connect) -> None:
    """DuckDB stores the rows at once, so a view must not read its table directly."""
    other = connect()
    other("CREATE VIEW v AS SELECT k FROM t WHERE k > 0")
    other("CREATE VIEW w AS SELECT k AS seven FROM v")
    assert other("SELECT seven AS s FROM w") == []
    assert writer("SELECT x.seven AS s FROM w x") == [(7,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE other (k INTEGER)",
        "CREATE TABLE other AS SELECT 1 AS k",
        "CREATE TEMPORARY TABLE other (k INTEGER)",
        "ALTER TABLE t ADD COLUMN more VARCHAR",
        "CREATE STAGE IF NOT EXISTS s",
        "ALTER SESSION SET AUTOCOMMIT = TRUE",
        "ALTER SESSION SET AUTOCOMMIT = FALSE",
        "COMMIT",
    ],
)
def test_ddl_and_a_change_of_autocommit_commit(
    writer: Session, connect: Connect, statement: str
) -> None:
    writer(statement)
    writer("ROLLBACK")
    assert count(connect()) == 1


@pytest.mark.parametrize(
    "statement", ["SELECT 1 AS one", "SHOW STAGES", "ALTER SESSION SET QUERY_TAG = 'x'"]
)
def test_other_statements_do_not_commit(writer: Session, statement: str) -> None:
    writer(statement)
    writer("ROLLBACK")
    assert count(writer) == 0


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
def test_an_end_without_a_transaction_succeeds(connect: Connect, statement: str) -> None:
    assert connect()(statement) == [("Statement executed successfully.",)]


def test_with_autocommit_each_statement_commits(writer: Session, connect: Connect) -> None:
    writer("ROLLBACK")
    session = connect(autocommit=True)
    session("INSERT INTO t (k) SELECT 1 AS k")
    session("ROLLBACK")
    assert count(writer) == 1
    session("BEGIN")
    session("INSERT INTO t (k) SELECT 2 AS k")
    session("ROLLBACK")
    assert count(writer) == 1


def test_with_autocommit_a_failed_statement_leaves_no_transaction(connect: Connect) -> None:
    session = connect(autocommit=True)
    session("CREATE TABLE t AS SELECT 'x' AS k")
    session.refused("UPDATE t SET k = k::INTEGER")
    assert session.one("SELECT CURRENT_TRANSACTION() AS t") is None


@pytest.mark.parametrize(
    "bad",
    [
        "INSERT INTO t (k) SELECT 'x'::INTEGER AS k",
        "INSERT INTO t (k, text) SELECT 1 AS k, 'long' AS text",
        "UPDATE t SET text = 'long'",
        "INSERT INTO nowhere SELECT 1 AS k",
    ],
)
def test_a_failed_statement_leaves_the_transaction_as_it_was(writer: Session, bad: str) -> None:
    """DuckDB would end the whole transaction."""
    writer.refused(bad)
    assert count(writer) == 1
    writer(MERGE)
    writer("COMMIT")
    assert writer("SELECT k FROM t ORDER BY k") == [(1,), (2,), (7,)]


def test_a_merge_commits_nothing_and_is_rolled_back_with_the_rest(
    writer: Session, connect: Connect
) -> None:
    """Fakesnow's MERGE commits what the transaction wrote before it."""
    assert writer(MERGE) == [(2,)]
    assert writer(MERGE) == [(0,)]
    assert count(connect()) == 0
    writer("ROLLBACK")
    assert count(writer) == 0


def test_a_merge_with_several_clauses_counts_each(writer: Session) -> None:
    writer(MERGE)
    merged = writer(
        "MERGE INTO t USING (SELECT column1 AS k, column2 AS do FROM VALUES (1, 'drop'), "
        "(2, 'set'), (9, 'new')) s ON t.k = s.k WHEN MATCHED AND s.do = 'drop' THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET t.text = s.do WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)"
    )
    assert merged == [(1, 1, 1)]
    assert writer("SELECT k, text FROM t ORDER BY k") == [(2, "set"), (7, None), (9, None)]
    writer("ROLLBACK")
    assert count(writer) == 0


def test_a_merge_that_matches_a_row_twice_is_refused(writer: Session) -> None:
    """The number is 100090, as the page "MERGE" says. The text has the values of the row."""
    twice = (
        "MERGE INTO t USING (SELECT column1 AS k FROM VALUES (7), (7)) s ON t.k = s.k "
        "WHEN MATCHED THEN UPDATE SET t.text = 'x'"
    )
    writer("UPDATE t SET text = 'old'")
    with pytest.raises(Error, match=r"100090(?s:.*)Row Values: \[7, 'old'\]"):
        writer(twice)


def test_an_update_uses_the_old_values(writer: Session) -> None:
    """The result has the two columns of Snowflake."""
    assert writer("UPDATE t SET text = k::VARCHAR, k = k + 1 WHERE k = 7") == [(1, 0)]
    assert writer("SELECT k, text FROM t") == [(8, "7")]
    writer("ROLLBACK")
    assert count(writer) == 0


def test_a_copy_and_the_clean_up_of_its_table_are_rolled_back(
    connect: Connect, tmp_path: Path
) -> None:
    """Both are DML. Source: page "Transactions"."""
    session = connect()
    session("CREATE STAGE IF NOT EXISTS s")
    session("CREATE OR REPLACE TEMPORARY TABLE t (v VARIANT)")
    file = tmp_path / "rows with a space.gz"
    file.write_bytes(gzip.compress(b'{"k": "a"}\n{"k": "b"}\n'))
    put = f"PUT 'file://{file}' '@s/path' AUTO_COMPRESS=FALSE OVERWRITE=TRUE"
    copy = "COPY INTO t FROM @s/path/ FILE_FORMAT=(TYPE=JSON) PURGE=TRUE"
    session(put)
    assert session(copy)[0][1:4] == ("LOADED", 2, 2)
    assert count(session) == 2
    session("ROLLBACK")
    assert count(session) == 0
    session(put)
    session(copy)
    session("COMMIT")
    assert session(
        "DELETE FROM t USING (SELECT column1 AS name FROM VALUES ('a'), ('c')) u "
        "WHERE v:k::VARCHAR = u.name"
    ) == [(1,)]
    assert count(session) == 1
    session("ROLLBACK")
    assert count(session) == 2


def test_an_aborted_transaction_is_followed_by_a_new_one_in_silence(
    writer: Session, account: Account
) -> None:
    """One reading of the page "Transactions": the next DML begins a transaction."""
    assert account.abort()
    assert count(writer) == 0
    writer("INSERT INTO t (k) SELECT 8 AS k")
    writer("COMMIT")
    assert writer("SELECT k FROM t") == [(8,)]


def test_an_aborted_transaction_refuses_every_statement_until_rollback(
    writer: Session, account: Account
) -> None:
    """The other reading, after the page "Parameters": 000615."""
    account.set(reading="error")
    assert account.abort()
    for statement in ("SELECT 1 AS one", "INSERT INTO t (k) SELECT 8 AS k", "COMMIT"):
        assert writer.refused(statement) == "000615"
    writer("ROLLBACK")
    writer("INSERT INTO t (k) SELECT 9 AS k")
    writer("COMMIT")
    assert writer("SELECT k FROM t") == [(9,)]


def test_a_session_without_a_transaction_is_not_aborted(connect: Connect, account: Account) -> None:
    account.set(reading="error")
    session = connect()
    assert account.abort() == []
    assert session("SELECT 1 AS one") == [(1,)]


def test_another_session_aborts_a_transaction_by_its_number(
    writer: Session, connect: Connect
) -> None:
    """Source: page "SYSTEM$ABORT_TRANSACTION"."""
    number = writer.one("SELECT CURRENT_TRANSACTION() AS t")
    connect()(f"SELECT SYSTEM$ABORT_TRANSACTION({number})")
    assert count(writer) == 0
    assert writer.one("SELECT CURRENT_TRANSACTION() AS t") is None


def test_a_closed_session_is_rolled_back(writer: Session, connect: Connect) -> None:
    writer.close()
    assert count(connect()) == 0


def test_many_scattered_rows_are_deleted_and_come_back(connect: Connect) -> None:
    session = connect()
    session(
        "CREATE TABLE t AS SELECT column1 AS k FROM VALUES "
        + ", ".join(f"({number})" for number in range(500))
    )
    assert session("DELETE FROM t WHERE k % 2 = 1") == [(250,)]
    assert count(session) == 250
    session("ROLLBACK")
    assert count(session) == 500
    session("DELETE FROM t WHERE k % 2 = 1")
    session("COMMIT")
    assert count(connect()) == 250


def sent(account: Account) -> list[tuple[str, str]]:
    return [(one.sql, one.outcome) for one in account.statements()]


def test_a_client_that_is_gone_keeps_its_transaction(
    writer: Session, account: Account, snowflake: emulators.Server, connect: Connect
) -> None:
    """Its running statement goes on too. Source: page "Parameters", ABORT_DETACHED_QUERY."""
    account.fault("delay", "8 AS k", seconds=1)
    body = json.dumps({"sqlText": "INSERT INTO t (k) SELECT 8 AS k"}).encode()
    client = http.client.HTTPConnection("127.0.0.1", snowflake.port)
    token = {"Authorization": f'Snowflake Token="{writer.connection.rest.token}"'}
    client.request("POST", "/queries/v1/query-request?requestId=1", body, token)
    for outcome in ("running", "ok"):
        while ("INSERT INTO t (k) SELECT 8 AS k", outcome) not in sent(account):
            time.sleep(0.05)
        client.close()
    assert (count(writer), count(connect())) == (2, 0)


def test_a_description_runs_nothing(writer: Session) -> None:
    """The connector's ``describe`` of a query has its columns."""
    with writer.connection.cursor() as cursor:
        assert [one.name for one in cursor.describe("SELECT k, text AS name FROM t")] == [
            "K",
            "NAME",
        ]
        cursor.describe("INSERT INTO t (k) SELECT 9 AS k")
    assert count(writer) == 1
