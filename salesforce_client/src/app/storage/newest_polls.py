"""Reads what the newest polls tell of themselves, from the newest event files."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from ..model import Poll
from ..scratch import local_storage
from .blob_errors import translated

PREFIX = "events_"
# The last file of a poll tells of it, so a poll that filled several files, or a check's file, hides
# it for a few names only.
FILES_TO_READ = 20


class NewestPolls:
    """The container of event files, read for what polls tell.

    Args:
        events: the container.
        folder: holds one file at a time.
    """

    def __init__(self, events: ContainerClient, folder: Path) -> None:
        self._events = events
        self._folder = folder

    def exists(self) -> bool:
        """Whether the container exists. The first poll creates it.

        Raises:
            StorageUnavailableError, StorageRefusedError: that is not certain.
        """
        with translated(f"container {self._events.container_name}"):
            return bool(self._events.exists())

    def names(self) -> Iterator[str]:
        """The names of all blobs, in order, also of those that are no event files.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        with translated(f"container {self._events.container_name}"):
            yield from self._events.list_blob_names()

    def newest(self, topics: Sequence[str]) -> dict[str, Poll]:
        """The newest poll of each topic, as far as the newest files tell.

        Raises:
            StorageUnavailableError, StorageRefusedError: the files cannot be read.
        """
        found: dict[str, Poll] = {}
        files = (name for name in self.names() if name.startswith(PREFIX))
        for name in reversed(deque(files, FILES_TO_READ)):
            for poll in self.polls(name):
                if poll.topic not in found or poll.began_at > found[poll.topic].began_at:
                    found[poll.topic] = poll
            if set(topics) <= set(found):
                break
        return found

    def polls(self, name: str) -> Sequence[Poll]:
        """The polls that a file tells of. Nothing if it is not an event file of this version.

        Raises:
            StorageUnavailableError, StorageRefusedError: the file cannot be downloaded.
        """
        with translated(f"event file {name}"):
            try:
                content = self._events.download_blob(name).readall()
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "BlobNotFound":
                    raise
                return ()  # a lifecycle rule has removed it
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.db"
        with local_storage(f"event file {name}"):
            path.write_bytes(content)
        try:
            return _polls_in(path)
        finally:
            path.unlink()


def _polls_in(path: Path) -> Sequence[Poll]:
    columns = ", ".join(Poll._fields)
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return [Poll(*row) for row in connection.execute(f"SELECT {columns} FROM polls")]  # noqa: S608
        except sqlite3.DatabaseError:
            return ()  # version 1, or no event file at all: the sync refuses it by name
