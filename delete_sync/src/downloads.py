"""Brings event files to the local disk, a few ahead of who reads them, so that the network and SQLite work side by side."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import ChangedBlobError
from .storage import EventBlob

AT_ONCE = 4
BYTES_ON_DISK = 256 * 1024 * 1024  # at once, with the one that is being read; a larger file has the disk to itself
LARGEST_FILE = 2 * 1024 * 1024 * 1024


class Source(Protocol):
    """Where event files are had."""

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content to ``path``; its SHA-256 is returned."""


@dataclass(frozen=True)
class Downloaded:
    """An event file at ``path``, to be removed by who has read it.

    ``problem`` says what is wrong with it; where ``path`` is None too, it is not to be had in this sweep.
    """

    blob: EventBlob
    path: Path | None
    sha256: str
    problem: str = ""


@contextlib.contextmanager
def downloads(source: Source, blobs: Sequence[EventBlob], folder: Path) -> Iterator[Iterator[Downloaded]]:
    """All of ``blobs`` in their order, each downloaded into ``folder`` not long before it is asked for."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield _in_order(source, blobs, folder, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(source: Source, blobs: Sequence[EventBlob], folder: Path, pool: ThreadPoolExecutor) -> Iterator[Downloaded]:
    waiting = deque(blobs)
    under_way: deque[tuple[EventBlob, Future[Downloaded]]] = deque()

    def go_on(on_disk: int) -> None:
        on_disk += sum(blob.size for blob, _ in under_way)
        while waiting and len(under_way) < AT_ONCE and (not on_disk or on_disk + waiting[0].size <= BYTES_ON_DISK):
            blob = waiting.popleft()
            on_disk += blob.size
            under_way.append((blob, pool.submit(_fetch, source, blob, folder)))

    while waiting or under_way:
        go_on(0)
        blob, download = under_way.popleft()
        downloaded = download.result()
        go_on(blob.size)
        yield downloaded


def _fetch(source: Source, blob: EventBlob, folder: Path) -> Downloaded:
    path = folder / blob.name
    declared = blob.metadata.get("sha256", "")
    if blob.size > LARGEST_FILE:
        path.touch()
        return Downloaded(blob, path, declared, f"it has {blob.size} bytes, more than any event file")
    try:
        sha256 = source.download(blob, path)
    except ChangedBlobError as error:
        return Downloaded(blob, None, declared, str(error))
    if declared not in ("", sha256):
        return Downloaded(
            blob, path, sha256, "its content is not what its SHA-256 in the metadata says: damaged, or changed since"
        )
    return Downloaded(blob, path, sha256)
