"""Who waits for whom, and for how long.

Source of the rules: Snowflake documentation, page "Transactions" (resource locking, deadlocks,
idle transactions), page "Parameters" (LOCK_TIMEOUT, STATEMENT_TIMEOUT_IN_SECONDS).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from local.account import Account
from snowflake.connector.errors import Error

from .conftest import Connect, Session

WAIT_SECONDS = 20
MERGE = (
    "MERGE INTO t USING (SELECT 1 AS k) s ON t.k = s.k "
    "WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)"
)
UPDATE = "UPDATE t SET k = k + 1"


@pytest.fixture
def holder(connect: Connect) -> Session:
    """A session that holds the lock of the table ``t``, which has one row."""
    session: Session = connect()
    session("CREATE TABLE t AS SELECT 1 AS k")
    session("CREATE TABLE u AS SELECT 1 AS k")
    session(UPDATE)
    return session


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def in_background(session: Session, sql: str) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    running = pool.submit(session, sql)
    pool.shutdown(wait=False)
    return running


def is_sent(account: Account, sql: str, times: int = 1) -> bool:
    return sum(one.sql == sql and one.outcome == "running" for one in account.statements()) == times


@pytest.mark.parametrize("statement", [UPDATE, "DELETE FROM t WHERE k = 9", MERGE])
def test_update_delete_and_merge_wait_for_the_lock_of_their_table(
    holder: Session, connect: Connect, account: Account, statement: str
) -> None:
    """Meanwhile the server serves others. After the wait, the statement sees the last commit."""
    other = connect()
    waiting = in_background(other, statement)
    wait_for(lambda: is_sent(account, statement))
    assert holder.one("SELECT k FROM t") == 2
    assert not waiting.done()
    holder("COMMIT")
    waiting.result(WAIT_SECONDS)
    other("COMMIT")
    expected = {UPDATE: [(3,)], MERGE: [(1,), (2,)]}.get(statement, [(2,)])
    assert holder("SELECT k FROM t ORDER BY k") == expected


def test_insert_does_not_wait(holder: Session, connect: Connect) -> None:
    """So two first sweeps can both insert "the one row"."""
    other = connect()
    other("INSERT INTO t SELECT 5 AS k")
    other("COMMIT")
    holder("COMMIT")
    assert holder("SELECT k FROM t ORDER BY k") == [(2,), (5,)]


def test_another_table_is_not_locked(holder: Session, connect: Connect) -> None:
    assert connect()("UPDATE u SET k = 2") == [(1, 0)]


@pytest.mark.parametrize("end", ["ROLLBACK", "close"])
def test_a_rollback_and_a_closed_session_end_the_lock(
    holder: Session, connect: Connect, end: str
) -> None:
    holder.close() if end == "close" else holder(end)
    other = connect()
    assert other(UPDATE) == [(1, 0)]
    assert other.one("SELECT k FROM t") == 2


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("LOCK_TIMEOUT", "000604.*LOCK_TIMEOUT"),
        ("STATEMENT_TIMEOUT_IN_SECONDS", "000630.*timeout of 1 second"),
    ],
)
def test_the_wait_for_a_lock_is_bounded(
    holder: Session, connect: Connect, parameter: str, words: str
) -> None:
    """The transaction of the statement that waited in vain stays open."""
    other = connect(session_parameters={parameter: 1})
    other("INSERT INTO u SELECT 2 AS k")
    with pytest.raises(Error, match=words):
        other(UPDATE)
    assert other.one("SELECT COUNT(*) AS n FROM u") == 2


def test_at_most_twenty_statements_wait(
    holder: Session, connect: Connect, account: Account
) -> None:
    """The next one gets 000625."""
    waiting = [in_background(connect(), UPDATE) for _ in range(20)]
    wait_for(lambda: is_sent(account, UPDATE, 20))
    assert connect().refused(UPDATE) == "000625"
    account.abort()
    for one in waiting:
        one.exception(WAIT_SECONDS)


def test_the_last_statement_of_a_deadlock_is_refused(
    holder: Session, connect: Connect, account: Account
) -> None:
    """Its transaction stays open and keeps its locks."""
    other = connect()
    other("UPDATE u SET k = 5")
    waiting = in_background(other, UPDATE)
    wait_for(lambda: is_sent(account, UPDATE))
    assert holder.refused("UPDATE u SET k = 6") == "000604"
    assert holder.one("SELECT k FROM t") == 2
    assert not waiting.done()
    holder("COMMIT")
    waiting.result(WAIT_SECONDS)


def test_an_idle_transaction_that_blocks_another_is_aborted(
    holder: Session, connect: Connect, account: Account
) -> None:
    """At Snowflake after 5 minutes. A client that is gone is idle too."""
    account.set(idle_seconds=1, reading="error")
    other = connect()
    assert other(UPDATE) == [(1, 0)]
    assert other.one("SELECT k FROM t") == 2
    assert holder.refused("COMMIT") == "000615"


def test_an_idle_transaction_that_blocks_nobody_stays_open(
    holder: Session, connect: Connect, account: Account
) -> None:
    account.set(idle_seconds=0)
    assert connect().one("SELECT k FROM t") == 1
    holder("COMMIT")
    assert connect().one("SELECT k FROM t") == 2


def test_a_cancelled_statement_stops_waiting(holder: Session, connect: Connect) -> None:
    """The connector cancels a statement after its ``network_timeout``."""
    other = connect()
    with pytest.raises(Error) as raised, other.connection.cursor() as cursor:
        cursor.execute(UPDATE, timeout=1)
    assert raised.value.errno == 604


def test_a_waiting_statement_of_an_aborted_transaction_is_cancelled(
    holder: Session, connect: Connect, account: Account
) -> None:
    waiting = in_background(connect(), UPDATE)
    wait_for(lambda: is_sent(account, UPDATE))
    account.abort(max(account.sessions()))
    assert getattr(waiting.exception(WAIT_SECONDS), "errno", None) == 604
