"""What the views claim of random histories is true, in any order and cut of the event files.

Each history is an object of its own, so one comparison judges all of them. Each tempting shortcut
claims too much, and these tests see it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local import comparison, emulators, histories
from local.comparison import Target
from local.histories import History

from delete_sync.src.warehouse.session import SQL

HISTORIES = 120
SEED = 20260201


@pytest.fixture
def target(snowflake: emulators.Server) -> Iterator[Target]:
    with comparison.target(snowflake.settings) as made:
        yield made


def generated(**options: Any) -> list[History]:
    return [
        histories.history(number, random.Random(f"{SEED}-{number}"), **options)
        for number in range(HISTORIES)
    ]


def load(target: Target, rows: list[tuple[str, dict[str, Any]]], event_file: str = "") -> None:
    for part, some in histories.tables(rows):
        given = [{**row, "event_file": event_file} for row in some] if part == "checks" else some
        target.add(part, given)


def sweep_all(target: Target, made: list[History]) -> None:
    """Load all files, and compare once."""
    for minute, rows in histories.files(made).items():
        load(target, rows, histories.name_of(minute))
    target.compare()


def claims(target: Target) -> dict[str, list[tuple[Any, ...]]]:
    """What the views say."""
    return {
        "deletes": target.query(
            "SELECT event_id, record_id, deleted_date, source FROM delete_tracker_deletes "
            "ORDER BY record_id, deleted_date, event_id"
        ),
        "completeness": target.query(
            "SELECT object_name, day, verdict, reason, listed, tracked, recovered "
            "FROM delete_tracker_completeness ORDER BY object_name, day"
        ),
        "latest": target.query(
            "SELECT record_id, deleted_now, confirmed_at, deleted_date FROM delete_tracker_latest "
            "ORDER BY record_id"
        ),
    }


def problems(made: list[History], said: dict[str, list[tuple[Any, ...]]]) -> dict[str, int]:
    return histories.problems(
        made,
        said["deletes"],
        {(name, day): verdict for name, day, verdict, *_ in said["completeness"]},
        {record: (now, confirmed) for record, now, confirmed, _ in said["latest"]},
    )


def test_the_views_claim_nothing_that_is_not_true_for_any_order_of_the_files(
    target: Target, snowflake: emulators.Server
) -> None:
    """No false proof, no recovered delete too many, none twice, and no living record confirmed.

    First the files come in the order of their names, with a sweep for each day. Then they come in
    random order, with some sweeps that leave files.
    """
    made = generated()
    files = histories.files(made)
    target.create_views()
    for place, (minute, rows) in enumerate(files.items()):
        load(target, rows, histories.name_of(minute))
        if place % 5 == 4:
            target.compare()
    target.compare()
    said = claims(target)
    assert problems(made, said) == {"false_proof": 0, "extra": 0, "doubled": 0, "lives": 0}
    verdicts = [verdict for _, _, verdict, *_ in said["completeness"]]
    # The tests of this file would prove nothing if the views never claimed anything.
    assert min(verdicts.count("proven"), verdicts.count("repaired")) > HISTORIES / 4
    assert [source for *_, source in said["deletes"]].count("check") > HISTORIES / 4
    assert [confirmed for _, _, confirmed, _ in said["latest"]].count(None) < HISTORIES

    chance = random.Random(SEED)
    order = chance.sample(list(files), len(files))
    with comparison.target(snowflake.settings) as other:
        other.create_views()
        left = sorted(order[: len(order) // 2])  # these are in the container from the beginning
        for minute in [*chance.sample(left, len(left)), *order[len(order) // 2 :]]:
            load(other, files[minute], histories.name_of(minute))
            left = [one for one in left if one != minute]
            if chance.random() < 0.2:
                other.compare(histories.name_of(left[0]) if left else comparison.ALL)
        other.compare()
        assert claims(other) == said


def same_at_or_after(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Any row at or after the listed date counts as its row."""
    replace(
        monkeypatch,
        "relations",
        "WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)\n"
        "            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'",
        "WHEN o.happened_at >= DATEADD('minute', -10, l.deleted_date) THEN 'same'",
    )
    return {}


def tolerance_of_a_day(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A row within a day counts as the row of a listed delete."""
    replace(monkeypatch, "relations", "-10, l.deleted_date)", "-1500, l.deleted_date)")
    replace(monkeypatch, "relations", "10, l.deleted_date) THEN", "1500, l.deleted_date) THEN")
    return {}


def unclear_is_recovered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What may be the same is added."""
    replace(monkeypatch, "relations", "ELSE 'unclear'", "ELSE 'different'")
    return {}


def dated_by_get_deleted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The date of the entry counts, although it may have moved."""
    return {"dated_by_get_deleted": True}


def replace(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Change a text of the sync, and that of the view."""
    assert old in SQL[name]
    views = comparison.view_statements()
    changed = [view.replace(old, new) for view in views]
    assert changed != views
    monkeypatch.setitem(SQL, name, SQL[name].replace(old, new))
    monkeypatch.setattr(comparison, "view_statements", lambda: changed)


@pytest.mark.parametrize(
    ("shortcut", "problem"),
    [
        (same_at_or_after, "false_proof"),
        (tolerance_of_a_day, "false_proof"),
        (unclear_is_recovered, "extra"),
        (dated_by_get_deleted, "false_proof"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_shortcut_claims_too_much(
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    shortcut: Callable[[pytest.MonkeyPatch], dict[str, Any]],
    problem: str,
) -> None:
    """So the test above would see it."""
    made = generated(**shortcut(monkeypatch))
    target.create_views()
    sweep_all(target, made)
    assert problems(made, claims(target))[problem] > 0
