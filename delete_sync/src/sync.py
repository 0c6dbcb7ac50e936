"""The sweep: it loads the pending event files batch by batch, compares the tables with what
Salesforce lists, then judges what it sees.

The order of the steps keeps the promise of the README:
file verified → staged → merged and recorded in one transaction → COMMIT → read back.
After a crash between two steps, the next sweep repeats work. The key ``event_id`` prevents
duplicate rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from .budget import Budget
from .culprits import Search
from .errors import DataRefusedError, RefusedFileError, SyncError
from .event_files.downloads import Source, downloads
from .event_files.erasure import Digests
from .event_files.event_file import EventFile
from .event_files.file_format import FORMAT_VERSION
from .freshness import Patience, judge
from .model import (
    Batch,
    Compared,
    Download,
    Due,
    EventBlob,
    Loaded,
    LocalFile,
    StagedFile,
    TopicPoll,
    UnavailableFile,
    Unproven,
)
from .pending import NO_TIME, Container, Pending, Records
from .report import Report
from .scratch import local_storage, scratch_folder
from .warehouse.staging import BatchWriter, batch_writer

log = logging.getLogger(__name__)

# With checks every 72 hours and a sweep a day, a day is proven after at most this time.
PROVEN_AFTER = timedelta(days=5)
# Salesforce lists a delete for 15 days. So a check can still prove a day that is not older.
LISTED_FOR = timedelta(days=14)


class Store(Container, Source, Protocol):
    """Where event files are kept."""


class Target(Records, Protocol):
    """Where the rows are loaded."""

    def prepare(self) -> None:
        """Create the tables and the stage if they are missing, and check the tables."""

    def erased(self) -> frozenset[str]:
        """The digests of the record ids whose data somebody had erased."""

    def load(self, batch: Batch, *, again: bool) -> Loaded:
        """Load one batch completely or not at all."""

    def checks_to_compare(self, up_to: str) -> Due:
        """What a comparison would have to do. Checks in event files newer than this one wait."""

    def compare(self, up_to: str) -> Compared:
        """Compare the tables with what these checks have listed, completely or not at all."""

    def duplicates(self) -> list[str]:
        """Keys that are in the table more than once."""

    def newest_poll(self) -> list[TopicPoll]:
        """The topics of the newest poll, and when each last ended well."""

    def newest_file(self) -> str:
        """The newest name of an event file that was ever loaded. Empty if there is none."""

    def unproven(self, first: date, last: date) -> list[Unproven]:
        """Days from ``first`` to ``last`` that a person can get proven."""


class Limits(NamedTuple):
    """Bounds of one batch: it is loaded as soon as it has this many rows or files."""

    merge_rows: int
    batch_files: int = 500


def sweep(
    store: Store,
    connect: Callable[[], AbstractContextManager[Target]],
    sweep_id: str,
    *,
    full: bool,
    limits: Limits,
    budget: Budget,
    patience: Patience,
    now: datetime,
    only: Sequence[EventBlob] = (),
    watch: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Load the pending event files.

    Args:
        store: where the event files are kept.
        connect: opens the warehouse.
        sweep_id: names this sweep in logs, query tag and load records.
        full: load every file again. Pending files come first. The files that were loaded longest
            ago come next.
        limits: bounds of a batch.
        budget: the time of the sweep.
        patience: how old pending files and the last good poll may be.
        now: the time of the sweep, in UTC.
        only: if there are any, exactly these files are loaded, whatever their load records say. The
            other files are not listed, so nothing is judged or compared.
        watch: called with the report before anything is done. The report then grows.

    Raises:
        SyncError: the sweep failed. Batches that it has already committed stay loaded.
    """
    report = Report(sweep_id)
    with report.told_if_it_fails(), scratch_folder("sweep") as scratch, connect() as target:
        watch(report)
        target.prepare()
        loaded_before = target.newest_file()  # asked before the listing, see ``_compare``
        again = full or bool(only)
        pending = Pending(
            store, target, report, reader_version=FORMAT_VERSION, full=full, only=only
        )
        erased = Digests(target.erased())
        _Sweep(store, target, report, pending, limits, budget, scratch, erased, again=again).run()
        newest = max(report.newest_file, loaded_before)
        if not only:
            _compare(target, report, budget, newest)
        report.duplicates = target.duplicates()
        if not only:
            report.overdue = judge(patience, now, report.oldest_left, target.newest_poll(), newest)
            _look_at_days(target, report, budget, now)
    return report


def _compare(target: Target, report: Report, budget: Budget, newest: str) -> None:
    """Compare the checks for which no older event file is pending, if there is time.

    ``newest`` is the newest event file that this sweep has listed, or that was loaded before it
    began to list. Another sweep may have loaded newer files meanwhile, and may have left an older
    one that this sweep has not listed. So the checks in the newer files wait.
    """
    up_to = report.oldest_left.name if report.oldest_left else newest
    due = target.checks_to_compare(up_to)
    report.waiting = due.ready + due.waiting
    if due.since is None:
        return
    if not budget.may_begin():
        log.warning("comparison=left checks=%s reason=%s", due.ready, NO_TIME)
        return
    compared = target.compare(up_to)
    report.compared, report.recovered = compared.checks, compared.recovered
    report.waiting = compared.waiting


