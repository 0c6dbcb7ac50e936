"""What a comparison does if something goes wrong between two of its statements.

As in ``test_transaction.py``, the tests run in both readings of what a session answers after its
transaction was ended from outside.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from local import comparison, emulators
from local.account import Account
from local.comparison import Target, checked, listed, record_id, told

from delete_sync.src.errors import BooksDifferError, SyncError, WarehouseUnavailableError
from delete_sync.src.model import Compared
from delete_sync.src.warehouse.compare import Comparison
from delete_sync.src.warehouse.session import SQL

READINGS = ("silent", "error")
DAY = datetime(2026, 2, 10)
# The statements of a comparison, in their order, by words that only they have.
STATEMENTS = {
    "take_lock": 'UPDATE "DELETE_TRACKER_LOCK"',
    "previous_token": "SELECT previous",
    "to_compare": "AS oldest_restore",
    "count_recovered": "COUNT(*) AS recovered",
    "insert_recovered": 'INSERT INTO "DELETE_TRACKER" ',
    "set_compared": 'UPDATE "DELETE_TRACKER_CHECKS"',
    "commit": "COMMIT",
}
# After COMMIT, two of them are sent again.
SENT = [*STATEMENTS, "to_compare", "count_recovered"]
numbers = iter(range(1, 1_000_000))


@pytest.fixture(scope="module")
def target(snowflake: emulators.Server) -> Iterator[Target]:
    with comparison.target(snowflake.settings) as made:
        yield made


@pytest.fixture
def account(snowflake: emulators.Server, target: Target) -> Iterator[Account]:
    """The rules of the target's schema. They are as usual after the test."""
    ((schema,),) = target.query("SELECT CURRENT_SCHEMA()")
    made = Account(snowflake, schema)
    yield made
    made.clear_faults()
    made.set(reading="silent", blind="off")


@pytest.fixture
def add(target: Target) -> Iterator[Callable[[], str]]:
    """Add a check with two listed deletes. An event told of one of them. Returns the object."""

    def once() -> str:
        number = next(numbers)
        name = f"Object{number}__c"
        asked = DAY + timedelta(hours=25)
        target.add("checks", [checked(name, name, DAY, DAY + timedelta(days=1), asked)])
        hidden, seen = record_id(2 * number), record_id(2 * number + 1)
        target.add("listed", [listed(name, name, one, DAY) for one in (hidden, seen)])
        target.add("", [told(name, seen, DAY)])
        return name

    yield once
    for part in ("", "_checks", "_listed"):
        target.query(f"DELETE FROM delete_tracker{part}")


def state(target: Target) -> tuple[Any, ...]:
    """The number of recovered deletes, of their keys, and of checks that are not compared."""
    (rows,) = target.query(
        "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM delete_tracker WHERE topic = 'check'"
    )
    ((left,),) = target.query(
        "SELECT COUNT(*) FROM delete_tracker_checks WHERE compared_at IS NULL"
    )
    return (*rows, left)


def test_a_comparison_sends_these_statements(
    target: Target, account: Account, add: Callable[[], str]
) -> None:
    """They are a transaction that begins with the lock row."""
    add()
    account.forget_statements()
    target.compare()
    sessions: dict[int, list[str]] = {}
    for one in account.statements():
        sessions.setdefault(one.session, []).append(one.sql)
    (sent,) = [one for one in sessions.values() if STATEMENTS["take_lock"] in one[0]]
    assert len(sent) == len(SENT)
    for text, statement in zip(sent, SENT):
        assert STATEMENTS[statement] in text


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_comparison_that_is_ended_from_outside_is_repeated_as_a_whole(
    target: Target, account: Account, add: Callable[[], str], statement: str, reading: str
) -> None:
    """It ends right before a statement. Afterwards each recovered delete is there once."""
    add()
    account.set(reading=reading)
    account.fault("abort", STATEMENTS[statement], times=1)
    target.compare()
    assert state(target) == (1, 1, 0)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_comparison_whose_answer_is_lost_is_repeated_as_a_whole(
    target: Target, account: Account, add: Callable[[], str], statement: str
) -> None:
    """The statement had its effect. Nobody knows whether a COMMIT did."""
    add()
    account.fault("lose", STATEMENTS[statement], number="390111", times=1)
    target.compare()
    assert state(target) == (1, 1, 0)


