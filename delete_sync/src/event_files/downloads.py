"""Downloads event files to the local disk, a few files ahead of the reader.

In this way the sweep downloads and reads at the same time.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from ..budget import Budget, out_of_time
from ..errors import StorageUnavailableError, UnreadableBlobError
from ..model import Download, EventBlob, LocalFile, UnavailableFile
from ..scratch import local_storage, scratch_folder

AT_ONCE = 4
# If so many downloads fail one after another, the storage does not answer. If it answers nothing at
# all, they run at the same time, so this takes as long as one of them.
FAILED_IN_A_ROW = AT_ONCE
# How many bytes may be on the disk at once, including the file that is being read.
BYTES_ON_DISK = 256 * 1024 * 1024
LARGEST_FILE = 2 * 1024 * 1024 * 1024
# At the end of the sweep, the downloads under way get this long to notice that.
LAST_SECONDS = 1.0


class Source(Protocol):
    """The place that event files are downloaded from."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path`` and return its SHA-256."""


@contextlib.contextmanager
def downloads(
    source: Source,
    blobs: Iterable[EventBlob],
    scratch: Path,
    budget: Budget,
    *,
    bytes_on_disk: int = BYTES_ON_DISK,
) -> Iterator[Iterator[Download]]:
    """Yield all ``blobs`` in their order. Each is downloaded shortly before the reader needs it.

    A download that fails may be the fault of its blob or of the storage. The next downloads show
    which it is: until then the reader does not get the file.

    Args:
        source: where the event files are.
        blobs: the event files to download.
        scratch: the scratch folder of the sweep. The files are in a new folder below it, which is
            removed at the end.
        budget: the time of the sweep. A download that takes longer is not waited for.
        bytes_on_disk: how many bytes may be on the disk at once. A larger file is downloaded alone.

    Raises:
        LocalStorageError: the disk is full or fails.
        StorageUnavailableError: ``FAILED_IN_A_ROW`` downloads failed, or no blob could be read.
        OutOfTimeError: the sweep has no time left.
    """
    with scratch_folder("files", within=scratch) as folder:
        ahead = _Ahead(source, blobs, folder, budget, bytes_on_disk)
        try:
            yield ahead.in_order()
        finally:
            ahead.end()


class _FailedError(Exception):
    """The storage did not answer the request for a blob, or answered that it cannot now.

    Attributes:
        file: the blob, if the fault is its own.
        error: the error, if the storage is at fault.
    """

    def __init__(self, blob: EventBlob, error: StorageUnavailableError) -> None:
        self.file = UnavailableFile(blob, error.text, needs_a_person=True, storage_failed=True)
        self.error = error
        super().__init__(error.text)


class _Ahead:
    """The downloads that run ahead of the reader. See ``downloads`` for the arguments."""

    def __init__(
        self,
        source: Source,
        blobs: Iterable[EventBlob],
        folder: Path,
        budget: Budget,
        bytes_on_disk: int,
    ) -> None:
        self._source = source
        self._waiting = iter(blobs)
        self._folder = folder
        self._budget = budget
        self._bytes_on_disk = bytes_on_disk
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._under_way: deque[tuple[EventBlob, Future[Download]]] = deque()

    def in_order(self) -> Iterator[Download]:
        failed: list[UnavailableFile] = []  # since the last download that the storage answered
        error: StorageUnavailableError | None = None
        answered = False
        for download in self._finished():
            try:
                downloaded = download.result()
            except _FailedError as failure:
                failed.append(failure.file)
                error = failure.error
                if len(failed) == FAILED_IN_A_ROW:
                    raise error from None
            else:
                yield from failed
                failed.clear()
                answered = True
                yield downloaded
        if error and not answered:
            raise error
        yield from failed

    def _finished(self) -> Iterator[Future[Download]]:
        """The downloads that have ended, in the order of their blobs.

        After one that failed, those under way go on alone, so that a storage that does not answer
        is given up as soon as they have failed too.
        """
        following = next(self._waiting, None)
        in_doubt = False
        while following is not None or self._under_way:
            if not (in_doubt and self._under_way):
                following = self._go_on(following, 0)
            blob, download = self._under_way[0]
            if not wait([download], self._limit()).done:
                raise out_of_time(f"event file {blob.name}")
            self._under_way.popleft()
            in_doubt = isinstance(download.exception(), _FailedError)
            if not in_doubt:
                following = self._go_on(following, blob.size)
            yield download

    def _go_on(self, following: EventBlob | None, on_disk: int) -> EventBlob | None:
        """Begin downloads as far as they fit. Returns the first file that does not."""
        on_disk += sum(blob.size for blob, _ in self._under_way)
        while (
            following is not None
            and len(self._under_way) < AT_ONCE
            and (not on_disk or on_disk + following.size <= self._bytes_on_disk)
        ):
            on_disk += following.size
            download = self._pool.submit(_fetch, self._source, following, self._folder)
            self._under_way.append((following, download))
            following = next(self._waiting, None)
        return following

    def end(self) -> None:
        """Begin no further download, and wait for those under way as long as there is time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        running = [download for _, download in self._under_way if not download.cancelled()]
        wait(running, self._limit())

    def _limit(self) -> float:
        return min(self._budget.left() + LAST_SECONDS, threading.TIMEOUT_MAX)


def _fetch(source: Source, blob: EventBlob, folder: Path) -> Download:
    path = folder / blob.name
    if blob.size > LARGEST_FILE:
        with local_storage(f"event file {blob.name}"):
            path.touch()
        return LocalFile(
            blob,
            path,
            blob.identity,
            f"it has {blob.size} bytes, more than an event file can have",
        )
    try:
        sha256 = source.download(blob, path)
    except (UnreadableBlobError, StorageUnavailableError) as error:
        with local_storage(f"event file {blob.name}"):
            path.unlink(missing_ok=True)
        if isinstance(error, StorageUnavailableError):
            raise _FailedError(blob, error) from None
        return UnavailableFile(blob, str(error), error.needs_a_person)
    if blob.sha256 not in ("", sha256):
        return LocalFile(
            blob,
            path,
            blob.identity,
            "its content does not match the SHA-256 in its metadata: it is damaged or was "
            "changed. Restore an earlier version of the blob if the account keeps versions",
        )
    return LocalFile(blob, path, blob.identity or sha256)