def _look_at_days(target: Target, report: Report, budget: Budget, now: datetime) -> None:
    """Find old days that are not proven. It fails no sweep, because all rows are loaded."""
    today = now.date()
    try:
        if not budget.may_begin():
            report.verdicts_unknown = NO_TIME
            return
        report.unproven = target.unproven(today - LISTED_FOR, today - PROVEN_AFTER)
    except SyncError as error:
        report.verdicts_unknown = " ".join(error.text.split())


class _Refusal(NamedTuple):
    """A batch that the target has refused, and why."""

    batch: Batch
    error: DataRefusedError


class _Sweep(NamedTuple):
    """A sweep, and what it works with. With ``again``, it also loads files that are loaded."""

    store: Store
    target: Target
    report: Report
    pending: Pending
    limits: Limits
    budget: Budget
    scratch: Path
    erased: Digests
    again: bool

    def run(self) -> None:
        """Fill and load batches until no file or no time is left."""
        with downloads(self.store, self.pending, self.scratch, self.budget) as files:
            more = True
            while more and self.budget.may_begin():
                refusal, more = self._load(files, self.pending.take)
                if refusal:
                    self._find_culprits(refusal.batch, refusal.error)
        self.pending.leave_rest()

    def _load(
        self, files: Iterator[Download], take: Callable[[EventBlob], object]
    ) -> tuple[_Refusal | None, bool]:
        """Fill one batch and load it. Returns also whether there may be more files."""
        with batch_writer(self.scratch, self.report.sweep_id, FORMAT_VERSION) as writer:
            more = self._fill(writer, files, take)
            batch = writer.finish()
            if not batch.files:
                return None, more
            try:
                loaded = self.target.load(batch, again=self.again)
            except DataRefusedError as error:
                return _Refusal(batch, error), more
        self.report.count(batch, loaded)
        return None, more

    def _fill(
        self, writer: BatchWriter, files: Iterator[Download], take: Callable[[EventBlob], object]
    ) -> bool:
        """Verify and stage files until the batch is full or the time is up.

        Returns False if no file is left.
        """
        for count, file in enumerate(files, 1):
            take(file.blob)
            if isinstance(file, UnavailableFile):
                self.report.cannot_read(file)
                self.pending.leave(file.blob.name, file.reason)
            else:
                _add(writer, file, self.erased)
            full = writer.lines >= self.limits.merge_rows or count >= self.limits.batch_files
            if full or not self.budget.may_begin():
                return True
        return False

    def _find_culprits(self, batch: Batch, error: DataRefusedError) -> None:
        """Load the files of a refused batch without those that have a refused value.

        The reader's own checks have not found that value.
        """
        staged = [file for file in batch.files if file.error is None]
        log.warning("batch=refused files=%s reason=%s", len(staged), error.text)
        search = Search(self._load_alone, self.budget.may_begin)
        search.run(staged, error)
        for file in search.left:
            self.pending.leave(file.name, f"{NO_TIME}, after its batch was refused: {error.text}")
        refused = [file for file in batch.files if file.error is not None]
        refused += [
            StagedFile.refused(file.blob, file.sha256, why.text) for file, why in search.refused
        ]
        self._refuse(refused)

    def _load_alone(self, files: Sequence[StagedFile]) -> bool | DataRefusedError:
        """Load these files as a batch of their own. Returns whether it loaded any."""
        not_taken = {file.name: file.blob for file in files}
        loaded_before = len(self.report.synced)
        blobs = list(not_taken.values())
        with downloads(self.store, blobs, self.scratch, self.budget) as again:
            refusal, _ = self._load(again, lambda blob: not_taken.pop(blob.name))
        if refusal:
            return refusal.error  # the search goes on with all of them
        for name in not_taken:
            self.pending.leave(name, NO_TIME)
        return len(self.report.synced) > loaded_before

    def _refuse(self, files: Sequence[StagedFile]) -> None:
        """Record that these files are refused."""
        if not files:
            return
        with batch_writer(self.scratch, self.report.sweep_id, FORMAT_VERSION) as writer:
            for file in files:
                writer.refuse(file.blob, file.sha256, file.error or "")
            batch = writer.finish()
            self.report.count(batch, self.target.load(batch, again=self.again))


def _add(writer: BatchWriter, file: LocalFile, erased: Digests) -> None:
    """Stage one file, or record why it is refused."""
    name = file.blob.name
    try:
        if file.refusal:
            writer.refuse(file.blob, file.sha256, file.refusal)
        else:
            with EventFile(file.path, name, file.sha256, erased) as event_file:
                writer.add(event_file, file.blob, file.sha256)
    except RefusedFileError as error:
        writer.refuse(file.blob, file.sha256, str(error))
    finally:
        with local_storage(f"event file {name}"):
            file.path.unlink()
