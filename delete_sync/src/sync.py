"""The sweep: it verifies and stages event files, merges them batch by batch, and then marks them.

The order of the steps keeps the promise of the README:
file verified → staged → merged and recorded in one transaction → COMMIT → blob marked.
After a crash between two steps, the next sweep repeats work. The key ``event_id`` prevents
duplicate rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import DataRefusedError, RefusedFileError, StorageRefusedError, StorageUnavailableError
from .event_files.downloads import downloads
from .event_files.event_file import FORMAT_VERSION, EventFile
from .model import Batch, Download, EventBlob, Loaded, LocalFile, StagedFile, UnavailableFile
from .report import Report
from .scratch import local_storage, scratch_folder
from .warehouse.staging import BatchWriter, batch_writer

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where event files are kept."""

    def event_files(self) -> list[EventBlob]:
        """All event files, oldest first."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path`` and return its SHA-256."""

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Mark the blob as synced or refused. False if it was changed after it was listed."""

    def sole_sweep(self) -> AbstractContextManager[bool]:
        """Let no other sweep run at the same time. False if another sweep is running."""


class Target(Protocol):
    """Where the rows are loaded."""

    def prepare(self) -> None:
        """Create the tables and the stage if they are missing, and check the table."""

    def load(self, batch: Batch) -> Loaded:
        """Load one batch completely or not at all."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one sweep.

    After ``run_seconds`` the sweep begins no further batch.
    A batch is merged as soon as it has ``merge_rows`` rows or ``batch_files`` files. After the
    merge, the sweep still records and marks each file. That must fit into the run's last minute.
    """

    run_seconds: float
    merge_rows: int
    batch_files: int = 500
    marks_at_once: int = 8


def sweep(
    store: Store,
    connect: Callable[[], AbstractContextManager[Target]],
    sweep_id: str,
    *,
    full: bool,
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Load the event files that are not synced yet. Connects only if there is something to load.

    Args:
        store: where the event files are kept.
        connect: opens a session with the warehouse.
        sweep_id: names this sweep in logs, query tag and load records.
        full: read every file again, also synced and refused files. New files come first. The files
            that were marked longest ago come next.
        limits: bounds of the sweep.
        clock: returns seconds, like ``time.monotonic``.

    Raises:
        SyncError: the sweep failed. Batches that it has already committed stay loaded.
    """
    deadline = clock() + limits.run_seconds
    report = Report(sweep_id)
    if not _pending(store, report, full=full):
        return report
    with store.sole_sweep() as alone:
        if not alone:
            report.skipped = True
            return report
        # List again, because another sweep may have run and marked files meanwhile.
        pending = _pending(store, report, full=full)
        if pending:
            with scratch_folder("sweep") as scratch, connect() as target:
                target.prepare()
                _Sweep(store, target, report, limits, clock, deadline, scratch).run(pending)
    return report


def _pending(store: Store, report: Report, *, full: bool) -> list[EventBlob]:
    blobs = store.event_files()
    report.files = len(blobs)
    if full:
        # A mark changes last_modified. So if this sweep has no time for some files, the next full
        # sweep begins with them.
        return sorted(blobs, key=lambda blob: (_is_marked(blob), blob.last_modified))
    report.refused_before = sum(blob.is_refused_by(FORMAT_VERSION) for blob in blobs)
    return [blob for blob in blobs if not _is_marked(blob)]


def _is_marked(blob: EventBlob) -> bool:
    return blob.is_synced() or blob.is_refused_by(FORMAT_VERSION)


@dataclass(frozen=True)
class _Attempt:
    """A batch that the target has loaded. If it was refused, ``refusal`` is the reason."""

    batch: Batch
    blobs: Sequence[EventBlob]
    refusal: DataRefusedError | None = None


