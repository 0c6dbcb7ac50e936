"""Decides which windows of time a check lists, and what an answer proves. Without I/O and clock.

A window is a stretch of time of one object, in whole minutes. It has its start, but not its end.
All rules about windows are here (``docs/architecture.md``, "The check"):

- A window begins one hour before the last one ended, and the first one reaches back 15 days less
  an hour. After a gap, the whole reach is listed again.
- It ends 30 minutes before the earlier of ``latestDateCovered`` and the poll's beginning. A longer
  transaction dates its records before it commits them.
- One request asks for a day or less.
- Each day is listed again after seven days, and once more before it leaves the reach.
- The outcome ``listed`` needs evidence. Everything else has another outcome and proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from .model.checks import DeletedAnswer, Progress
from .model.times import moment_of, timestamp

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REACH = 15 * DAY - HOUR
OVERLAP = HOUR
MARGIN = 30 * MINUTE
AGAIN_AFTER = 7 * DAY
MOST_SKEW = 5 * MINUTE
SHORTEST = 2 * MINUTE  # getDeleted wants the start more than one minute before the end
RETRY_AFTER = HOUR
FAILURES_COUNT_AFTER = 3  # times CHECK_HOURS

LISTED, FAILED, NO_RIGHTS, TRIMMED = "listed", "failed", "no_rights", "trimmed"
FILTERED, CLOCK, NOT_COVERED = "filtered", "clock", "not_covered"
NOT_REPLICATEABLE, SIGHT_UNKNOWN = "not_replicateable", "sight_unknown"
VIEW_ALL, UNKNOWN_SIGHT = "view_all", "unknown"


class Window(NamedTuple):
    """A stretch of time that is listed at once.

    Attributes:
        start, end: in whole minutes, of the same UTC day.
        asked_until: the end that getDeleted is asked for. It is later than ``end`` if Salesforce
            may not cover the end yet.
        main: it is a part of the window that continues the last one. Otherwise an old day is listed
            again.
        ends_day: with it, its whole UTC day is listed.
    """

    start: datetime
    end: datetime
    asked_until: datetime
    main: bool
    ends_day: bool

    @property
    def day(self) -> str:
        """Its UTC day, ``2026-01-31``."""
        return f"{self.start:%Y-%m-%d}"

    def has(self, date: str) -> bool:
        """Whether a time, as text, is within the window."""
        return timestamp(self.start) <= date < timestamp(self.end)

    def halves(self) -> Optional[tuple[Window, Window]]:
        """Its two halves in whole minutes. None if they would be too short for getDeleted."""
        middle = _minute(self.start + (self.end - self.start) / 2)
        if min(middle - self.start, self.end - middle) < SHORTEST:
            return None
        left = self._replace(end=middle, asked_until=middle, ends_day=False)
        return left, self._replace(start=middle)


def is_due(progress: Progress, began: datetime, hours: float) -> bool:
    """Whether a poll checks the object. A check that did not work is tried again after an hour.

    Args:
        progress: of the object.
        began: when the poll began.
        hours: the setting CHECK_HOURS.
    """
    pause = timedelta(hours=hours)
    if progress.checked_at and began < moment_of(progress.checked_at) + pause:
        return False
    return not progress.tried_at or began >= moment_of(progress.tried_at) + min(pause, RETRY_AFTER)


def is_overdue(progress: Progress, began: datetime, hours: float) -> bool:
    """Whether the object was not checked for so long that the poll must fail."""
    last = moment_of(progress.succeeded_at or progress.since)
    return began - last > timedelta(hours=hours * FAILURES_COUNT_AFTER)


def windows(progress: Progress, began: datetime, hours: float) -> list[Window]:
    """The windows to list now, the oldest first.

    Args:
        progress: of the object. If it is ``whole``, the whole reach is listed.
        began: when the poll began.
        hours: the setting CHECK_HOURS.
    """
    oldest = _minute(began - REACH) + MINUTE
    end = _minute(began - MARGIN)
    start = oldest
    if progress.window_to and not progress.whole:
        start = max(oldest, moment_of(progress.window_to) - OVERLAP)
    main = list(_pieces(start, end))
    whole = {piece.day for piece in main if piece.ends_day}
    again = [
        Window(day, day + DAY, day + DAY, main=False, ends_day=True)
        for day in _days(oldest, end)
        if f"{day:%Y-%m-%d}" not in whole and _is_listed_again(day, progress, began, hours)
    ]
    return sorted([*main, *again])


def covered(window: Window, answer: DeletedAnswer) -> Optional[Window]:
    """The part of a window that the answer covers. None if it covers no part.

    If Salesforce covers less than it was asked for, transactions were open at that time.
    """
    latest = moment_of(answer.latest)
    if latest >= window.asked_until:
        return window
    end = _minute(latest - MARGIN)
    if end >= window.end:
        return window
    if end - window.start < SHORTEST:
        return None
    return window._replace(end=end, asked_until=end, ends_day=False)


def outcome_of(window: Window, answer: DeletedAnswer, sight: str) -> str:
    """What an answer to a listing proves. The object is replicateable.

    Args:
        window: the part of the window that the answer covers.
        answer: what getDeleted answered.
        sight: ``view_all`` if the user's permission sets say that the user sees every record.
    """
    if moment_of(answer.earliest) > window.start:
        return NOT_COVERED
    return LISTED if sight == VIEW_ALL else SIGHT_UNKNOWN


def after_trimmed(
    window: Window, is_trimmed: Callable[[datetime], bool]
) -> tuple[Window, Optional[Window]]:
    """What to do with a window whose start is before Salesforce's log.

    Returns the part that counts as trimmed, and the part to ask for next. The log begins in the
    last half an hour of the first one. If the log begins later or if the window has an hour or
    less, all of it counts as trimmed.

    Args:
        window: the window.
        is_trimmed: asks whether Salesforce refuses a start.
    """
    before, after = window.start, window.end - SHORTEST
    if window.end - before <= HOUR or is_trimmed(after):
        return window, None
    while after - before > MARGIN:
        middle = _minute(before + (after - before) / 2)
        if is_trimmed(middle):
            before = middle
        else:
            after = middle
    trimmed = window._replace(end=after, asked_until=after, ends_day=False)
    return trimmed, window._replace(start=after)


def is_wrong(skew: timedelta) -> bool:
    """Whether the clocks of this machine and of Salesforce differ too much for any proof."""
    return abs(skew) > MOST_SKEW


def _pieces(start: datetime, end: datetime) -> Iterator[Window]:
    """The main window, cut at midnight. Each piece is asked for at once."""
    while start < end:
        stop = min(_day(start) + DAY, end)
        if stop == end and end + MARGIN - start > DAY:
            stop = start + DAY / 2
        asked_until = end + MARGIN if stop == end else max(stop, start + SHORTEST)
        yield Window(start, stop, asked_until, main=True, ends_day=_ends_day(start, stop))
        start = stop


def _ends_day(start: datetime, end: datetime) -> bool:
    return start == _day(start) and end == start + DAY


def _is_listed_again(day: datetime, progress: Progress, began: datetime, hours: float) -> bool:
    """Whether a day that has ended is listed again now."""
    last = progress.listed_again.get(f"{day:%Y-%m-%d}")
    listed_at = moment_of(last) if last else day
    # A day leaves the reach with its first minute. Two checks may still be ahead of that.
    leaves = day + REACH - 2 * timedelta(hours=hours)
    points = (day + DAY + AGAIN_AFTER, leaves)
    return any(listed_at < point <= began for point in points)


def _days(oldest: datetime, end: datetime) -> Iterator[datetime]:
    """The whole UTC days within the reach that have ended."""
    first = _day(oldest) if oldest == _day(oldest) else _day(oldest) + DAY
    for number in range(max(math.floor((end - first) / DAY), 0)):
        yield first + number * DAY


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
