"""Writes the rows of one batch into compressed files of limited size.

One statement can upload all of them.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..errors import RefusedFileError
from ..model import Batch, EventBlob, Figures, StagedFile
from ..scratch import local_storage, scratch_folder

# Compressed size of a file. Each file costs requests, so 1 MB is slower; 16 MB is no faster
# (docs/performance.md). The connector has four files in memory.
PART_BYTES = 8_000_000
# Level 6 saves a tenth of the bytes, and takes 15 % more processor time of a sweep.
LEVEL = 1
NOTHING = Figures(0, 0, 0, None, None)


class Rows(Protocol):
    """The rows of one event file."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield all rows as lines of JSON, some at a time, each time with their number."""

    def figures(self) -> Figures:
        """The numbers of rows, and the times of the first and last delete, after ``lines``."""


@contextlib.contextmanager
def batch_writer(scratch: Path, sweep_id: str, reader_version: int) -> Iterator[BatchWriter]:
    """Begin a new batch. Its folder below ``scratch`` is removed at the end.

    Args:
        scratch: the scratch folder of the sweep.
        sweep_id: stands in the load records.
        reader_version: stands in the load records.

    Raises:
        LocalStorageError: the folder cannot be created.
    """
    with scratch_folder("batch", within=scratch) as folder:
        writer = BatchWriter(folder, sweep_id, reader_version)
        try:
            yield writer
        finally:
            writer.abandon()


class BatchWriter:
    """Collects the rows of one merge.

    Args:
        folder: an empty folder for this batch alone.
        sweep_id, reader_version: stand in the load records.
        part_bytes: compressed size at which the next file is begun.

    Attributes:
        lines: number of rows so far, of all kinds.
    """

    def __init__(
        self, folder: Path, sweep_id: str, reader_version: int, *, part_bytes: int = PART_BYTES
    ) -> None:
        self.lines = 0
        self._folder = folder
        self._sweep_id = sweep_id
        self._reader_version = reader_version
        self._part_bytes = part_bytes
        self._files: list[StagedFile] = []
        self._unwanted: list[str] = []
        self._parts = 0
        self._part: gzip.GzipFile | None = None
        self._path = folder

    def add(self, rows: Rows, blob: EventBlob, sha256: str) -> None:
        """Append all rows of an event file. A thread compresses rows while the next ones are read.

        Raises:
            RefusedFileError: the file can be read only in part. The batch lists it as unwanted.
            LocalStorageError: the disk is full or fails.
        """
        compressing: Future[None] | None = None
        with ThreadPoolExecutor(1, "compressor") as compressor:
            try:
                for count, lines in rows.lines():
                    if compressing:
                        compressing.result()  # so one portion waits at most
                    compressing = compressor.submit(self._compress, lines)
                    self.lines += count
            except RefusedFileError:
                self._unwanted.append(blob.name)
                raise
            finally:
                if compressing:
                    compressing.result()
        self._files.append(StagedFile(blob, sha256, rows.figures()))

    def refuse(self, blob: EventBlob, sha256: str, error: str) -> None:
        """Add a file that is not loaded. It gets a load record with the error."""
        self._files.append(StagedFile.refused(blob, sha256, error))

    def finish(self) -> Batch:
        """Append a row for each file, close the last part, and return the batch for the upload.

        Raises:
            LocalStorageError: the disk is full or fails.
        """
        for file in self._files:
            self._compress(self._file_line(file))
            self.lines += 1
        self._close()
        parts = self._folder / "rows_*.ndjson.gz"
        return Batch(tuple(self._files), parts, self.lines, tuple(self._unwanted))

    def _file_line(self, file: StagedFile) -> bytes:
        """What the load record will say about a file."""
        figures = file.figures or NOTHING
        line = {
            "kind": "file",
            "event_file": file.name,
            "sha256": file.sha256,
            "length": file.blob.size,
            "etag": file.blob.etag,
            "sweep_id": self._sweep_id,
            "reader": self._reader_version,
            "rows_staged": figures.rows,
            "rows_read": figures.deletes + figures.rejected,
            "rows_rejected": figures.rejected,
            "gaps": figures.gaps,
            "first_event_at": figures.first_event_at,
            "last_event_at": figures.last_event_at,
            "error": file.error,
        }
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"

    def abandon(self) -> None:
        """Close the part that is being written, if there is one."""
        with contextlib.suppress(OSError):
            if self._part:
                self._part.close()

    def _compress(self, lines: bytes) -> None:
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
