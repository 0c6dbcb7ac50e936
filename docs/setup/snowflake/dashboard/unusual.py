"""Decides which days are unusual for a user or an object, against their own past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

PAST_DAYS = 28
LEAST_PAST_DAYS = 7  # a shorter past says nothing
TIMES = 5
DAY = timedelta(days=1)


@dataclass(frozen=True)
class UnusualDay:
    """A day on which somebody deleted much more than usual.

    Attributes:
        usual: the median of the days before.
        distance: the median distance of those days from it, at least 1.
        past_days: how many days before were looked at.
    """

    day: date
    name: str
    deletes: int
    usual: float
    distance: float
    past_days: int

    @property
    def times(self) -> float:
        """How many usual distances the day lies above the usual number."""
        return (self.deletes - self.usual) / self.distance


def unusual_days(
    counts: Mapping[str, Mapping[date, int]], first_day: date, begin: date, least: int
) -> list[UnusualDay]:
    """The unusual days since ``begin``, the most unusual first.

    Args:
        counts: deletes of each name by day. A day that is not there had none.
        first_day: the first day of the table.
        begin: the first day to judge. An earlier day is only past.
        least: a day with fewer deletes is never unusual.
    """
    found = [
        judged
        for name, days in counts.items()
        for judged in _of_one(name, days, first_day, begin, least)
    ]
    return sorted(found, key=lambda it: (-it.times, -it.day.toordinal(), it.name))


def _of_one(
    name: str, days: Mapping[date, int], first_day: date, begin: date, least: int
) -> Iterator[UnusualDay]:
    for day, deletes in days.items():
        past_days = min(PAST_DAYS, (day - first_day).days)
        if day < begin or deletes < least or past_days < LEAST_PAST_DAYS:
            continue
        past = [days.get(day - back * DAY, 0) for back in range(1, past_days + 1)]
        usual = median(past)
        distance = max(1.0, median(abs(one - usual) for one in past))
        judged = UnusualDay(day, name, deletes, usual, distance, past_days)
        if judged.times > TIMES:
            yield judged