@pytest.mark.parametrize("statement", ["insert_recovered", "set_compared", "commit"])
def test_a_comparison_that_fails_three_times_leaves_nothing(
    target: Target, account: Account, add: Callable[[], str], statement: str
) -> None:
    """The next sweep compares again."""
    add()
    account.fault("refuse", STATEMENTS[statement], number="000604", times=3)
    with pytest.raises(WarehouseUnavailableError):
        target.compare()
    assert state(target) == (0, 0, 1)
    assert target.compare() == Compared(1, 1, 0)


def test_a_count_that_differs_rolls_the_comparison_back(
    target: Target, add: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what differs."""
    add()
    never = SQL["insert_recovered"] + "\nWHERE g.token = 'x'"
    monkeypatch.setitem(SQL, "insert_recovered", never)
    with pytest.raises(BooksDifferError) as raised:
        target.compare()
    assert str(raised.value) == (
        "the comparison inserted 0 rows, but 1 were new: Snowflake or somebody else has ended the "
        "transaction, or changed the tables meanwhile – see 'BooksDifferError' in "
        "docs/operations.md. Nothing is lost: a later sweep loads the files that are still pending"
    )
    assert state(target) == (0, 0, 1)


@pytest.mark.parametrize("blind", ["off", "always"])
def test_two_comparisons_at_once_recover_each_delete_once(
    snowflake: emulators.Server,
    target: Target,
    account: Account,
    add: Callable[[], str],
    blind: str,
) -> None:
    """The lock row lets them take turns. A session may not see what another one has committed."""
    for _ in range(5):
        add()
    account.set(blind=blind)
    results: list[Compared | SyncError] = []
    ((schema,),) = target.query("SELECT CURRENT_SCHEMA()")
    settings = {**snowflake.settings, "SNOWFLAKE_SCHEMA": schema}
    loaders = [comparison.loader(settings) for _ in range(2)]
    for loader in loaders:
        loader.prepare()

    def run(loader: Any) -> None:
        try:
            results.append(loader.compare(comparison.ALL))
        except SyncError as error:
            results.append(error)

    threads = [threading.Thread(target=functools.partial(run, one)) for one in loaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for loader in loaders:
        loader.close()
    account.set(blind="off")
    assert sorted((one.checks, one.recovered) for one in results if isinstance(one, Compared)) == [
        (0, 0),
        (5, 5),
    ]
    assert state(target) == (5, 5, 0)


def without_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the condition on the lock row's token out."""
    text = SQL["insert_recovered"].replace(
        "JOIN {lock} g ON g.token = %s", "JOIN (SELECT %s AS token) g ON 1 = 1"
    )
    monkeypatch.setitem(SQL, "insert_recovered", text)
    monkeypatch.setitem(
        SQL,
        "set_compared",
        "UPDATE {checks} SET compared_at = SYSDATE() "
        "WHERE %s <> '' AND compared_at IS NULL AND event_file <= %s",
    )


def without_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe COMMIT."""
    monkeypatch.setattr(Comparison, "check", lambda *_: None)


@pytest.mark.parametrize(
    ("leave_out", "statement", "left"),
    [(without_guard, "set_compared", (0, 0, 0)), (without_read_back, "commit", (0, 0, 1))],
)
def test_a_rule_that_is_left_out_claims_too_much(
    target: Target,
    account: Account,
    add: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    leave_out: Callable[[pytest.MonkeyPatch], None],
    statement: str,
    left: tuple[int, int, int],
) -> None:
    """The check would count as compared, but the recovered delete would be missing."""
    leave_out(monkeypatch)
    if leave_out is without_guard:
        without_read_back(monkeypatch)
    add()
    account.fault("abort", STATEMENTS[statement], times=1)
    assert target.compare() == Compared(1, 1, 0)
    assert state(target) == left