@dataclass(frozen=True)
class _Sweep:
    """A sweep that has files to load. No other sweep runs at the same time."""

    store: Store
    target: Target
    report: Report
    limits: Limits
    clock: Callable[[], float]
    deadline: float
    scratch: Path

    def run(self, pending: Sequence[EventBlob]) -> None:
        """Fill and load batches until no file or no time is left."""
        taken = 0
        with downloads(self.store, pending, self.scratch) as files:
            while taken < len(pending) and self.clock() < self.deadline:
                attempt = self._load(files)
                if attempt.refusal:
                    self._one_by_one(attempt, attempt.refusal)
                taken += len(attempt.blobs)
        self.report.left += len(pending) - taken

    def _load(self, files: Iterator[Download]) -> _Attempt:
        """Fill one batch and load it. Mark its files unless Snowflake refuses a value."""
        with batch_writer(self.scratch) as writer:
            blobs = self._fill(writer, files)
            batch = writer.finish()
            if not batch.files:
                return _Attempt(batch, blobs)
            try:
                loaded = self.target.load(batch)
            except DataRefusedError as error:
                return _Attempt(batch, blobs, error)
        self._settle(loaded, batch, blobs)
        return _Attempt(batch, blobs)

    def _fill(self, writer: BatchWriter, files: Iterator[Download]) -> list[EventBlob]:
        """Verify and stage files until the batch is full, the time is up, or no file is left."""
        blobs: list[EventBlob] = []
        for file in files:
            blobs.append(file.blob)
            if isinstance(file, UnavailableFile):
                self.report.left += 1
                log.warning("event_file=%s state=left reason=%s", file.blob.name, file.reason)
                continue
            _add(writer, file)
            full = writer.lines >= self.limits.merge_rows or len(blobs) >= self.limits.batch_files
            if full or self.clock() >= self.deadline:
                break
        return blobs

    def _one_by_one(self, attempt: _Attempt, error: DataRefusedError) -> None:
        """Load each file of a refused batch alone, to find the file with the refused value.

        The reader's own checks have not found that value.
        """
        staged = {file.name for file in attempt.batch.files}
        log.warning("batch=refused files=%s reason=%s", len(staged), error)
        for blob in attempt.blobs:
            if blob.name not in staged:
                continue
            with downloads(self.store, [blob], self.scratch) as files:
                alone = self._load(files)
            if alone.refusal:
                self._refuse(alone.batch, alone.refusal, blob)

    def _refuse(self, batch: Batch, error: DataRefusedError, blob: EventBlob) -> None:
        """Record that Snowflake has refused this file, which was alone in its batch."""
        (file,) = batch.files
        reason = f"Snowflake refuses a value in this file: {error}"
        refused = Batch((StagedFile.refused(file.name, file.sha256, reason),))
        self._settle(self.target.load(refused), refused, [blob])

    def _settle(self, loaded: Loaded, batch: Batch, blobs: Iterable[EventBlob]) -> None:
        """Count a committed batch and mark its files."""
        self.report.count(loaded)
        by_name = {blob.name: blob for blob in blobs}
        for file in batch.files:
            if file.error is None:
                self.report.synced.append(file.name)
            else:
                self.report.refused[file.name] = file.error
                log.error("event_file=%s state=refused reason=%s", file.name, file.error)
        with ThreadPoolExecutor(self.limits.marks_at_once) as pool:
            list(pool.map(lambda file: self._mark(by_name[file.name], file), batch.files))

    def _mark(self, blob: EventBlob, file: StagedFile) -> None:
        """Mark one file. A failure is only logged.

        A later sweep then reads the file again and inserts no row twice.
        """
        synced = file.error is None
        try:
            if not self.store.mark(blob, file.sha256, synced=synced, reader_version=FORMAT_VERSION):
                log.warning(
                    "event_file=%s mark=skipped reason=the blob has changed since it was listed",
                    blob.name,
                )
        except (StorageUnavailableError, StorageRefusedError) as error:
            log.warning("event_file=%s mark=failed reason=%s", blob.name, error)


def _add(writer: BatchWriter, file: LocalFile) -> None:
    """Stage one file, or record why it is refused."""
    name = file.blob.name
    try:
        if file.refusal:
            writer.refuse(name, file.sha256, file.refusal)
        else:
            with EventFile(file.path, name, file.sha256) as event_file:
                writer.add(event_file, name, file.sha256)
    except RefusedFileError as error:
        writer.refuse(name, file.sha256, str(error))
    finally:
        with local_storage(f"event file {name}"):
            file.path.unlink()
