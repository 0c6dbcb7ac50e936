"""The values that are passed between folders. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Union

LONGEST_ERROR = 500  # characters of a refusal's reason, in its load record and in the log


@dataclass(frozen=True)
class EventBlob:
    """An event file as listed. ``metadata`` may hold ``sha256``, ``synced`` and ``refused``."""

    name: str
    size: int
    etag: str
    metadata: Mapping[str, str]
    last_modified: datetime

    def is_synced(self) -> bool:
        """Whether an earlier sweep has marked this very content as synced."""
        synced = self.metadata.get("synced")
        return synced is not None and synced == self.metadata.get("sha256")

    def is_refused_by(self, reader_version: int) -> bool:
        """Whether this reader, or a newer one, has refused this very content before.

        New content comes with new metadata.
        """
        _, _, version = self.metadata.get("refused", "").partition(";")
        return version.isdigit() and int(version) >= reader_version


@dataclass(frozen=True)
class LocalFile:
    """An event file at ``path``, which whoever has read it removes.

    ``refusal`` says why it must be refused without being read; empty if nothing is wrong so far.
    """

    blob: EventBlob
    path: Path
    sha256: str
    refusal: str = ""


@dataclass(frozen=True)
class UnavailableFile:
    """An event file that is not available in this sweep, and why; the next sweep tries again."""

    blob: EventBlob
    reason: str


Download = Union[LocalFile, UnavailableFile]


@dataclass(frozen=True)
class Figures:
    """What an event file holds. Times are those of the deletes, UTC text without a zone, or None.

    ``rejected`` counts rejected events and rows of ``events`` that Snowflake would refuse.
    """

    deletes: int
    rejected: int
    gaps: int
    first_event_at: str | None
    last_event_at: str | None


@dataclass(frozen=True)
class StagedFile:
    """An event file in a batch; a refused one has an ``error`` instead of ``figures``."""

    name: str
    sha256: str
    figures: Figures | None
    error: str | None = None

    @staticmethod
    def refused(name: str, sha256: str, error: str) -> StagedFile:
        """One that cannot be read, so that the warehouse knows of it."""
        return StagedFile(name, sha256, None, " ".join(error.split())[:LONGEST_ERROR])


@dataclass(frozen=True)
class Batch:
    """The rows of one merge, in compressed files that are ready to be uploaded.

    Attributes:
        files: the event files whose rows these are, and those that were refused.
        parts: path with a wildcard that matches the compressed files; None if there are no rows.
        lines: number of rows in the parts, of all kinds.
        deletes: how many of them are deletes.
        unwanted: names of files of which only a part could be read; it must not be loaded.
    """

    files: tuple[StagedFile, ...]
    parts: Path | None = None
    lines: int = 0
    deletes: int = 0
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What a batch's transaction did; ``duplicates`` are keys of it that stand twice in the table."""

    staged: int
    inserted: int
    gaps: int
    rejects: int
    duplicates: list[str] = field(default_factory=list)
