"""A sweep tells of old days that are not proven, if a person can still get them proven."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from local import emulators
from local.account import Account
from local.command_line import sync_command
from local.event_files import check, delete
from local.set_up import statements

from delete_sync.src.model import Unproven
from delete_sync.src.report import Report
from delete_sync.src.run import run
from salesforce_client.src.app.model.times import timestamp

from .conftest import Place

TODAY = datetime.now(timezone.utc).date()


def on(days_ago: int) -> str:
    """Midnight of a day, as text."""
    return timestamp(datetime.combine(TODAY - timedelta(days=days_ago), time(), timezone.utc))


def checked(name: str, days_ago: int, outcome: str = "listed", asked: int = 1) -> Any:
    """A check of one day, asked for so many days ago."""
    return check(
        f"{name} {days_ago} {outcome}",
        object_name=name,
        window_from=on(days_ago),
        window_to=on(days_ago - 1),
        outcome=outcome,
        checked_at=on(asked),
        listed=0,
    )


def told(place: Place) -> list[str]:
    return list(run(place.settings).lines())[1:]


def line(name: str, reason: str, first: int, last: int, days: int) -> str:
    begin, end = (TODAY - timedelta(days=number) for number in (first, last))
    return f"unproven object={name} days={days} first={begin} last={end} reason={reason}"


@pytest.mark.views
def test_a_sweep_tells_which_old_days_a_person_can_get_proven(
    place: Place, put: Callable[..., str]
) -> None:
    """Young days may still be checked. For days of 15 days ago and before, it is too late."""
    ages = range(1, 20)
    put(
        *(checked("Good", age) for age in ages),
        *(checked("Blind", age, "sight_unknown") for age in ages),
        *(checked("Hole", age) for age in ages if age not in (7, 8)),
        *(checked("Young", age, "listed" if age > 4 else "no_rights") for age in ages),
        *(checked("Late", age, "listed" if age < 15 else "failed") for age in ages),
        *(checked("Filtered", age, "filtered") for age in ages),
        *(checked("Removed", age, "failed", asked=6) for age in range(7, 20)),
    )
    assert told(place) == [
        line("Blind", "sight unknown", 14, 5, 10),
        line("Hole", "not covered", 8, 7, 2),
    ]


@pytest.mark.views
@pytest.mark.parametrize("outcome", ["clock", "no_rights", "failed"])
def test_each_reason_that_a_person_can_remove_is_told(
    place: Place, put: Callable[..., str], outcome: str
) -> None:
    """Nobody can do anything about ``trimmed`` or ``not replicateable``."""
    put(
        checked("Odd", 6, outcome),
        checked("Young", 3),
        checked("Odd", 3),
        *(checked(name, 6, name) for name in ("trimmed", "not_replicateable", "filtered")),
    )
    reason = "check failed" if outcome == "failed" else outcome.replace("_", " ")
    assert line("Odd", reason, 6, 6, 1) in told(place)


@pytest.mark.views
def test_an_account_with_a_default_collation_has_verdicts_and_is_searched(
    place: Place, put: Callable[..., str], snowflake: emulators.Server
) -> None:
    """Every text column has the collation. The views, the sweep and the commands work with it."""
    record = "001000000000001AAA"
    Account(snowflake, place.schema).set(parameters={"DEFAULT_DDL_COLLATION": "en-ci"})
    for statement in statements("3_views.sql", place.schema):
        place.admin(statement)
    put(delete("e1", record_id=record), *(checked("Odd", age, "no_rights") for age in (3, 6)))
    assert line("Odd", "no rights", 6, 6, 1) in told(place)
    call = sync_command(place.settings, "find", "--record", record, "--json")
    assert call.code == 0, call.text
    assert [(it["what"], it["id"]) for it in call.json["tables"]] == [("delete", "e1")]
    status = sync_command(place.settings, "status", "--json")
    assert "error" not in status.json, status.text
    for name in ("questions.sql", "monitoring.sql"):
        for statement in statements(name, place.schema):
            place.admin(statement)


def test_without_the_views_a_sweep_says_that_nobody_knows(
    place: Place, put: Callable[..., str]
) -> None:
    """It loads all files, and does not fail."""
    put("e1")
    (unknown,) = told(place)
    assert unknown.startswith("verdicts=unknown reason=unproven: ")
    assert "DELETE_TRACKER_COMPLETENESS" in unknown


def test_the_log_has_a_line_for_each_object_and_reason() -> None:
    """They come after the line of the sweep. An alert looks for ``unproven object=``."""
    bad = Unproven("Account", "sight unknown", date(2026, 2, 1), date(2026, 2, 3), 2)
    assert list(Report("s1", unproven=[bad], verdicts_unknown="no right").lines())[1:] == [
        "unproven object=Account days=2 first=2026-02-01 last=2026-02-03 reason=sight unknown",
        "verdicts=unknown reason=no right",
    ]
