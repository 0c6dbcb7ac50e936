"""The values that pass between the folders. This module imports no other module of the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Union

LONGEST_ERROR = 500  # characters of the reason for a refusal, in the load record and in the log


@dataclass(frozen=True)
class EventBlob:
    """An event file, as the container lists it.

    ``metadata`` may have ``sha256``, ``synced`` and ``refused``.
    """

    name: str
    size: int
    etag: str
    metadata: Mapping[str, str]
    last_modified: datetime

    def is_synced(self) -> bool:
        """Whether an earlier sweep marked this content as synced."""
        synced = self.metadata.get("synced")
        return synced is not None and synced == self.metadata.get("sha256")

    def is_refused_by(self, reader_version: int) -> bool:
        """Whether a reader of this or a newer format version has refused this content.

        If somebody uploads new content, the metadata and its mark are gone.
        """
        _, _, version = self.metadata.get("refused", "").partition(";")
        return version.isdigit() and int(version) >= reader_version


@dataclass(frozen=True)
class LocalFile:
    """An event file on the local disk. After reading it, the sweep removes ``path``.

    If ``refusal`` is not empty, the file is refused without being read, and ``refusal`` says why.
    """

    blob: EventBlob
    path: Path
    sha256: str
    refusal: str = ""


@dataclass(frozen=True)
class UnavailableFile:
    """An event file that this sweep cannot download, and why. The next sweep tries again."""

    blob: EventBlob
    reason: str


Download = Union[LocalFile, UnavailableFile]


@dataclass(frozen=True)
class Figures:
    """The figures of one event file.

    The times are those of the first and the last delete, as UTC text without a zone. They are None
    if there is no delete. ``rejected`` counts the rejected events and the rows of ``events`` that
    Snowflake would refuse. ``polls`` counts the rows about polls: one for each topic of a poll.
    """

    deletes: int
    rejected: int
    gaps: int
    first_event_at: str | None
    last_event_at: str | None
    polls: int = 0


@dataclass(frozen=True)
class StagedFile:
    """An event file of a batch. A refused file has an ``error`` instead of ``figures``."""

    name: str
    sha256: str
    figures: Figures | None
    error: str | None = None

    @staticmethod
    def refused(name: str, sha256: str, error: str) -> StagedFile:
        """A file that is not loaded. It is in the batch because it needs a load record."""
        return StagedFile(name, sha256, None, " ".join(error.split())[:LONGEST_ERROR])


@dataclass(frozen=True)
class Batch:
    """The rows of one merge, in compressed files that are ready for upload.

    Attributes:
        files: the event files of these rows, and the refused files.
        parts: path with a wildcard that matches the compressed files. None if there are no rows.
        lines: number of rows of all kinds in the compressed files.
        deletes: how many of these rows are deletes to load.
        unwanted: names of files that could be read only in part. Their rows must not be loaded.
    """

    files: tuple[StagedFile, ...]
    parts: Path | None = None
    lines: int = 0
    deletes: int = 0
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What the transaction of a batch did.

    ``duplicates`` lists keys of the batch that are in the table more than once.
    """

    staged: int
    inserted: int
    gaps: int
    rejects: int
    duplicates: list[str] = field(default_factory=list)
