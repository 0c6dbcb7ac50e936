"""Checks one object: what it is, what the user sees of it, and its windows that are due.

``windows.py`` lists the windows. ``completeness.py`` decides which.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from .. import completeness
from ..completeness import Window
from ..errors import (
    CallsSpentError,
    CheckRefusedError,
    CollectorError,
    LocalStorageError,
    StorageUnavailableError,
)
from ..model.checks import Described, Progress
from ..model.times import timestamp
from ..report import CheckReport, reason_of
from . import reasons
from .days import Days
from .file import CheckFile
from .poll import Poll
from .rows import CheckRows
from .windows import WindowLists, Windows, WrongClockError

log = logging.getLogger(__name__)

WAITS = "waits"
# Storage that refuses may refuse only a blob of this object.
OF_ALL_OBJECTS = (LocalStorageError, StorageUnavailableError)


class Lists(WindowLists, Protocol):
    """What Salesforce says when a check asks. Every method may raise a CollectorError."""

    @property
    def calls(self) -> int:
        """The number of requests so far."""

    def describe(self, object_name: str) -> Described:
        """What an object is."""

    def views_all(self, object_name: str) -> bool:
        """Whether the permission sets of the user say that the user sees every record."""


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
        self._calls_before = calls_before
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
        self.progress = self.progress._replace(tried_at=began)
        try:
            if self._ask(filtered=filtered):
                self.progress = self.progress._replace(
                    checked_at=began, succeeded_at=began, error=""
                )
        except WrongClockError as wrong:
            why = f"{self._name}: {wrong}"
            self._without_windows(completeness.CLOCK, why)
            self.progress = self.progress._replace(error=why)
        except CallsSpentError as spent:
            self._wait(f"{spent.text}; if this stays, raise MAX_CHECK_CALLS")
        except Exception as error:
            if self._file.broken or isinstance(error, OF_ALL_OBJECTS):
                raise
            self._fail(error)
        self.report.calls = self._lists.calls - self._calls_before
        self.progress = self.progress._replace(outcome=self.report.outcome)
        self._days.flush()
        self._file.move(self.progress)

    def _ask(self, *, filtered: bool) -> bool:
        """Ask everything. Returns whether the check is complete."""
        if filtered:
            return self._without_windows(completeness.FILTERED, reasons.FILTERED)
        described = self._lists.describe(self._name)
        if problem := reasons.clock_problem(self._lists.skew):
            raise WrongClockError(problem)
        if described.name != self._name:
            raise CheckRefusedError(
                f"{self._name}: Salesforce writes the name of this object as {described.name};"
                " write it so in CHECK_OBJECTS"
            )
        if not described.replicateable:
            why = reasons.NOT_REPLICATEABLE
            return self._without_windows(completeness.NOT_REPLICATEABLE, why)
        self._look_at_sight()
        windows = Windows(
            self._poll,
            self._name,
            described.fields,
            self._lists,
            self._file,
            self._rows,
            self._days,
            self._spare,
            self._done,
        )
        windows.waiting += completeness.windows(self.progress, self._poll.began, self._poll.hours)
        while windows.waiting:
            windows.list_next()
            if self._file.is_full:
                self._publish()
        if why := windows.not_covered():
            self.progress = self.progress._replace(error=f"{self._name}: {why}")
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
        self.progress = self.progress._replace(
            whole=False,
            blind=not sees,
            window_to=None if whole else self.progress.window_to,
        )

    def _done(self, window: Window) -> None:
        """Note a window as done."""
        progress = self.progress
        if window.main:
            progress = progress._replace(window_to=timestamp(window.end))
        if window.ends_day:
            oldest = f"{self._poll.began - completeness.REACH:%Y-%m-%d}"
            days = {**progress.listed_again, window.day: self._poll.began_at}
            progress = progress._replace(
                listed_again={day: at for day, at in days.items() if day >= oldest}
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
        self.progress = self.progress._replace(error=why)
        if isinstance(error, CheckRefusedError) and error.no_rights:
            outcome = completeness.NO_RIGHTS
            self.progress = self.progress._replace(checked_at=self._poll.began_at)
        self._without_windows(outcome, why)

    def _wait(self, why: str) -> None:
        self.report.outcome, self.report.reason = WAITS, why
        self.progress = self.progress._replace(error=why)
