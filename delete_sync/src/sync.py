"""The use case: verify and stage what is not synced yet, merge it batch by batch, and only then mark the event files.

The order is the promise: file verified → staged → merged and recorded in one transaction → COMMIT → blob marked. A crash
between any two steps repeats work; the key ``event_id`` keeps it from doubling a row.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .downloads import Downloaded, downloads
from .errors import (
    DataRefusedError,
    DuplicateRowsError,
    FilesRefusedError,
    RefusedFileError,
    StorageRefusedError,
    StorageUnavailableError,
)
from .event_file import FORMAT_VERSION, EventFile
from .staging import Batch, StagedFile
from .storage import EventBlob
from .warehouse import Loaded

log = logging.getLogger(__name__)

FILES_IN_A_BATCH = 500  # what is done for each file after the merge must fit into the run's last minute
MARKS_AT_ONCE = 8


class Store(Protocol):
    """Where event files are kept."""

    def event_files(self) -> list[EventBlob]:
        """All of them, oldest first."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path``; its SHA-256 is returned."""

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Say in the blob's metadata what became of it."""

    def sole_sweep(self) -> AbstractContextManager[bool]:
        """Hold the one place that a sweep needs; False where another one has it."""


class Target(Protocol):
    """Where rows go."""

    def prepare(self) -> None:
        """Tables and stage."""

    def load(self, batch: Batch) -> Loaded:
        """One batch, all or nothing."""


@dataclass
class Report:
    """What a sweep did. ``left`` counts event files that wait for the next sweep."""

    sweep_id: str
    files: int = 0
    synced: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    refused_before: int = 0
    left: int = 0
    staged: int = 0
    inserted: int = 0
    gaps: int = 0
    rejects: int = 0
    batches: int = 0
    duplicates: list[str] = field(default_factory=list)
    skipped: bool = False

    def count(self, loaded: Loaded) -> None:
        """Add a batch's figures."""
        self.batches += 1
        self.staged += loaded.staged
        self.inserted += loaded.inserted
        self.gaps += loaded.gaps
        self.rejects += loaded.rejects
        self.duplicates += loaded.duplicates

    def lines(self) -> Iterator[str]:
        """One line for the sweep."""
        if self.skipped:
            yield f"sweep={self.sweep_id} state=skipped reason=another sweep is running"
            return
        yield (
            f"sweep={self.sweep_id} files={self.files} synced={len(self.synced)} refused={len(self.refused)} "
            f"refused_before={self.refused_before} left={self.left} batches={self.batches} staged={self.staged} "
            f"inserted={self.inserted} gaps={self.gaps} rejects={self.rejects} duplicates={len(self.duplicates)}"
        )

    def raise_if_failed(self) -> None:
        """Make the sweep end as failed where it refused files or found doubled rows.

        Raises:
            DuplicateRowsError: names some keys.
            FilesRefusedError: names the files.
        """
        if self.duplicates:
            raise DuplicateRowsError(
                f"{len(self.duplicates)} or more event_id stand twice in the table, among them "
                f"{', '.join(self.duplicates[:3])}; see 'DuplicateRowsError' in docs/operations.md"
            )
        if self.refused:
            reasons = "".join(f"\n  - {name}: {reason}" for name, reason in self.refused.items())
            raise FilesRefusedError(
                f"{len(self.refused)} event file(s) were refused and stay where they are, the others are synced; see "
                f"'FilesRefusedError' in docs/operations.md:{reasons}"
            )


@dataclass(frozen=True)
class Limits:
    """Bounds of one sweep: after ``run_seconds`` no further batch is begun; a batch is merged when it has ``merge_rows`` rows."""

    run_seconds: float
    merge_rows: int


def sweep(
    store: Store, connect: Callable[[], AbstractContextManager[Target]], sweep_id: str, *, full: bool, limits: Limits
) -> Report:
    """One run over the event files that are not synced yet. Connects only if there is something to load.

    Args:
        store: the event files.
        connect: opens a session with the warehouse.
        sweep_id: names this sweep in logs, query tag and load records.
        full: read every file again, synced, refused or not; new ones first, then those that were marked longest ago.
        limits: bounds of the sweep.

    Raises:
        SyncError: the sweep broke off; every batch that was committed before stands.
    """
    deadline = time.monotonic() + limits.run_seconds
    report = Report(sweep_id)
    if not _pending(store, report, full=full):
        return report
    with store.sole_sweep() as alone:
        if not alone:
            report.skipped = True
            return report
        pending = _pending(store, report, full=full)  # listed again: the sweep that was waited for has changed it
        if pending:
            with connect() as target:
                target.prepare()
                _Sweep(store, target, report, limits, deadline).run(pending)
    return report


