"""Asks who deleted the records of one window, and what became of them.

The outcome ``listed`` needs none of this. So it is asked only as far as MAX_CHECK_CALLS allows, and
an error only leaves out what it was about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Optional, Protocol

from .. import completeness
from ..completeness import Window
from ..errors import (
    CollectorError,
    ListTooLongError,
    LocalStorageError,
    StorageRefusedError,
    StorageUnavailableError,
)
from ..model.checks import Deletion, Found, FoundPage
from ..model.times import timestamp
from .file import CheckFile
from .listing import Listing
from .poll import Poll
from .rows import CheckRows

STORAGE_ERRORS = (LocalStorageError, StorageRefusedError, StorageUnavailableError)
IDS_AT_ONCE = 400
MOST_RECORDS = 25_000  # of a window, whose rows must fit into a file
WHO = "LastModifiedById"


class DetailLists(Protocol):
    """What Salesforce says of deleted records. Every method may raise a CollectorError."""

    @property
    def skew(self) -> Optional[timedelta]:
        """How far Salesforce's clock is ahead of this machine's. None if it does not tell."""

    def in_bin(
        self, object_name: str, fields: frozenset[str], start: datetime, end: datetime
    ) -> Iterator[FoundPage]:
        """The deleted records whose LastModifiedDate is in the window, page by page."""

    def delete_events(
        self, object_name: str, start: datetime, end: datetime
    ) -> Iterator[list[Deletion]]:
        """Who deleted the records of the recycle bin, page by page. Empty if it is not told."""

    def by_id(self, object_name: str, fields: frozenset[str], ids: Sequence[str]) -> list[Found]:
        """The records with these ids, deleted or not."""


class TooManyRecordsError(Exception):
    """The records of a window do not fit into one file. No row of it is written yet."""


class Details:
    """The details of the listed deletes of one object.

    Args:
        poll: see there.
        object_name: the object.
        fields: the fields that it has.
        lists: answers the questions.
        file: takes the rows.
        rows: takes the reason why something was not asked.
        spare: returns how many requests are left for these questions.
    """

    def __init__(
        self,
        poll: Poll,
        object_name: str,
        fields: frozenset[str],
        lists: DetailLists,
        file: CheckFile,
        rows: CheckRows,
        spare: Callable[[], int],
    ) -> None:
        self._poll = poll
        self._name = object_name
        self._fields = fields
        self._lists = lists
        self._file = file
        self._rows = rows
        self._spare = spare

    def ask(self, listing: Listing, window: Window, *, splittable: bool) -> None:
        """Ask for everything about a window, and write the rows that are certain.

        Args:
            listing: what getDeleted has listed.
            window: the window.
            splittable: the window may be asked for in halves.

        Raises:
            TooManyRecordsError: see there.
            StorageUnavailableError, StorageRefusedError, LocalStorageError: no row can be written.
        """
        # Rows of queryAll are written at once, so they need another source of who before it.
        if WHO not in self._fields:
            self._tried(self._ask_delete_event, listing, window)
        whole = self._tried(self._ask_bin, listing, window, splittable)
        if WHO in self._fields and listing.lacks_who:
            self._tried(self._ask_delete_event, listing, window)
        if whole:
            self._tried(self._ask_by_id, listing)

    def _tried(self, question: Callable[..., bool], *about: object) -> bool:
        """Ask. Returns whether the answer is whole. An error is only noted."""
        try:
            return question(*about)
        except STORAGE_ERRORS:
            raise
        except CollectorError as error:
            self._rows.note(error.text)
            return False

    def _ask_bin(self, listing: Listing, window: Window, splittable: bool) -> bool:
        written = False
        pages = self._bin_pages(window.start, window.end)
        while True:
            if self._spare() < 1:
                self._rows.note("MAX_CHECK_CALLS leaves no call to ask who deleted")
                return False
            page = next(pages, None)
            if page is None:
                return True
            if not written and splittable and page.total > MOST_RECORDS:
                raise TooManyRecordsError
            self._file.add(listing.found(page.records))
            written = True

    def _bin_pages(self, start: datetime, end: datetime) -> Iterator[FoundPage]:
        """The pages of queryAll. If Salesforce needs too long, it is asked for half the time."""
        waiting = [(start, end)]
        while waiting:
            since, until = waiting.pop(0)
            try:
                yield from self._lists.in_bin(self._name, self._fields, since, until)
            except ListTooLongError:
                minutes = (until - since) // completeness.MINUTE
                if minutes < 2:
                    raise
                middle = since + minutes // 2 * completeness.MINUTE
                waiting[:0] = [(since, middle), (middle, until)]

    def _ask_delete_event(self, listing: Listing, window: Window) -> bool:
        """Ask who deleted records. Questions by id come first if calls are few: they confirm."""
        pages = self._lists.delete_events(self._name, window.start, window.end)
        while self._spare() > -(-len(listing.questions()) // IDS_AT_ONCE):
            page = next(pages, None)
            if page is None:
                return True
            listing.deleted_by(page)
        self._rows.note("MAX_CHECK_CALLS leaves no call to ask DeleteEvent who deleted")
        return False

    def _ask_by_id(self, listing: Listing) -> bool:
        ids = listing.questions()
        for first in range(0, len(ids), IDS_AT_ONCE):
            if self._spare() < 1:
                self._rows.note("MAX_CHECK_CALLS leaves no call to ask for records by id")
                return False
            some = ids[first : first + IDS_AT_ONCE]
            asked_at = timestamp(self._poll.clock() + (self._lists.skew or timedelta(0)))
            records = self._lists.by_id(self._name, self._fields, some)
            self._file.add(listing.answered(some, records, asked_at))
        return True
