"""Checks one object: asks Salesforce for the windows that are due, and makes rows of the answers.

``completeness.py`` decides about windows and outcomes, ``listing.py`` about rows. One window is in
memory at a time: a day of the object, or less.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Optional, Protocol

from .. import __version__, completeness
from ..completeness import Window
from ..errors import (
    CallsSpentError,
    CheckRefusedError,
    CollectorError,
    ListTooLongError,
    ListTrimmedError,
    LocalStorageError,
    StorageRefusedError,
    StorageUnavailableError,
)
from ..model import (
    Check,
    DeletedAnswer,
    Described,
    Entry,
    Found,
    FoundPage,
    Progress,
    identity,
    timestamp,
)
from ..report import CheckReport
from .file import CheckFile
from .listing import Listing

log = logging.getLogger(__name__)

STORAGE_ERRORS = (LocalStorageError, StorageRefusedError, StorageUnavailableError)
IDS_AT_ONCE = 400
MOST_RECORDS = 50_000  # of a window, whose rows must fit into a file
WAITS = "waits"
FILTERED = (
    "its channel has a filter expression; if all its deletes are wanted, name the object in"
    " CHECK_OBJECTS"
)
NOT_REPLICATEABLE = "Salesforce keeps no list of its deletes (describe: replicateable)"
NO_SIGHT = (
    "no permission set of SALESFORCE_USERNAME shows View All on the object or View All Data; grant"
    " it, and View Setup and Configuration"
)


class Lists(Protocol):
    """What Salesforce says when a check asks. Every method may raise a CollectorError."""

    @property
    def calls(self) -> int:
        """The number of requests so far."""

    @property
    def skew(self) -> timedelta:
        """How far Salesforce's clock is ahead of this machine's."""

    def describe(self, object_name: str) -> Described:
        """What an object is."""

    def views_all(self, object_name: str) -> bool:
        """Whether the permission sets of the user say that the user sees every record."""

    def deleted(
        self, object_name: str, start: datetime, end: datetime, *, bounded: bool
    ) -> DeletedAnswer:
        """The answer of getDeleted. ``bounded`` refuses one that needs too much memory."""

    def in_bin(
        self, object_name: str, fields: frozenset[str], start: datetime, end: datetime
    ) -> Iterator[FoundPage]:
        """The deleted records whose LastModifiedDate is in the window, page by page."""

    def by_id(self, object_name: str, fields: frozenset[str], ids: Sequence[str]) -> list[Found]:
        """The records with these ids, deleted or not."""


@dataclass(frozen=True)
class Poll:
    """What the checks of all objects have in common.

    Attributes:
        org_id: 18 characters.
        api_version: of the REST API.
        began: when the poll began.
        hours: the setting CHECK_HOURS.
        clock: returns this machine's time.
    """

    org_id: str
    api_version: str
    began: datetime
    hours: float
    clock: Callable[[], datetime]

    @property
    def began_at(self) -> str:
        """When the poll began, as text."""
        return timestamp(self.began)


class _Day(NamedTuple):
    """The entries of the day of the current window."""

    day: str
    entries: frozenset[Entry]
    etag: Optional[str]


class _TooManyError(Exception):
    """The records of a window do not fit into one file."""


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
        self._described = Described(replicateable=False, fields=frozenset())
        self._sight = completeness.UNKNOWN_SIGHT
        self._day: Optional[_Day] = None
        self._calls_before = calls_before
        self.report = CheckReport(self._name)
        self.progress = progress

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
        error: Optional[CollectorError] = None
        try:
            complete = self._ask(filtered=filtered)
        except STORAGE_ERRORS:
            raise
        except CallsSpentError as spent:
            complete = False
            self._wait(f"{spent.text}; if this stays, raise MAX_CHECK_CALLS")
        except CollectorError as failure:
            error, complete = failure, False
            self._fail(failure)
        if complete:
            self.progress = replace(self.progress, checked_at=began, succeeded_at=began, error="")
        elif isinstance(error, CheckRefusedError) and error.no_rights:
            self.progress = replace(self.progress, checked_at=began)
        self._count_calls()
        self._flush_day()
        self._file.move(self.progress)

    def _ask(self, *, filtered: bool) -> bool:
        """Ask everything. Returns whether the check is complete."""
        if filtered:
            return self._without_windows(completeness.FILTERED, FILTERED)
        self._described = self._lists.describe(self._name)
        skew = self._lists.skew
        if completeness.is_wrong(skew):
            seconds = round(skew.total_seconds())
            why = (
                f"{self._name}: this machine's clock and Salesforce's differ by {seconds} seconds;"
                " set this machine's clock"
            )
            self._without_windows(completeness.CLOCK, why)
            self.progress = replace(self.progress, error=why)
            return False
        if not self._described.replicateable:
            return self._without_windows(completeness.NOT_REPLICATEABLE, NOT_REPLICATEABLE)
        self._look_at_sight()
        self._windows = deque(
            completeness.windows(self.progress, self._poll.began, self._poll.hours)
        )
        while self._windows:
            self._list(self._windows.popleft())
        return True

    def _look_at_sight(self) -> None:
        """Read whether the user sees all records, and decide whether the whole reach is listed.

        Describe says nothing about that. Only permission sets do.
        """
        try:
            if self._lists.views_all(self._name):
                self._sight = completeness.VIEW_ALL
        except CheckRefusedError as error:
            log.warning("check object=%s sight=unknown reason=%s", self._name, error.text)
        sees = self._sight == completeness.VIEW_ALL
        whole = self.progress.whole or (self.progress.blind and sees)
        # If the listing is interrupted, the next one continues where it ended.
        self.progress = replace(
            self.progress,
            whole=False,
            blind=not sees,
            window_to=None if whole else self.progress.window_to,
        )

    # -- one window

    def _list(self, window: Window) -> None:
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
            outcome = completeness.outcome_of(part, answer, self._sight)
            check_id = self._check_id(part, checked_at)
            listing = Listing(
                self._name,
                check_id,
                part,
                answer.entries,
                self._kept(part.day),
                sees_all=self._sight == completeness.VIEW_ALL,
            )
            self._complete(listing, part, splittable=halves is not None)
        except (ListTooLongError, _TooManyError):
            if halves is None:
                raise
            self._windows.extendleft(reversed(halves))
            return
        except ListTrimmedError as error:
            self._trimmed(window, error.text, checked_at)
            return
        self._file.add(listing.rest())
        why = _reason(outcome, answer)
        self._add_check(part, outcome, why, checked_at, listed=listing.listed)
        assert self._day, "_kept() has loaded it"
        self._day = self._day._replace(entries=listing.kept())
        self.report.restored += listing.restored
        self._done(part)
        if part.end < window.end and window.main:
            self._drop_main_windows()

    def _complete(self, listing: Listing, window: Window, *, splittable: bool) -> None:
        """Ask who deleted, and what became of entries. What cannot be asked stays unknown.

        Raises:
            _TooManyError: the window has too many records. No row is written yet.
        """
        written = False
        try:
            pages = self._bin_pages(window.start, window.end)
            while True:
                if self._spare(len(self._windows)) < 1:
                    self._note("MAX_CHECK_CALLS leaves no call to ask who deleted")
                    return
                page = next(pages, None)
                if page is None:
                    break
                if not written and splittable and page.total > MOST_RECORDS:
                    raise _TooManyError
                self._file.add(listing.found(page.records))
                written = True
            self._ask_by_id(listing)
        except STORAGE_ERRORS:
            raise
        except CollectorError as error:
            self._note(error.text)

    def _bin_pages(self, start: datetime, end: datetime) -> Iterator[FoundPage]:
        """The pages of queryAll. If Salesforce needs too long, it is asked for half the time."""
        waiting = [(start, end)]
        while waiting:
            since, until = waiting.pop(0)
            try:
                yield from self._lists.in_bin(self._name, self._described.fields, since, until)
            except ListTooLongError:
                minutes = (until - since) // completeness.MINUTE
                if minutes < 2:
                    raise
                middle = since + minutes // 2 * completeness.MINUTE
                waiting[:0] = [(since, middle), (middle, until)]

    def _ask_by_id(self, listing: Listing) -> None:
        ids = listing.questions()
        for first in range(0, len(ids), IDS_AT_ONCE):
            if self._spare(len(self._windows)) < 1:
                self._note("MAX_CHECK_CALLS leaves no call to ask for records by id")
                return
            some = ids[first : first + IDS_AT_ONCE]
            asked_at = timestamp(self._poll.clock() + self._lists.skew)
            records = self._lists.by_id(self._name, self._described.fields, some)
            self._file.add(listing.answered(some, records, asked_at))

    def _not_covered(self, window: Window, answer: DeletedAnswer, checked_at: str) -> None:
        why = f"Salesforce covers only what is before {answer.latest}"
        self._add_check(window, completeness.NOT_COVERED, why, checked_at)
        if window.main:
            self._drop_main_windows()

    def _trimmed(self, window: Window, why: str, checked_at: str) -> None:
        trimmed, following = completeness.after_trimmed(window)
        self._add_check(trimmed, completeness.TRIMMED, why, checked_at)
        self._done(trimmed)
        if following:
            self._windows.appendleft(following)

    def _drop_main_windows(self) -> None:
        """A later window must not be listed before this one: it would leave a hole."""
        self._windows = deque(window for window in self._windows if not window.main)

    # -- what is done

    def _done(self, window: Window) -> None:
        """Note a window as done. A full file is published, and the progress with it."""
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
        if self._file.is_full:
            self._count_calls()
            self._flush_day()
            self._file.move(self.progress)
            self._file.publish()

    def _kept(self, day: str) -> frozenset[Entry]:
        """The entries that earlier listings of a day had."""
        if self._day is None or self._day.day != day:
            self._flush_day()
            stored = self._file.load_kept(self._name, day)
            self._day = _Day(day, stored.entries, stored.etag)
        return self._day.entries

    def _flush_day(self) -> None:
        if self._day:
            self._file.keep(self._name, *self._day)
        self._day = None

    def _without_windows(self, outcome: str, why: str) -> bool:
        """Leave a check of the main window that lists nothing. Returns that this is complete."""
        main = [
            window
            for window in completeness.windows(self.progress, self._poll.began, self._poll.hours)
            if window.main
        ]
        if main:
            whole = main[0]._replace(end=main[-1].end, ends_day=False)
            self._add_check(whole, outcome, why, timestamp(self._poll.clock()))
        return True

    def _fail(self, error: CollectorError) -> None:
        refused = isinstance(error, CheckRefusedError) and error.no_rights
        outcome = completeness.NO_RIGHTS if refused else completeness.FAILED
        self.progress = replace(self.progress, error=error.text)
        self._without_windows(outcome, error.text)

    def _wait(self, why: str) -> None:
        self.report.outcome, self.report.reason = WAITS, why
        self.progress = replace(self.progress, error=why)

    def _note(self, why: str) -> None:
        self.report.reason = self.report.reason or why

    def _count_calls(self) -> None:
        oldest = timestamp(self._poll.began - completeness.DAY)
        calls = {at: number for at, number in self.progress.calls.items() if at >= oldest}
        self.report.calls = self._lists.calls - self._calls_before
        calls[self._poll.began_at] = self.report.calls
        self.progress = replace(self.progress, calls=calls)

    def _check_id(self, window: Window, checked_at: str) -> str:
        times = (timestamp(window.start), timestamp(window.end), checked_at)
        return identity(self._poll.org_id, self._name, *times)

    def _add_check(
        self, window: Window, outcome: str, why: str, checked_at: str, *, listed: int = 0
    ) -> None:
        proves = outcome == completeness.LISTED
        self._file.add(
            [
                Check(
                    check_id=self._check_id(window, checked_at),
                    org_id=self._poll.org_id,
                    writer=__version__,
                    object_name=self._name,
                    window_from=timestamp(window.start),
                    window_to=timestamp(window.end),
                    listed=listed,
                    outcome=outcome,
                    sight=self._sight,
                    api_version=self._poll.api_version,
                    checked_at=checked_at,
                    error=None if proves else why,
                )
            ]
        )
        self.report.windows += 1
        self.report.listed += listed
        if not proves:
            self._note(why)
            if self.report.outcome == completeness.LISTED:
                self.report.outcome = outcome


def _reason(outcome: str, answer: DeletedAnswer) -> str:
    if outcome == completeness.NOT_COVERED:
        return f"Salesforce's list begins at {answer.earliest}"
    return NO_SIGHT if outcome == completeness.SIGHT_UNKNOWN else ""
