"""The rule of the page *Unusual days*."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import unusual

FIRST = date(2026, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def judged(counts: dict[int, int], least: int = 10, begin: int = 0) -> list[tuple[int, float]]:
    """The numbers of the unusual days, and how many distances each lies above the usual."""
    days = {day(number): deletes for number, deletes in counts.items()}
    found = unusual.unusual_days({"a user": days}, FIRST, day(begin), least)
    return [((it.day - FIRST).days, it.times) for it in found]


def test_a_day_far_above_the_own_past_is_unusual() -> None:
    """The past is 10 and 12 in turns: median 11, distance 1. So 16 is the most that is usual."""
    past = {number: 10 + number % 2 * 2 for number in range(28)}
    assert judged({**past, 28: 16}) == []
    assert judged({**past, 28: 17}) == [(28, 6.0)]


def test_one_large_day_does_not_make_the_next_one_usual() -> None:
    """An average would be moved by the first one, a median is not."""
    past = dict.fromkeys(range(28), 10)
    assert [number for number, _ in judged({**past, 28: 500, 29: 400})] == [28, 29]


def test_who_deletes_as_much_every_few_days_has_no_unusual_day() -> None:
    """The distance of a past with many large days is large."""
    past = {number: (0, 40)[number % 2] for number in range(28)}
    assert judged({**past, 28: 60}, begin=28) == []


def test_who_never_deleted_before_is_unusual_with_the_least_number() -> None:
    """Days without deletes count as 0."""
    assert judged({20: 10}) == [(20, 10.0)]
    assert judged({20: 9}) == []


@pytest.mark.parametrize(("number", "expected"), [(6, []), (7, [(7, 50.0)])])
def test_a_day_needs_seven_days_of_past(number: int, expected: list[tuple[int, float]]) -> None:
    """Before the table begins, nobody knows what was deleted."""
    assert judged({number: 50}) == expected


def test_only_the_28_days_before_a_day_count() -> None:
    """So somebody who takes over a clean-up is usual after two weeks."""
    taken_over = judged(dict.fromkeys(range(53, 70), 30))
    assert [number for number, _ in taken_over] == [*range(66, 52, -1)]


def test_days_before_the_period_are_only_past() -> None:
    """They are not listed, and the most unusual day comes first."""
    assert judged({10: 50, 20: 60, 30: 90}, begin=15) == [(30, 90.0), (20, 60.0)]
