"""Checks one object: asks Salesforce for the windows that are due, and makes rows of the answers.

``completeness.py`` decides about windows and outcomes, ``listing.py`` about rows. One window is in
memory at a time: a day of the object, or less.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from .. import completeness
from ..completeness import Window
from ..errors import (
    CallsSpentError,
    CheckRefusedError,
    CollectorError,
    ListTooLongError,
    ListTrimmedError,
    LocalStorageError,
    StorageUnavailableError,
)
from ..model import DeletedAnswer, Described, Entry, Progress, timestamp
from ..report import CheckReport, reason_of
from . import reasons
from .days import Days
from .details import DetailLists, Details, TooManyRecordsError
from .file import CheckFile
from .listing import Listing
from .poll import Poll
from .rows import CheckRows

log = logging.getLogger(__name__)

WAITS = "waits"
# Storage that refuses may refuse only a blob of this object.
OF_ALL_OBJECTS = (LocalStorageError, StorageUnavailableError)


class Lists(DetailLists, Protocol):
    """What Salesforce says when a check asks. Every method may raise a CollectorError."""

    @property
    def calls(self) -> int:
        """The number of requests so far."""

    def describe(self, object_name: str) -> Described:
        """What an object is."""

    def views_all(self, object_name: str) -> bool:
        """Whether the permission sets of the user say that the user sees every record."""

    def deleted(
        self, object_name: str, start: datetime, end: datetime, *, bounded: bool
    ) -> DeletedAnswer:
        """The answer of getDeleted. ``bounded`` refuses one that needs too much memory."""


class ObjectCheck:
    """The check of one object. Call ``run`` once.

    Args:
        poll: see there.
        progress: how far the checks of the object are.
        lists: answers the questions.
        file: takes the rows and the progress.
        spare: returns how many requests are left for questions that ``listed`` does not need. Its
            argument is the number of windows of this object that still wait.
        calls_before: how many requests count for other objects.

    Attributes:
        report: what the check did.
        progress: how far the checks of the object are now.
    """

    def __init__(
        self,
        poll: Poll,
        progress: Progress,
        lists: Lists,
        file: CheckFile,
        spare: Callable[[int], int],
        calls_before: int = 0,
    ) -> None:
        self._poll = poll
        self._name = progress.object_name
        self._lists = lists
        self._file = file
        self._spare = spare
        self._windows: deque[Window] = deque()
        self._calls_before = calls_before
        self._covers = False  # a part of the main window
        self._uncovered = ""  # why a part of it is not covered
        self.report = CheckReport(self._name)
        self.progress = progress
        self._rows = CheckRows(poll, self.report, file)
        self._days = Days(self._name, file)

    def run(self, *, filtered: bool) -> None:
        """Check the object. Errors are in the report and in the progress.

        Args:
            filtered: somebody wants only some deletes of the object.

        Raises:
            StorageUnavailableError, StorageRefusedError, LocalStorageError: nothing more can be
                stored.
        """
        began = self._poll.began_at
        self.progress = replace(self.progress, tried_at=began)
        try:
            if self._ask(filtered=filtered):
                self.progress = replace(
                    self.progress, checked_at=began, succeeded_at=began, error=""
                )
        except CallsSpentError as spent:
            self._wait(f"{spent.text}; if this stays, raise MAX_CHECK_CALLS")
        except Exception as error:
            if self._file.broken or isinstance(error, OF_ALL_OBJECTS):
                raise
            self._fail(error)
        self.report.calls = self._lists.calls - self._calls_before
        self.progress = replace(self.progress, outcome=self.report.outcome)
        self._days.flush()
        self._file.move(self.progress)

    def _ask(self, *, filtered: bool) -> bool:
        """Ask everything. Returns whether the check is complete."""
        if filtered:
            return self._without_windows(completeness.FILTERED, reasons.FILTERED)
        described = self._lists.describe(self._name)
        if problem := reasons.clock_problem(self._lists.skew):
            why = f"{self._name}: {problem}"
            self._without_windows(completeness.CLOCK, why)
            self.progress = replace(self.progress, error=why)
            return False
        if described.name != self._name:
            raise CheckRefusedError(
                f"{self._name}: Salesforce writes the name of this object as {described.name};"
                " write it so in CHECK_OBJECTS"
            )
        if not described.replicateable:
            why = reasons.NOT_REPLICATEABLE
            return self._without_windows(completeness.NOT_REPLICATEABLE, why)
        self._look_at_sight()
        self._windows = deque(
            completeness.windows(self.progress, self._poll.began, self._poll.hours)
        )
        details = Details(
            self._poll,
            self._name,
            described.fields,
            self._lists,
            self._file,
            self._rows,
            lambda: self._spare(len(self._windows)),
        )
        while self._windows:
            self._list(self._windows.popleft(), details)
            if self._file.is_full:
                self._publish()
        if self._uncovered and not self._covers:
            self.progress = replace(self.progress, error=f"{self._name}: {self._uncovered}")
            return False
        return True

    def _look_at_sight(self) -> None:
        """Read whether the user sees all records, and decide whether the whole reach is listed.

        Describe says nothing about that. Only permission sets do.
        """
        try:
            if self._lists.views_all(self._name):
                self._rows.sight = completeness.VIEW_ALL
        except CheckRefusedError as error:
            log.warning("check object=%s sight=unknown reason=%s", self._name, error.text)
        sees = self._rows.sight == completeness.VIEW_ALL
        whole = self.progress.whole or (self.progress.blind and sees)
        # If the listing is interrupted, the next one continues where it ended.
        self.progress = replace(
            self.progress,
            whole=False,
            blind=not sees,
            window_to=None if whole else self.progress.window_to,
        )

    # -- one window

    def _list(self, window: Window, details: Details) -> None:
        """List a window, and note what is done. Its rows are in the file."""
        checked_at = timestamp(self._poll.clock())
        halves = window.halves()
        try:
            answer = self._lists.deleted(
                self._name, window.start, window.asked_until, bounded=halves is not None
            )
            part = completeness.covered(window, answer)
            if part is None:
                self._not_covered(window, answer, checked_at)
                return
            listing = self._listing(part, answer.entries, checked_at)
            details.ask(listing, part, splittable=halves is not None)
        except (ListTooLongError, TooManyRecordsError):
            if halves is None:
                raise
            self._windows.extendleft(reversed(halves))
            return
        except ListTrimmedError as error:
            self._trimmed(window, error.text, checked_at, details)
            return
        outcome = completeness.outcome_of(part, answer, self._rows.sight)
        self._listed(listing, part, outcome, reasons.of_answer(outcome, answer), checked_at)
        if part.end < window.end:
            self._drop_what_follows(window)

    def _listing(self, window: Window, entries: Sequence[Entry], checked_at: str) -> Listing:
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
        self.report.restored += listing.restored
        self._note_cover(window, outcome, why)
        self._done(window)

    def _note_cover(self, window: Window, outcome: str, why: str) -> None:
        """Note whether Salesforce covers a part of the main window. If none, the check failed."""
        if not window.main:
            return
        if outcome == completeness.NOT_COVERED:
            self._uncovered = why
        else:
            self._covers = True

    def _not_covered(self, window: Window, answer: DeletedAnswer, checked_at: str) -> None:
        why = f"Salesforce covers only what is before {answer.latest}"
        self._rows.add(window, completeness.NOT_COVERED, why, checked_at)
        self._note_cover(window, completeness.NOT_COVERED, why)
        self._drop_what_follows(window)

    def _trimmed(self, window: Window, why: str, checked_at: str, details: Details) -> None:
        """Ask queryAll about the part before the log. The recycle bin may still have its records.

        That proves nothing, because the bin may have lost others.
        """
        trimmed, following = completeness.after_trimmed(window, self._is_trimmed)
        if following:
            self._windows.appendleft(following)
        halves = trimmed.halves()
        listing = self._listing(trimmed, (), checked_at)
        try:
            details.ask(listing, trimmed, splittable=halves is not None)
        except TooManyRecordsError:
            assert halves, "it is only raised if the window can be split"
            self._windows.extendleft(reversed(halves))
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
        self._windows = deque(
            other
            for other in self._windows
            if other.main != window.main or not (window.main or other.day == window.day)
        )

    # -- what is done

    def _done(self, window: Window) -> None:
        """Note a window as done."""
        progress = self.progress
        if window.main:
            progress = replace(progress, window_to=timestamp(window.end))
        if window.ends_day:
            oldest = f"{self._poll.began - completeness.REACH:%Y-%m-%d}"
            days = {**progress.listed_again, window.day: self._poll.began_at}
            progress = replace(
                progress, listed_again={day: at for day, at in days.items() if day >= oldest}
            )
        self.progress = progress

    def _publish(self) -> None:
        """Publish a full file, and the progress with it.

        During the upload, the file is in memory. So the lists of the last window must be gone.
        """
        self._days.flush()
        self._file.move(self.progress)
        self._file.publish()

    def _without_windows(self, outcome: str, why: str) -> bool:
        """Leave a check of the main window that lists nothing. Returns that this is complete."""
        main = [
            window
            for window in completeness.windows(self.progress, self._poll.began, self._poll.hours)
            if window.main
        ]
        if main:
            whole = main[0]._replace(end=main[-1].end, ends_day=False)
            self._rows.add(whole, outcome, why, timestamp(self._poll.clock()))
        return True

    def _fail(self, error: Exception) -> None:
        if isinstance(error, CollectorError):
            why = error.text
        else:
            log.exception("check object=%s unexpected failure", self._name)
            why = reason_of(error)
        outcome = completeness.FAILED
        self.progress = replace(self.progress, error=why)
        if isinstance(error, CheckRefusedError) and error.no_rights:
            outcome = completeness.NO_RIGHTS
            self.progress = replace(self.progress, checked_at=self._poll.began_at)
        self._without_windows(outcome, why)

    def _wait(self, why: str) -> None:
        self.report.outcome, self.report.reason = WAITS, why
        self.progress = replace(self.progress, error=why)
