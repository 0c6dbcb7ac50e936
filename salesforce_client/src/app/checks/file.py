"""Writes the event file of the checks, uploads it, and only then moves the progress of the checks.

After a crash between two steps, the next check repeats work. All rows have the same keys or tell
of another time, so nothing is doubled.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple, Optional, Protocol

from ..errors import CollectorError, StorageRefusedError
from ..model.checks import Entry, KeptEntries, Progress
from ..model.rows import Row
from ..publisher import OpenFile

log = logging.getLogger(__name__)

# A file takes whole windows, of up to 25,000 rows each, and during its upload it is in memory. So
# it is full early. It then has at most 50,000 rows, which are 26 MB.
FULL_ROWS = 25_000


class Files(Protocol):
    """Where event files are kept."""

    def new_file(self, begun_at: datetime) -> OpenFile:
        """An empty event file on this machine."""

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Upload the file under a free name and remove it from this machine. Returns the name."""


class KeptBlobs(Protocol):
    """Where the progress of the checks and the entries of earlier listings are kept."""

    def save_progress(self, org_id: str, progress: Progress, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag``. Returns the new one, or None if another run was first."""

    def load_kept(self, org_id: str, object_name: str, day: str) -> KeptEntries:
        """Load the entries that earlier listings of a day had."""

    def save_kept(
        self, org_id: str, object_name: str, day: str, raw: bytes, etag: Optional[str]
    ) -> Optional[str]:
        """Replace the version ``etag`` of a day. Returns the new one, or None as above."""


class _Kept(NamedTuple):
    object_name: str
    day: str
    packed: bytes
    etag: Optional[str]


class CheckFile:
    """The rows of the checks of a poll, and what to store once they are uploaded.

    Args:
        files: where event files are kept.
        blobs: where everything else is kept.
        org_id: the org, 18 characters.
        file_rows: maximum rows of a file.

    Attributes:
        uploaded: the names of the uploaded files.
        broken: rows are lost. No progress may be stored any more.
        refused: why something of an object could not be stored.
    """

    def __init__(self, files: Files, blobs: KeptBlobs, org_id: str, file_rows: int) -> None:
        self._files = files
        self._blobs = blobs
        self._org_id = org_id
        self._file_rows = file_rows
        self._file: Optional[OpenFile] = None
        self._kept: list[_Kept] = []
        self._progress: dict[str, Progress] = {}
        self._etags: dict[str, Optional[str]] = {}
        self._dropped: set[str] = set()
        self.uploaded: list[str] = []
        self.broken = False
        self.refused: dict[str, CollectorError] = {}

    def loaded(self, object_name: str, etag: Optional[str]) -> None:
        """Note the version of an object's progress. Only this version is replaced."""
        self._etags[object_name] = etag

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        if not rows:
            return
        with self._whole():
            if self._file is None:
                self._file = self._files.new_file(datetime.now(timezone.utc))
            self._file.add(rows)

    def load_kept(self, object_name: str, day: str) -> KeptEntries:
        """Load the entries that earlier listings of a day had."""
        return self._blobs.load_kept(self._org_id, object_name, day)

    def keep(
        self, object_name: str, day: str, entries: frozenset[Entry], etag: Optional[str]
    ) -> None:
        """Store the entries of a day after the upload. They wait compressed, to save memory."""
        self._kept.append(_Kept(object_name, day, zlib.compress(_packed(entries)), etag))

    def move(self, progress: Progress) -> None:
        """Store the progress of an object after the upload."""
        self._progress[progress.object_name] = progress

    @property
    def is_full(self) -> bool:
        """Whether the file takes no further window."""
        most = min(self._file_rows, FULL_ROWS)
        return self._file is not None and self._file.is_full(most)

    def publish(self) -> None:
        """Upload the file first. The progress may only move past uploaded rows.

        If Storage refuses a blob of one object, only the progress of this object stays.

        Raises:
            StorageUnavailableError, StorageRefusedError, LocalStorageError: not everything is
                stored. The next check repeats the rest.
        """
        file, self._file = self._file, None
        if file is not None:
            with self._whole():
                file.close()
                self.uploaded.append(self._files.upload(file.path, file.begun_at, briefly=False))
        kept, self._kept = self._kept, []
        moved, self._progress = self._progress, {}
        # The progress moves after the entries. Without them, a later check may miss a restore.
        for one in kept:
            raw = zlib.decompress(one.packed)
            save = functools.partial(
                self._blobs.save_kept, self._org_id, one.object_name, one.day, raw, one.etag
            )
            self._store(one.object_name, save)
        for name, progress in moved.items():
            save = functools.partial(
                self._blobs.save_progress, self._org_id, progress, self._etags.get(name)
            )
            self._etags[name] = self._store(name, save)

    def close(self) -> None:
        """Abandon a file that is not published."""
        if self._file is not None:
            self._file.abandon()

    def _store(self, object_name: str, save: Callable[[], Optional[str]]) -> Optional[str]:
        """Store a blob of an object, unless an earlier one could not be stored."""
        if object_name in self._dropped:
            return None
        why = "another run was ahead"
        try:
            if etag := save():
                return etag
        except StorageRefusedError as error:
            self.refused[object_name] = error
            why = error.text
        self._dropped.add(object_name)
        log.warning("check object=%s progress=kept reason=%s", object_name, why)
        return None

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.broken = True
            raise


def _packed(entries: frozenset[Entry]) -> bytes:
    """The stored form of the entries of a day."""
    return json.dumps(sorted(entries), separators=(",", ":")).encode()
