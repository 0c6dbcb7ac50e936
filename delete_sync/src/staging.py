"""Collects the rows of one batch in compressed files of bounded size, ready to be uploaded with one statement."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

from .errors import RefusedFileError
from .event_file import EventFile, Figures

FILE_BYTES = 1_000_000  # compressed; the connector holds four of them in memory, and an X-Small warehouse loads eight at once
LONGEST_ERROR = 500
LEVEL = 1  # compressing is most of the client's work; higher levels save a fifth of the bytes for three times the time


@dataclass(frozen=True)
class StagedFile:
    """An event file in a batch; ``error`` instead of ``figures`` where it was refused."""

    name: str
    sha256: str
    figures: Figures | None
    error: str | None = None


@dataclass
class Batch:
    """The rows of one merge. ``folder`` is empty at the start and belongs to the batch.

    Attributes:
        files: what was added or refused, in this order.
        lines: how many rows the parts hold, of all kinds.
        deletes: how many of them are deletes.
        unwanted: names of files of which only a part could be read; it must not be loaded.
    """

    folder: Path
    files: list[StagedFile] = field(default_factory=list)
    lines: int = 0
    deletes: int = 0
    unwanted: list[str] = field(default_factory=list)
    _parts: int = field(default=0, init=False)
    _part: gzip.GzipFile | None = field(default=None, init=False)
    _path: Path = field(default=Path(), init=False)

    def add(self, file: EventFile, name: str, sha256: str) -> None:
        """Append all rows of an event file.

        Raises:
            RefusedFileError: it turned out to be unreadable half-way; its rows so far are ``unwanted``.
        """
        figures = file.figures()
        written = 0
        try:
            for count, lines in file.lines():
                self._room().write(lines)
                written += count
            _check_count(written, figures)
        except RefusedFileError:
            self.unwanted.append(name)
            raise
        finally:
            self.lines += written
        self.deletes += figures.deletes
        self.files.append(StagedFile(name, sha256, figures))

    def refuse(self, name: str, sha256: str, error: str) -> None:
        """Note a file that cannot be read, so that the warehouse knows of it."""
        self.files.append(StagedFile(name, sha256, None, " ".join(error.split())[:LONGEST_ERROR]))

    def close(self) -> None:
        """Finish the last part; afterwards the files may be uploaded."""
        if self._part:
            self._part.close()
            self._part = None

    @property
    def pattern(self) -> Path | None:
        """The path with a wildcard that matches all parts; None where there are no rows."""
        return self.folder / "rows_*.ndjson.gz" if self._parts else None

    def _room(self) -> gzip.GzipFile:
        if self._part and self._path.stat().st_size >= FILE_BYTES:
            self.close()
        if self._part is None:
            self._parts += 1
            self._path = self.folder / f"rows_{self._parts:04}.ndjson.gz"
            self._part = gzip.GzipFile(self._path, "wb", compresslevel=LEVEL)
        return self._part


def _check_count(written: int, figures: Figures) -> None:
    if written != figures.deletes + figures.rejected + figures.gaps:
        raise RefusedFileError("it yields another number of rows than it counts: damaged")
