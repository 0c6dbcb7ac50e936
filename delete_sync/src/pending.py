"""Which event files a sweep loads: it compares the container with the load records."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from .model import EventBlob, LoadRecord, by_file
from .report import Report

log = logging.getLogger(__name__)

NO_TIME = "the sweep had no time for it"
PENDING, LOADED, REFUSED = "pending", "loaded", "refused"


class Container(Protocol):
    """Where event files are kept."""

    def pages(self) -> Iterator[list[EventBlob]]:
        """All event files, some thousands at a time, in the order of their names."""

    def find(self, name: str) -> EventBlob | None:
        """One event file. None if the container no longer has it."""


class Records(Protocol):
    """The load records."""

    def records(self, first: str, last: str) -> list[LoadRecord]:
        """The records of the event files whose names are from ``first`` to ``last``."""

    def oldest_first(self) -> list[str]:
        """The names of all event files with a record. The one loaded longest ago is first."""


def state_of(blob: EventBlob, records: Sequence[LoadRecord], reader_version: int) -> str:
    """Whether an event file is ``pending``, ``loaded`` or ``refused``.

    Args:
        blob: the event file.
        records: all load records with its name.
        reader_version: the newest format version that this app reads.
    """
    settled = [record for record in records if record.settles(blob, reader_version)]
    if not settled:
        return PENDING
    return REFUSED if all(record.error for record in settled) else LOADED


class Pending:
    """The event files to load, one after another. Of the list, it holds one page in memory.

    A file is pending if it has no load record, or if an older reader has refused it. A full sweep
    also loads all other files, after the pending ones.

    Args:
        container: the event files.
        records: what is loaded already.
        report: counts the files.
        reader_version: the newest format version that this app reads.
        full: load every file again.
        only: if there are any, exactly these files are loaded, whatever their load records say.
    """

    def __init__(
        self,
        container: Container,
        records: Records,
        report: Report,
        *,
        reader_version: int,
        full: bool,
        only: Sequence[EventBlob] = (),
    ) -> None:
        self._container = container
        self._records = records
        self._report = report
        self._reader_version = reader_version
        self._full = full
        self._pending_names: set[str] = set()  # those found so far
        self._left: set[str] = set()  # those that were taken and could not be loaded
        self._not_taken: set[str] = set()  # handed out, but the sweep does not have them yet
        # What is left of these iterators, the sweep had no time for.
        self._pending = self._named(only) if only else self._find_pending()
        self._to_repeat = iter(records.oldest_first() if full else ())
        self._loaded = self._find_loaded()

    def __iter__(self) -> Iterator[EventBlob]:
        for blob in itertools.chain(self._pending, self._loaded):
            # Downloads run ahead, so a file that is handed out is not always taken.
            self._not_taken.add(blob.name)
            yield blob

    def take(self, blob: EventBlob) -> None:
        """The sweep has this file, and reports itself what becomes of it."""
        self._not_taken.remove(blob.name)

    def leave(self, name: str, reason: str) -> None:
        """Count a file that the sweep could not load. A full sweep may have loaded it before.

        A file that is left twice counts once.
        """
        if name in self._left:
            return
        self._left.add(name)
        self._count_as_left(name, reason)

    def _count_as_left(self, name: str, reason: str) -> None:
        if name in self._pending_names:
            self._report.leave(name, reason)
        else:
            self._report.to_repeat += 1

    def leave_rest(self) -> None:
        """Count all files that were not taken. The next sweep loads them."""
        not_handed_out = (blob.name for blob in self._pending)
        for name in itertools.chain(self._not_taken, not_handed_out):
            self._count_as_left(name, NO_TIME)
        self._report.to_repeat += sum(name not in self._pending_names for name in self._to_repeat)

    def _find_pending(self) -> Iterator[EventBlob]:
        for page in self._container.pages():
            records = by_file(self._records.records(page[0].name, page[-1].name))
            self._report.newest_file = page[-1].name
            for blob in page:
                self._report.files += 1
                state = state_of(blob, records.get(blob.name, []), self._reader_version)
                if state == PENDING:
                    self._pending_names.add(blob.name)
                    yield blob
                elif not self._full and state == REFUSED:
                    self._report.refused_before += 1

    def _named(self, only: Sequence[EventBlob]) -> Iterator[EventBlob]:
        for blob in only:
            self._report.files += 1
            self._pending_names.add(blob.name)
            yield blob

    def _find_loaded(self) -> Iterator[EventBlob]:
        for name in self._to_repeat:
            if name in self._pending_names:  # a newer reader reads a refused file again
                continue
            blob = self._container.find(name)
            if blob is None:
                self._report.gone += 1
                log.warning("event_file=%s state=gone reason=the container has it no more", name)
            else:
                yield blob
