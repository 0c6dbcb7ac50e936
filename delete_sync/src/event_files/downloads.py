"""Downloads event files to the local disk, a few files ahead of the reader.

In this way the sweep downloads and reads at the same time.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..errors import UnreadableBlobError
from ..model import Download, EventBlob, LocalFile, UnavailableFile
from ..scratch import local_storage, scratch_folder

AT_ONCE = 4
# How many bytes may be on the disk at once, including the file that is being read.
BYTES_ON_DISK = 256 * 1024 * 1024
LARGEST_FILE = 2 * 1024 * 1024 * 1024


class Source(Protocol):
    """The place that event files are downloaded from."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path`` and return its SHA-256."""


@contextlib.contextmanager
def downloads(
    source: Source, blobs: Iterable[EventBlob], scratch: Path, *, bytes_on_disk: int = BYTES_ON_DISK
) -> Iterator[Iterator[Download]]:
    """Yield all ``blobs`` in their order. Each is downloaded shortly before the reader needs it.

    Args:
        source: where the event files are.
        blobs: the event files to download.
        scratch: the scratch folder of the sweep. The files are in a new folder below it, which is
            removed at the end.
        bytes_on_disk: how many bytes may be on the disk at once. A larger file is downloaded alone.

    Raises:
        LocalStorageError: the disk is full or fails.
        StorageUnavailableError: Blob Storage does not answer.
    """
    with scratch_folder("files", within=scratch) as folder:
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            yield _in_order(source, blobs, folder, pool, bytes_on_disk)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    source: Source,
    blobs: Iterable[EventBlob],
    folder: Path,
    pool: ThreadPoolExecutor,
    bytes_on_disk: int,
) -> Iterator[Download]:
    waiting = iter(blobs)
    following = next(waiting, None)
    under_way: deque[tuple[EventBlob, Future[Download]]] = deque()

    def go_on(on_disk: int) -> None:
        nonlocal following
        on_disk += sum(blob.size for blob, _ in under_way)
        while (
            following is not None
            and len(under_way) < AT_ONCE
            and (not on_disk or on_disk + following.size <= bytes_on_disk)
        ):
            on_disk += following.size
            under_way.append((following, pool.submit(_fetch, source, following, folder)))
            following = next(waiting, None)

    while following is not None or under_way:
        go_on(0)
        blob, download = under_way.popleft()
        downloaded = download.result()
        go_on(blob.size)
        yield downloaded


def _fetch(source: Source, blob: EventBlob, folder: Path) -> Download:
    path = folder / blob.name
    if blob.size > LARGEST_FILE:
        with local_storage(f"event file {blob.name}"):
            path.touch()
        return LocalFile(
            blob,
            path,
            blob.sha256,
            f"it has {blob.size} bytes, more than an event file can have",
        )
    try:
        sha256 = source.download(blob, path)
    except UnreadableBlobError as error:
        with local_storage(f"event file {blob.name}"):
            path.unlink(missing_ok=True)
        return UnavailableFile(blob, str(error), error.needs_a_person)
    if blob.sha256 not in ("", sha256):
        return LocalFile(
            blob,
            path,
            blob.sha256,
            "its content does not match the SHA-256 in its metadata: it is damaged or was "
            "changed. Restore an earlier version of the blob if the account keeps versions",
        )
    return LocalFile(blob, path, sha256)
