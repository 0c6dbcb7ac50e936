"""What a sweep does if something goes wrong between two statements of its transaction.

Snowflake's documentation leaves open what a session answers after its transaction was ended from
outside. So the tests run in both readings: a new transaction begins without a word, or each
statement gets the error 000615 until ROLLBACK.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from local.account import Account
from local.event_files import check as a_check
from local.event_files import delete, listed, poll, restore

from delete_sync.src.errors import (
    BooksDifferError,
    SweepFailedError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from delete_sync.src.report import Report
from delete_sync.src.warehouse.attempt import Attempt
from delete_sync.src.warehouse.session import SQL
from salesforce_client.src.app.model.rows import ResolvedReject
from salesforce_client.src.app.model.times import timestamp

from .test_sync import GAP, REJECT

Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]
READINGS = ("silent", "error")
OTHERS = ("gaps", "rejects", "polls", "restores", "checks", "listed", "acknowledged")
# The statements of a transaction, in their order, by words that only they have.
TRANSACTION = {
    "take_lock": 'UPDATE "DELETE_TRACKER_LOCK"',
    "previous_token": "SELECT previous",
    "records_of_batch": "l.reader AS reader",
    "count_erased": "AS rows_erased",
    "count_new": "AS rows_new",
    "merge": "MERGE INTO",
    "insert_gaps": 'INSERT INTO "DELETE_TRACKER_GAPS"',
    "insert_rejects": 'INSERT INTO "DELETE_TRACKER_REJECTS"',
    "insert_polls": 'INSERT INTO "DELETE_TRACKER_POLLS"',
    "insert_restores": 'INSERT INTO "DELETE_TRACKER_RESTORES"',
    "insert_checks": 'INSERT INTO "DELETE_TRACKER_CHECKS"',
    "insert_listed": 'INSERT INTO "DELETE_TRACKER_LISTED"',
    "insert_acknowledged": 'INSERT INTO "DELETE_TRACKER_ACKNOWLEDGED"',
    "insert_loads": 'INSERT INTO "DELETE_TRACKER_LOADS"',
    "replace_loads": 'DELETE FROM "DELETE_TRACKER_LOADS"',
    "commit": "COMMIT",
    "records_of_token": "WHERE token",
}
RESOLVED = ResolvedReject("r0", "delete", "2026-02-01T00:10:00.456Z")
ROWS = (
    *(delete("e1"), delete("e2"), REJECT, GAP, poll()),
    *(restore(), a_check(), listed(), RESOLVED),
)


def check(query: Query, files: int = 1, rows: int = 2) -> None:
    """The tables hold each row once, and the load records agree with them."""
    assert query("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM delete_tracker") == [(rows, rows)]
    assert query("SELECT COUNT(*), SUM(rows_inserted) FROM delete_tracker_loads") == [(files, rows)]
    for table in OTHERS:
        assert query(f"SELECT COUNT(*) FROM delete_tracker_{table}") == [(1,)]


def test_a_sweep_sends_these_statements(put: Put, sweep: Sweep, account: Account) -> None:
    """A first session reads, the second one loads, and a third one looks for checks to compare.
    If there are any, a session compares. A last one looks at the tables.

    There is no BEGIN and no ALTER SESSION.

    The staging table is committed before the lock is taken.
    """
    put("e0")
    sweep()
    put(*ROWS)
    account.forget_statements()
    sweep()
    sent = account.statements()
    # A stage with presigned URLs, as the stand-in has, gets another PUT for each compressed file.
    sent = [one for one in sent if not one.sql.startswith("PUT 'file://rows")]
    sessions = sorted({one.session for one in sent})
    first, loading, due, comparing, last = (
        [one.sql for one in sent if one.session == session] for session in sessions
    )
    staging = ["CREATE OR REPLACE TEMPORARY TABLE", "PUT 'file:///", "COPY INTO", "COMMIT"]
    words = [*staging, *TRANSACTION.values()]
    assert len(loading) == len(words)
    for text, its_words in zip(loading, words):
        assert its_words in text
    assert {sql.split()[0] for sql in (*first, *due, *last)} == {"SELECT", "SHOW"}
    # The numbers of docs/sweep.md, "Statements": the first session also lists one page. The
    # comparison inserts nothing here, so it sends 8 statements instead of 9.
    numbers = [len(one) for one in (first, loading, due, comparing, last)]
    assert numbers == [6 + 1, 21, 1, 8, 3]
    # What the comparison sends: ``test_comparison_faults.py``.
    assert comparing[0].split()[0] == "UPDATE"


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statement", TRANSACTION)
def test_a_transaction_that_is_ended_from_outside_loses_and_doubles_nothing(
    put: Put,
    sweep: Sweep,
    query: Query,
    account: Account,
    statement: str,
    reading: str,
) -> None:
    """An administrator ended it, or Snowflake did because it was idle and blocked another one.

    It ends right before a statement. That is the same as right after the statement before it.
    """
    put("e0")
    sweep()
    put(*ROWS)
    account.set(reading=reading)
    account.fault("abort", TRANSACTION[statement], times=1)
    sweep().raise_if_failed()
    check(query, files=2, rows=3)


@pytest.mark.parametrize("statement", [*TRANSACTION, "staging"])
def test_a_session_that_ends_between_two_statements_loses_and_doubles_nothing(
    put: Put, sweep: Sweep, query: Query, account: Account, statement: str
) -> None:
    """The batch is loaded again in a new session."""
    put(*ROWS)
    account.fault("end", {**TRANSACTION, "staging": "COPY INTO"}[statement], times=1)
    sweep().raise_if_failed()
    check(query)


@pytest.mark.parametrize("statement", [*TRANSACTION, "COPY INTO", "PUT"])
def test_an_answer_that_is_lost_loses_and_doubles_nothing(
    put: Put, sweep: Sweep, query: Query, account: Account, statement: str
) -> None:
    """The statement had its effect. Nobody knows whether a COMMIT did."""
    put(*ROWS)
    account.fault("lose", TRANSACTION.get(statement, statement), number="390111", times=1)
    sweep().raise_if_failed()
    check(query)


@pytest.mark.parametrize("number", ["000604", "000630", "000625"])
def test_a_statement_that_waits_for_too_long_is_tried_again(
    put: Put, sweep: Sweep, query: Query, account: Account, number: str
) -> None:
    """For example for the lock of another sweep. The third time, the sweep fails."""
    put(*ROWS)
    account.fault("refuse", TRANSACTION["take_lock"], number=number, times=2)
    sweep().raise_if_failed()
    check(query)
    put("e3")
    account.fault("refuse", TRANSACTION["take_lock"], number=number, times=3)
    with pytest.raises(WarehouseUnavailableError, match="take_lock"):
        sweep()
    assert sweep().inserted == 1


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statement", ["insert_gaps", "insert_loads", "replace_loads"])
def test_after_a_rollback_that_failed_the_session_gets_no_other_statement(
    put: Put, sweep: Sweep, query: Query, account: Account, statement: str, reading: str
) -> None:
    """Its transaction is still open, and holds the half of a batch.

    DDL, or a change of AUTOCOMMIT, would commit that half.
    """
    put(*ROWS)
    account.set(reading=reading)
    account.fault("refuse", TRANSACTION[statement], number="000604", times=1)
    account.fault("refuse", "ROLLBACK", number="000604", times=1)
    sweep().raise_if_failed()
    check(query)
    statements = account.statements()
    failed = next(one.session for one in statements if one.sql == "ROLLBACK")
    assert [one.sql for one in statements if one.session == failed][-1] == "ROLLBACK"


def test_a_quota_that_is_used_up_refuses_no_file(
    put: Put, sweep: Sweep, query: Query, account: Account
) -> None:
    """Snowflake sends the same SQLSTATE for it as for a value that does not fit."""
    for number in range(4):
        put(f"e{number}")
    account.fault("refuse", "COPY INTO", number="090073", times=1)
    with pytest.raises(WarehouseRefusedError, match="raise its quota"):
        sweep()
    assert query("SELECT COUNT(*) FROM delete_tracker_loads") == [(0,)]
    assert sweep().inserted == 4


def test_a_login_that_is_lost_is_tried_again(put: Put, sweep: Sweep, account: Account) -> None:
    """The first session of the sweep ends before its first statement."""
    put("e1")
    account.fault("end", "CURRENT_DATABASE", times=2)
    assert sweep().inserted == 1


@pytest.mark.parametrize("looks", [True, False])
def test_a_load_record_is_written_only_if_all_rows_of_its_file_are_in_the_tables(
    put: Put, sweep: Sweep, query: Query, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """The statement compares the staged rows with the count of the client, and with the tables.

    Here the staging table has lost a row. A statement that did not look would claim that row.
    """
    stage = Attempt.stage

    def forgetful(attempt: Attempt, path: str) -> None:
        stage(attempt, path)
        attempt._session.change("lose_row")
        attempt._session.commit()

    lose = "DELETE FROM {staging} WHERE v:event_id::VARCHAR = 'e1'"
    monkeypatch.setitem(SQL, "lose_row", lose)
    monkeypatch.setattr(Attempt, "stage", forgetful)
    if not looks:
        text = SQL["insert_loads"]
        monkeypatch.setitem(SQL, "insert_loads", text[: text.rindex("WHERE")])
    put(*ROWS)
    if looks:
        with pytest.raises(BooksDifferError, match="0 of 1 load records were written"):
            sweep()
    else:
        sweep()
    claimed = query("SELECT COUNT(*) FROM delete_tracker_loads")
    assert claimed == [(0 if looks else 1,)]
    assert query("SELECT COUNT(*) FROM delete_tracker WHERE event_id = 'e1'") == [(0,)]


@pytest.mark.parametrize("statement", ["commit", "records_of_token"])
def test_a_file_that_was_refused_in_a_commit_without_an_answer_is_still_named(
    put: Put, sweep: Sweep, query: Query, account: Account, statement: str
) -> None:
    """The second attempt finds the load records of the first one. They are this sweep's own."""
    name = put(*ROWS)
    bad = put(content=b"not an event file")
    # The first COMMIT is that of the staging table.
    account.fault("lose", TRANSACTION["records_of_token"], number="390111", times=1)
    if statement == "commit":
        account.clear_faults()
        account.fault("delay", "COMMIT", seconds=0, times=1)
        account.fault("lose", "COMMIT", number="390111", times=1)
    report = sweep()
    assert (report.synced, list(report.refused), report.elsewhere) == ([name], [bad], 0)
    check(query, files=2)


