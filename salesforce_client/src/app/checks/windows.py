"""Lists the deletes of one object, window by window, and makes rows of the answers.

``completeness.py`` decides about windows and outcomes, ``listing.py`` about rows. One window is in
memory at a time: a day of the object, or less.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from .. import completeness
from ..completeness import Window
from ..errors import ListTooLongError, ListTrimmedError
from ..model.checks import DeletedAnswer, Entry
from ..model.times import timestamp
from . import reasons
from .days import Days
from .details import DetailLists, Details, TooManyRecordsError
from .file import CheckFile
from .listing import Listing
from .poll import Poll
from .rows import CheckRows


class WindowLists(DetailLists, Protocol):
    """What Salesforce says of a window. Every method may raise a CollectorError."""

    def deleted(
        self, object_name: str, start: datetime, end: datetime, *, bounded: bool
    ) -> DeletedAnswer:
        """The answer of getDeleted. ``bounded`` refuses one that needs too much memory."""


class WrongClockError(Exception):
    """The clocks of Salesforce and of this machine differ, or cannot be compared."""


class Windows:
    """The windows of one object. Put them into ``waiting``, and list one after the other.

    Args:
        poll: see there.
        object_name: the object.
        fields: the fields that it has.
        lists: answers the questions.
        file: takes the rows.
        rows: makes the rows of the checks.
        days: keeps the entries.
        spare: returns how many requests are left for questions that ``listed`` does not need. Its
            argument is the number of windows of this object that still wait.
        done: called with each window that is done.

    Attributes:
        waiting: the windows that still wait, the oldest first.
    """

    def __init__(
        self,
        poll: Poll,
        object_name: str,
        fields: frozenset[str],
        lists: WindowLists,
        file: CheckFile,
        rows: CheckRows,
        days: Days,
        spare: Callable[[int], int],
        done: Callable[[Window], None],
    ) -> None:
        self._poll = poll
        self._name = object_name
        self._lists = lists
        self._file = file
        self._rows = rows
        self._days = days
        self._done = done
        self.waiting: deque[Window] = deque()
        self._details = Details(
            poll, object_name, fields, lists, file, rows, lambda: spare(len(self.waiting))
        )
        self._covers = False  # a part of the main window
        self._uncovered = ""  # why a part of it is not covered

    def not_covered(self) -> str:
        """Why Salesforce covers no part of the main window. Empty if it covers one."""
        return "" if self._covers else self._uncovered

    def list_next(self) -> None:
        """List the next window, and note what is done. Its rows are in the file.

        Raises:
            WrongClockError: nothing of the window is noted.
        """
        window = self.waiting.popleft()
        checked_at = timestamp(self._poll.clock())
        halves = window.halves()
        try:
            answer = self._lists.deleted(
                self._name, window.start, window.asked_until, bounded=halves is not None
            )
            part = completeness.covered(window, answer)
            if part is None:
                self._nothing_covered(window, answer, checked_at)
                return
            listing = self._listing(part, answer.entries, checked_at)
            self._details.ask(listing, part, splittable=halves is not None)
        except (ListTooLongError, TooManyRecordsError):
            if halves is None:
                raise
            self.waiting.extendleft(reversed(halves))
            return
        except ListTrimmedError as error:
            self._trimmed(window, error.text, checked_at)
            return
        outcome = completeness.outcome_of(part, answer, self._rows.sight)
        self._listed(listing, part, outcome, reasons.of_answer(outcome, answer), checked_at)
        if part.end < window.end:
            self._drop_what_follows(window)

    def _listing(self, window: Window, entries: Sequence[Entry], checked_at: str) -> Listing:
        if problem := reasons.clock_problem(self._lists.skew):
            raise WrongClockError(problem)
        return Listing(
            self._name,
            self._rows.id_of(window, checked_at),
            window,
            entries,
            self._days.share(window.day, entries),
            sees_all=self._rows.sight == completeness.VIEW_ALL,
        )

    def _listed(
        self, listing: Listing, window: Window, outcome: str, why: str, checked_at: str
    ) -> None:
        """Note a window. Its rows are in the file, but for the rest."""
        self._file.add(listing.rest())
        self._rows.add(window, outcome, why, checked_at, listed=listing.listed)
        self._days.keep(listing.kept())
        self._rows.count_restores(listing.restored)
        self._note_cover(window, outcome, why)
        self._done(window)

    def _nothing_covered(self, window: Window, answer: DeletedAnswer, checked_at: str) -> None:
        why = f"Salesforce covers only what is before {answer.latest}"
        self._rows.add(window, completeness.NOT_COVERED, why, checked_at)
        self._note_cover(window, completeness.NOT_COVERED, why)
        self._drop_what_follows(window)

    def _trimmed(self, window: Window, why: str, checked_at: str) -> None:
        """Ask queryAll about the part before the log. The recycle bin may still have its records.

        That proves nothing, because the bin may have lost others.
        """
        trimmed, following = completeness.after_trimmed(window, self._is_trimmed)
        if following:
            self.waiting.appendleft(following)
        halves = trimmed.halves()
        listing = self._listing(trimmed, (), checked_at)
        try:
            self._details.ask(listing, trimmed, splittable=halves is not None)
        except TooManyRecordsError:
            assert halves, "it is only raised if the window can be split"
            self.waiting.extendleft(reversed(halves))
            return
        self._listed(listing, trimmed, completeness.TRIMMED, why, checked_at)

    def _is_trimmed(self, start: datetime) -> bool:
        """Whether Salesforce's log begins after a time. The answer itself is not used."""
        end = start + completeness.SHORTEST
        try:
            self._lists.deleted(self._name, start, end, bounded=False)
        except ListTrimmedError:
            return True
        except ListTooLongError:
            return False
        return False

    def _drop_what_follows(self, window: Window) -> None:
        """A later window must not count as listed before this one: it would leave a hole.

        That is every later part of the main window, or the other half of an old day.
        """
        self.waiting = deque(
            other
            for other in self.waiting
            if other.main != window.main or not (window.main or other.day == window.day)
        )

    def _note_cover(self, window: Window, outcome: str, why: str) -> None:
        """Note whether Salesforce covers a part of the main window."""
        if not window.main:
            return
        if outcome == completeness.NOT_COVERED:
            self._uncovered = why
        else:
            self._covers = True
