"""Two sweeps at once: the lock row lets their transactions take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from local.account import Account

from delete_sync.src.report import Report

Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


def together(*jobs: Callable[[], object]) -> None:
    """Run the jobs at the same time."""
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("blind", ["off", "always"])
def test_two_sweeps_of_many_batches_load_each_row_once(
    put: Put, sweep: Sweep, query: Query, account: Account, blind: str
) -> None:
    """Each file has a batch of its own, and rows that other files have too.

    A session need not see what another one has committed since it began.
    """
    for number in range(8):
        put(*(f"e{number // 2}-{row}" for row in range(20)))
    account.set(blind=blind)
    reports: list[Report] = []
    together(*[lambda: reports.append(sweep(MAX_MERGE_ROWS="1"))] * 2)
    assert len(reports) == 2
    for report in reports:
        report.raise_if_failed()
    assert sum(report.inserted for report in reports) == 80
    assert (
        sum(report.elsewhere for report in reports) + sum(len(report.synced) for report in reports)
        >= 8
    )
    account.set(blind="off")
    assert query("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM delete_tracker") == [(80, 80)]
    assert query(
        "SELECT COUNT(*), COUNT(DISTINCT event_file), SUM(rows_inserted) FROM delete_tracker_loads"
    ) == [(8, 8, 80)]


def test_a_sweep_that_loses_a_turn_goes_on(
    put: Put, sweep: Sweep, query: Query, account: Account
) -> None:
    """Ten other transactions, one after another, are no failed attempt."""
    put("e1")
    sweep()
    put("e2")
    # Between the sweep's login and its transaction, another transaction is committed.
    account.set(blind="off")
    turns = iter(range(4))

    def other(delay: threading.Event) -> None:
        while not delay.is_set() and next(turns, None) is not None:
            query("UPDATE delete_tracker_lock SET previous = token, token = token || 'x'")

    account.fault("delay", "COPY INTO", seconds=1.0, times=4)
    done = threading.Event()

    def first() -> None:
        try:
            assert sweep().inserted == 1
        finally:
            done.set()

    together(first, lambda: other(done))
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(2,)]


def test_a_sweep_into_another_table_hides_nothing_from_the_right_one(
    put: Put, sweep: Sweep, query: Query
) -> None:
    """A typo in SNOWFLAKE_TABLE makes another target, with load records of its own."""
    put("e1")
    assert sweep(SNOWFLAKE_TABLE="delete_trakcer").inserted == 1
    assert sweep().inserted == 1
    assert query("SELECT COUNT(*) FROM delete_tracker") == [(1,)]