def test_an_error_after_a_refusal_hides_no_refusal(
    put: Put, sweep: Sweep, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The next sweep would not name the file again. The log has the figures until the error."""
    bad = put(content=b"not an event file")
    account.fault("refuse", "HAVING COUNT", number="000630", times=3)
    with pytest.raises(SweepFailedError) as raised:
        sweep()
    assert [type(error).__name__ for error in raised.value.errors] == [
        "FilesRefusedError",
        "WarehouseUnavailableError",
    ]
    assert bad in str(raised.value)
    assert "refused=1 " in caplog.text


def test_the_last_look_at_the_tables_sees_what_the_sweep_has_loaded(
    put: Put, sweep: Sweep, query: Query, account: Account
) -> None:
    """A session need not see what another one has committed since it began."""
    now = datetime.now(timezone.utc)
    put(poll(began_at=timestamp(now), ended_at=timestamp(now)))
    account.set(blind="always")
    sweep(MAX_SILENCE_HOURS="24").raise_if_failed()


@pytest.mark.parametrize("kind", ["refuse", "lose"])
def test_a_copy_that_fails_leaves_no_rows_on_the_stage(
    put: Put, sweep: Sweep, query: Query, account: Account, kind: str
) -> None:
    """They may hold personal data."""
    put(*ROWS)
    account.fault(kind, "COPY INTO", number="000604", times=1)
    sweep().raise_if_failed()
    assert query("LIST @delete_tracker_stage") == []
    removed = [one.line for one in account.statements() if one.sql.startswith("REMOVE")]
    assert len(removed) == 1
