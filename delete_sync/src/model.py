"""The values that pass between the folders. This module imports no other module of the app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, Union

LONGEST_ERROR = 500  # characters of the reason for a refusal, in the load record and in the log


class EventBlob(NamedTuple):
    """An event file, as the container shows it.

    Attributes:
        size: bytes.
        etag: the version of the blob, without quotes.
        sha256: the SHA-256 in the metadata, 64 hex digits. Empty if the metadata has none.
        replaced: the SHA-256 of the content that the collector had written, if ``erase`` has
            replaced it since. Else empty.
    """

    name: str
    size: int
    etag: str
    sha256: str
    replaced: str = ""

    @property
    def identity(self) -> str:
        """The SHA-256 by which load records and keys know the file, if the metadata has one.

        It is that of the content that the collector has written. So what was read before a file was
        replaced, and what is read after it, is the same.
        """
        return self.replaced or self.sha256


class LoadRecord(NamedTuple):
    """What ``<table>_loads`` says about an event file. A refused file has an ``error``.

    ``token`` names the transaction that wrote it.
    """

    event_file: str
    sha256: str
    length: int
    etag: str
    reader: int
    error: str | None
    token: str = ""

    def settles(self, blob: EventBlob, reader_version: int) -> bool:
        """Whether this blob need not be read again.

        A loaded file is known by its identity, else by length and ETag. A refused file is read
        again if the blob was changed, or by a newer reader.
        """
        unchanged = (self.length, self.etag) == (blob.size, blob.etag)
        if self.error is not None:
            return unchanged and self.reader >= reader_version
        return self.sha256 == blob.identity if blob.identity else unchanged


def by_file(records: Iterable[LoadRecord]) -> dict[str, list[LoadRecord]]:
    """The load records of each event file, by its name."""
    found: dict[str, list[LoadRecord]] = {}
    for record in records:
        found.setdefault(record.event_file, []).append(record)
    return found


class LocalFile(NamedTuple):
    """An event file on the local disk. After reading it, the sweep removes ``path``.

    ``sha256`` is the identity of the blob. Without one, it is the SHA-256 of the content.
    If ``refusal`` is not empty, the file is refused without being read, and ``refusal`` says why.
    """

    blob: EventBlob
    path: Path
    sha256: str
    refusal: str = ""


class UnavailableFile(NamedTuple):
    """An event file that this sweep cannot download, and why. The next sweep tries again.

    ``needs_a_person`` is true if the next sweep can probably not download it either.
    ``storage_failed`` is true if the storage did not answer, or answered that it cannot now. Then
    nobody knows whether waiting helps.
    """

    blob: EventBlob
    reason: str
    needs_a_person: bool
    storage_failed: bool = False


Download = Union[LocalFile, UnavailableFile]


class Named(NamedTuple):
    """How many rows name records that are to be erased.

    Attributes:
        removed: rows of these records.
        cleared: rows of other records. Their values that name these records are erased.
    """

    removed: int
    cleared: int


class LeftFile(NamedTuple):
    """An event file that is still pending after a sweep, and why."""

    name: str
    reason: str


class Figures(NamedTuple):
    """The figures of one event file.

    The times are those of the first and the last delete, as UTC text without a zone. They are None
    if there is no delete. ``rejected`` counts the rejected events and the rows of ``events`` that
    Snowflake would refuse. ``polls`` counts the rows about polls: one for each topic of a poll.
    ``resolved`` counts the rejected events of earlier files that were decoded again.
    """

    deletes: int
    rejected: int
    gaps: int
    first_event_at: str | None
    last_event_at: str | None
    polls: int = 0
    resolved: int = 0
    restores: int = 0
    checks: int = 0
    listed: int = 0

    @property
    def rows(self) -> int:
        """Number of rows of all kinds."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """The number of rows of each kind."""
        return {name: getattr(self, name) for name in COUNTS}

    @staticmethod
    def counted(
        counts: Mapping[str, int], first_event_at: str | None, last_event_at: str | None
    ) -> Figures:
        """The figures of these numbers of rows. A kind that is missing has none."""
        return Figures(
            first_event_at=first_event_at,
            last_event_at=last_event_at,
            **{name: counts.get(name, 0) for name in COUNTS},
        )


COUNTS = ("deletes", "rejected", "gaps", "polls", "resolved", "restores", "checks", "listed")


class StagedFile(NamedTuple):
    """An event file of a batch. A refused file has an ``error`` instead of ``figures``.

    ``sha256`` is the digest of the load record: that of ``LocalFile``.
    """

    blob: EventBlob
    sha256: str
    figures: Figures | None
    error: str | None = None

    @staticmethod
    def refused(blob: EventBlob, sha256: str, error: str) -> StagedFile:
        """A file that is not loaded. It is in the batch because it needs a load record."""
        return StagedFile(blob, sha256, None, " ".join(error.split())[:LONGEST_ERROR])

    @property
    def name(self) -> str:
        """The name of the blob."""
        return self.blob.name


class Batch(NamedTuple):
    """The rows of one merge, in compressed files that are ready for upload.

    Attributes:
        files: the event files of these rows, and the refused files.
        parts: path with a wildcard that matches the compressed files.
        lines: number of rows of all kinds in the compressed files, with one for each file.
        unwanted: names of files that could be read only in part. Their rows must not be loaded.
    """

    files: tuple[StagedFile, ...]
    parts: Path
    lines: int
    unwanted: tuple[str, ...] = ()

    @property
    def figures(self) -> Figures:
        """The sums of the files. The times are not summed up."""
        counts: Counter[str] = Counter()
        for file in self.files:
            if file.figures:
                counts.update(file.figures.counts())
        return Figures.counted(counts, None, None)


class Loaded(NamedTuple):
    """What the transaction of a batch did.

    Attributes:
        inserted: new rows of ``delete_tracker``.
        gaps, rejects, restores, checks, listed: new rows of ``_gaps``, ``_rejects``, ``_restores``,
            ``_checks`` and ``_listed``.
        erased: rows that no table gets, because their record is in ``_erased``.
        elsewhere: names of the files that another sweep loaded meanwhile.
    """

    inserted: int = 0
    gaps: int = 0
    rejects: int = 0
    elsewhere: frozenset[str] = frozenset()
    restores: int = 0
    checks: int = 0
    listed: int = 0
    erased: int = 0


class Due(NamedTuple):
    """What a comparison has to do.

    Attributes:
        ready: checks that are not compared, and for which no older event file is pending.
        waiting: checks for which an older event file is pending.
        since: listed deletes that a check has listed since then are compared. None: nothing to do.
    """

    ready: int
    waiting: int
    since: datetime | None


class Compared(NamedTuple):
    """What the comparison of a sweep did.

    Attributes:
        checks: checks that were compared for the first time.
        recovered: new rows of ``delete_tracker``.
        waiting: checks that are not compared yet.
    """

    checks: int = 0
    recovered: int = 0
    waiting: int = 0


class TopicPoll(NamedTuple):
    """When a topic of the newest poll last ended caught up or idle. None if it never did."""

    topic: str
    last_good: datetime | None


class Unproven(NamedTuple):
    """Days of an object that are not proven, for one reason that a person can remove."""

    object_name: str
    reason: str
    first_day: date
    last_day: date
    days: int