def _pending(store: Store, report: Report, *, full: bool) -> list[EventBlob]:
    blobs = store.event_files()
    report.files = len(blobs)
    if full:
        # A mark is a modification: what one full sweep had no time for comes first in the next.
        return sorted(blobs, key=lambda blob: (blob.is_synced() or blob.is_refused_by(FORMAT_VERSION), blob.last_modified))
    report.refused_before = sum(blob.is_refused_by(FORMAT_VERSION) for blob in blobs)
    return [blob for blob in blobs if not blob.is_synced() and not blob.is_refused_by(FORMAT_VERSION)]


class _Sweep:
    """A sweep that has found something to do and is alone."""

    def __init__(self, store: Store, target: Target, report: Report, limits: Limits, deadline: float) -> None:
        self._store = store
        self._target = target
        self._report = report
        self._limits = limits
        self._deadline = deadline

    def run(self, pending: Sequence[EventBlob]) -> None:
        """Fill and load one batch after the other, while time lasts."""
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder, downloads(self._store, pending, Path(folder)) as files:
            taken = 0
            while taken < len(pending) and time.monotonic() < self._deadline:
                taken += self._merge(files)
        self._report.left += len(pending) - taken

    def _merge(self, files: Iterator[Downloaded]) -> int:
        """Fill one batch, load it and mark its files; returns how many files it took."""
        with tempfile.TemporaryDirectory(prefix="batch-") as folder:
            batch = Batch(Path(folder))
            blobs = self._fill(batch, files)
            batch.close()
            try:
                loaded = self._target.load(batch)
            except DataRefusedError as error:
                self._one_by_one(blobs, error)
            else:
                self._settle(loaded, batch, blobs)
        return len(blobs)

    def _fill(self, batch: Batch, files: Iterator[Downloaded]) -> list[EventBlob]:
        """Verify and stage files until the batch is full, the time is up or there are no more."""
        blobs: list[EventBlob] = []
        for file in files:
            blobs.append(file.blob)
            if file.path is None:
                self._report.left += 1
                log.warning("event_file=%s state=left reason=%s", file.blob.name, file.problem)
                continue
            self._add(batch, file, file.path)
            full = batch.lines >= self._limits.merge_rows or len(blobs) >= FILES_IN_A_BATCH
            if full or time.monotonic() >= self._deadline:
                break
        return blobs

    def _add(self, batch: Batch, file: Downloaded, path: Path) -> None:
        """Stage one file, or note why not."""
        try:
            if file.problem:
                batch.refuse(file.blob.name, file.sha256, file.problem)
            else:
                with EventFile(path, file.blob.name, file.sha256) as event_file:
                    batch.add(event_file, file.blob.name, file.sha256)
        except RefusedFileError as error:
            batch.refuse(file.blob.name, file.sha256, str(error))
        finally:
            path.unlink(missing_ok=True)

    def _one_by_one(self, blobs: Sequence[EventBlob], error: DataRefusedError) -> None:
        """Some value was refused that no check of ours knows: find the file it stands in, and keep it from the others."""
        log.warning("batch=refused files=%s reason=%s", len(blobs), error)
        for blob in blobs:
            with tempfile.TemporaryDirectory(prefix="batch-") as folder, downloads(self._store, [blob], Path(folder)) as files:
                rows = Path(folder) / "rows"
                rows.mkdir()
                batch = Batch(rows)
                self._fill(batch, files)
                batch.close()
                try:
                    loaded = self._target.load(batch)
                except DataRefusedError as reason:
                    (file,) = batch.files
                    batch = Batch(rows)
                    batch.refuse(file.name, file.sha256, f"Snowflake refuses a value in it: {reason}")
                    loaded = self._target.load(batch)
                self._settle(loaded, batch, [blob])

    def _settle(self, loaded: Loaded, batch: Batch, blobs: Iterable[EventBlob]) -> None:
        """Count a batch that is committed, and mark its files."""
        self._report.count(loaded)
        by_name = {blob.name: blob for blob in blobs}
        for file in batch.files:
            if file.error is None:
                self._report.synced.append(file.name)
            else:
                self._report.refused[file.name] = file.error
                log.error("event_file=%s state=refused reason=%s", file.name, file.error)
        with ThreadPoolExecutor(MARKS_AT_ONCE) as pool:
            list(pool.map(lambda file: self._mark(by_name[file.name], file), batch.files))

    def _mark(self, blob: EventBlob, file: StagedFile) -> None:
        """A mark saves work and carries no promise: without it, a later sweep reads the file again and inserts nothing."""
        try:
            if not self._store.mark(blob, file.sha256, synced=file.error is None, reader_version=FORMAT_VERSION):
                log.warning("event_file=%s mark=skipped reason=the blob has changed since it was listed", blob.name)
        except (StorageUnavailableError, StorageRefusedError) as error:
            log.warning("event_file=%s mark=failed reason=%s", blob.name, error)
