"""Writes the rows of one batch into compressed files of limited size.

One statement can upload all of them.
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..errors import RefusedFileError
from ..model import Batch, Figures, StagedFile
from ..scratch import local_storage, scratch_folder

# Compressed size of a file. It is small, because the connector has four files in memory, and an
# X-Small warehouse loads eight files at the same time.
PART_BYTES = 1_000_000
# Most of this app's computing time is compression. Higher levels save a fifth of the bytes, but
# take three times as long.
LEVEL = 1


class Rows(Protocol):
    """The rows of one event file."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield all rows as lines of JSON, some at a time, each time with their number."""

    def figures(self) -> Figures:
        """The numbers of rows, and the times of the first and last delete, after ``lines``."""


@contextlib.contextmanager
def batch_writer(scratch: Path) -> Iterator[BatchWriter]:
    """Begin a new batch. Its folder below ``scratch`` is removed at the end.

    Raises:
        LocalStorageError: the folder cannot be created.
    """
    with scratch_folder("batch", within=scratch) as folder:
        writer = BatchWriter(folder)
        try:
            yield writer
        finally:
            writer.abandon()


class BatchWriter:
    """Collects the rows of one merge.

    Args:
        folder: an empty folder for this batch alone.
        part_bytes: compressed size at which the next file is begun.

    Attributes:
        lines: number of rows so far, of all kinds.
    """

    def __init__(self, folder: Path, *, part_bytes: int = PART_BYTES) -> None:
        self.lines = 0
        self._folder = folder
        self._part_bytes = part_bytes
        self._files: list[StagedFile] = []
        self._deletes = 0
        self._unwanted: list[str] = []
        self._parts = 0
        self._part: gzip.GzipFile | None = None
        self._path = folder

    def add(self, rows: Rows, name: str, sha256: str) -> None:
        """Append all rows of an event file.

        Raises:
            RefusedFileError: the file can be read only in part. The batch lists it as unwanted.
            LocalStorageError: the disk is full or fails.
        """
        written = 0
        try:
            for count, lines in rows.lines():
                self._write(lines)
                written += count
        except RefusedFileError:
            self._unwanted.append(name)
            raise
        finally:
            self.lines += written
        figures = rows.figures()
        self._deletes += figures.deletes
        self._files.append(StagedFile(name, sha256, figures))

    def refuse(self, name: str, sha256: str, error: str) -> None:
        """Add a file that is not loaded. It gets a load record with the error."""
        self._files.append(StagedFile.refused(name, sha256, error))

    def finish(self) -> Batch:
        """Close the last part, and return the batch for the upload.

        Raises:
            LocalStorageError: the disk is full or fails.
        """
        self._close()
        parts = self._folder / "rows_*.ndjson.gz" if self._parts else None
        return Batch(tuple(self._files), parts, self.lines, self._deletes, tuple(self._unwanted))

    def abandon(self) -> None:
        """Close the part that is being written, if there is one."""
        with contextlib.suppress(OSError):
            if self._part:
                self._part.close()

    def _write(self, lines: bytes) -> None:
        with local_storage("rows of a batch"):
            full = self._part and self._path.stat().st_size >= self._part_bytes
        if full:
            self._close()
        with local_storage("rows of a batch"):
            if self._part is None:
                self._parts += 1
                self._path = self._folder / f"rows_{self._parts:04}.ndjson.gz"
                self._part = gzip.GzipFile(self._path, "wb", compresslevel=LEVEL)
            self._part.write(lines)

    def _close(self) -> None:
        part, self._part = self._part, None
        if part:
            with local_storage("rows of a batch"):
                part.close()
