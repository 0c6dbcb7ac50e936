"""The rules of the transaction, under random interleavings of two sweeps.

``local/interleavings.py`` runs the sync's own loaders. Each rule is needed: without it, some of the
runs break a promise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from local import interleavings, warehouse
from local.account import Account
from local.interleavings import Faults, Result

from delete_sync.src.report import Report
from delete_sync.src.warehouse import session
from delete_sync.src.warehouse.attempt import Attempt

READINGS = ("silent", "error")
Runs = Callable[..., Iterator[Result]]
TABLES = ("", "_loads", "_gaps", "_rejects", "_polls", "_lock")
Put = Callable[..., str]
Sweep = Callable[..., Report]


@pytest.fixture
def runs(
    put: Put,
    sweep: Sweep,
    snowflake_settings: Mapping[str, str],
    account: Account,
    tmp_path: Path,
) -> Runs:
    """Run some seeds one after another, each without the tables.

    An ordinary sweep makes what is not dropped, so a run has the same statements whatever ran
    before it.
    """
    put("e")
    sweep()

    def several(
        reading: str, blind: str, seeds: range, faults: Faults | None = None
    ) -> Iterator[Result]:
        for seed in seeds:
            account.set(reading=reading, blind=blind, seed=seed)
            with warehouse.connect(snowflake_settings) as connection:
                for table in TABLES:
                    warehouse.query(connection, f"DROP TABLE IF EXISTS delete_tracker{table}")
            yield interleavings.run(seed, snowflake_settings, account, tmp_path, faults)

    return several


@pytest.mark.parametrize("reading", READINGS)
def test_two_sweeps_at_once_break_no_promise(runs: Runs, reading: str) -> None:
    """Nothing is doubled, no load record claims rows that are not there, and no sweep that ends
    well leaves a file. The load records count exactly the rows of the table.
    """
    results = [*runs(reading, "random", range(8)), *runs(reading, "always", range(8, 12))]
    assert [result for result in results if result] == []
    assert sum(result.outcomes.count("ok") for result in results) >= 12


def without_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the condition on the lock row's token out of every statement."""
    for file in session.FOLDER.glob("*.sql"):
        guarded = re.sub(
            r"JOIN {lock} g ON g\.token = %s",
            "JOIN (SELECT %s AS token) g ON 1 = 1",
            session.SQL[file.stem],
        )
        monkeypatch.setitem(session.SQL, file.stem, guarded)


def without_known_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on although another sweep has committed since the session began."""
    monkeypatch.setattr(
        Attempt,
        "take_lock",
        lambda attempt, _: attempt._session.change("take_lock", [attempt.token]),
    )


def without_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe COMMIT."""
    monkeypatch.setitem(
        session.SQL,
        "records_of_token",
        "SELECT v:event_file::VARCHAR AS event_file FROM {staging} "
        "WHERE v:kind::VARCHAR = 'file' AND %s <> ''",
    )


# The rule, the reading of an ended transaction, what goes wrong without the rule, and seeds. The
# first of them shows it. After a change of the statements it may be a later one.
RULES = [
    (without_guard, "silent", "doubled", range(102, 190)),
    (without_known_token, "silent", "doubled", range(140, 190)),
    (without_known_token, "error", "doubled", range(102, 190)),
    (without_read_back, "silent", "green_but_not_loaded", range(114, 190)),
]


@pytest.mark.parametrize(
    ("leave_out", "reading", "broken", "seeds"),
    RULES,
    ids=[f"{rule.__name__}-{reading}" for rule, reading, _, _ in RULES],
)
def test_a_rule_that_is_left_out_breaks_a_promise(
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    leave_out: Callable[[pytest.MonkeyPatch], None],
    reading: str,
    broken: str,
    seeds: range,
) -> None:
    """So this test would see a statement or a step without the rule."""
    leave_out(monkeypatch)
    often = Faults(aborts=0.2, lost_commits=0.1, failed_rollbacks=0.5)
    assert any(getattr(result, broken) for result in runs(reading, "always", seeds, often))
