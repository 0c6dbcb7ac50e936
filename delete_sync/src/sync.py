"""The use case: verify and stage what is not synced yet, merge it batch by batch, and only then mark the event files.

The order is the promise: file verified → staged → merged and recorded in one transaction → COMMIT → blob marked. A crash
between any two steps repeats work; the key ``event_id`` keeps it from doubling a row.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .errors import FilesRefusedError, RefusedFileError, StorageRefusedError, StorageUnavailableError
from .event_file import FORMAT_VERSION, EventFile
from .staging import Batch
from .storage import EventBlob
from .warehouse import Loaded

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where event files are kept."""

    def event_files(self) -> list[EventBlob]:
        """All of them, oldest first."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path``; its SHA-256 is returned."""

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Say in the blob's metadata what became of it."""


class Target(Protocol):
    """Where rows go."""

    def create_what_is_missing(self) -> None:
        """Tables and stage."""

    def load(self, batch: Batch) -> Loaded:
        """One batch, all or nothing."""


@dataclass
class Report:
    """What a sweep did. ``left`` counts event files that wait for the next sweep because the time was up."""

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

    def lines(self) -> Iterator[str]:
        """One line for the sweep and one for each file that it refused."""
        yield (
            f"sweep={self.sweep_id} files={self.files} synced={len(self.synced)} refused={len(self.refused)} "
            f"refused_before={self.refused_before} left={self.left} batches={self.batches} staged={self.staged} "
            f"inserted={self.inserted} gaps={self.gaps} rejects={self.rejects}"
        )
        for name, reason in self.refused.items():
            yield f"sweep={self.sweep_id} event_file={name} state=refused reason={reason}"

    def raise_if_failed(self) -> None:
        """Make the sweep end as failed where it refused files.

        Raises:
            FilesRefusedError: names them.
        """
        if self.refused:
            reasons = "".join(f"\n  - {name}: {reason}" for name, reason in self.refused.items())
            raise FilesRefusedError(
                f"{len(self.refused)} event file(s) were refused and stay where they are, the others are synced; see "
                f"'refused files' in docs/operations.md:{reasons}"
            )


def sweep(
    store: Store,
    connect: Callable[[], AbstractContextManager[Target]],
    sweep_id: str,
    *,
    full: bool,
    run_seconds: float,
    merge_rows: int,
) -> Report:
    """One run over the event files that are not synced yet. Connects only if there is something to load.

    Args:
        store: the event files.
        connect: opens a session with the warehouse.
        sweep_id: names this sweep in logs, query tag and load records.
        full: read every file again, synced, refused or not.
        run_seconds: after this time no further batch is begun.
        merge_rows: a batch is merged when it has this many rows.

    Raises:
        SyncError: the sweep broke off; every batch that was committed before stands.
    """
    deadline = time.monotonic() + run_seconds
    blobs = store.event_files()
    report = Report(sweep_id, files=len(blobs))
    pending = blobs
    if not full:
        report.refused_before = sum(blob.is_refused_by(FORMAT_VERSION) for blob in blobs)
        pending = [blob for blob in blobs if not blob.is_synced() and not blob.is_refused_by(FORMAT_VERSION)]
    if pending:
        with connect() as target:
            target.create_what_is_missing()
            while pending and time.monotonic() < deadline:
                pending = _merge_next(store, target, pending, report, merge_rows, deadline)
    report.left = len(pending)
    return report


def _merge_next(
    store: Store, target: Target, pending: Sequence[EventBlob], report: Report, merge_rows: int, deadline: float
) -> list[EventBlob]:
    """Fill one batch from ``pending``, load it and mark its files; returns what is still pending."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        batch, taken = _fill(store, pending, Path(folder), merge_rows, deadline)
        batch.close()
        loaded = target.load(batch)
    report.batches += 1
    report.staged += loaded.staged
    report.inserted += loaded.inserted
    report.gaps += loaded.gaps
    report.rejects += loaded.rejects
    for blob, file in zip(taken, batch.files):
        if file.error is None:
            report.synced.append(file.name)
        else:
            report.refused[file.name] = file.error
        _mark(store, blob, file.sha256, synced=file.error is None)
    return list(pending[len(taken) :])


def _fill(
    store: Store, pending: Sequence[EventBlob], folder: Path, merge_rows: int, deadline: float
) -> tuple[Batch, list[EventBlob]]:
    """Download, verify and stage files until the batch is full, the time is up or there are no more."""
    rows = folder / "rows"
    rows.mkdir()
    batch = Batch(rows)
    taken: list[EventBlob] = []
    for blob in pending:
        if taken and (batch.lines >= merge_rows or time.monotonic() >= deadline):
            break
        path = folder / blob.name
        sha256 = store.download(blob, path)
        try:
            _check_sha256(blob, sha256)
            with EventFile(path, blob.name, sha256) as file:
                batch.add(file, blob.name, sha256)
        except RefusedFileError as error:
            batch.refuse(blob.name, sha256, str(error))
        finally:
            path.unlink()
        taken.append(blob)
    return batch, taken


def _check_sha256(blob: EventBlob, sha256: str) -> None:
    if blob.metadata.get("sha256", sha256) != sha256:
        raise RefusedFileError("its content is not what its SHA-256 in the metadata says: damaged, or changed since")


def _mark(store: Store, blob: EventBlob, sha256: str, *, synced: bool) -> None:
    """A mark saves work and carries no promise: without it, the next sweep reads the file once more and inserts nothing."""
    try:
        if not store.mark(blob, sha256, synced=synced, reader_version=FORMAT_VERSION):
            log.warning("event_file=%s mark=skipped reason=the blob has changed since it was listed", blob.name)
    except (StorageUnavailableError, StorageRefusedError) as error:
        log.warning("event_file=%s mark=failed reason=%s", blob.name, error)
