"""Reads what event files tell of the past: polls, positions, and what became of rejected events.

The file format is that of ``event_file.sql``. A file of version 1 has no polls. What is no event
file tells nothing here, because the sync refuses it by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from ..model import Poll, Position
from ..scratch import local_storage
from .blob_errors import translated
from .blobs import blob_name

PREFIX = "events_"
# The last file of a poll tells of it, so a poll that filled several files, or a check's file, hides
# it for a few names only.
FILES_TO_READ = 20


class PastFiles:
    """The container of event files, read for what they tell of the past.

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
        """The newest poll of each topic, as far as the newest files tell. Errors are as below."""
        found: dict[str, Poll] = {}
        files = (name for name in self.names() if name.startswith(PREFIX))
        for name in reversed(deque(files, FILES_TO_READ)):
            for poll in self.polls(name):
                if poll.topic not in found or poll.began_at > found[poll.topic].began_at:
                    found[poll.topic] = poll
            if set(topics) <= set(found):
                break
        return found

    def polls_since(self, moment: datetime) -> Iterator[Poll]:
        """All polls whose file was begun since then. Errors are as below."""
        first = blob_name(moment)
        for name in self.names():
            if name.startswith(PREFIX) and name >= first:
                yield from self.polls(name)

    def polls(self, name: str) -> Sequence[Poll]:
        """The polls that a file tells of.

        Raises:
            StorageUnavailableError, StorageRefusedError: the file cannot be downloaded.
            LocalStorageError: this machine's disk is full or fails.
        """
        statement = f"SELECT {', '.join(Poll._fields)} FROM polls"  # noqa: S608  (our own names)
        return [Poll(*row) for row in self._rows(name, statement)]

    def last_position(self, name: str, topic: str) -> Optional[Position]:
        """The last complete position of a topic in a file. None if it has none.

        The events of one replay id may go on in the next file, so the replay id before the last one
        counts. Its time is not told, because the time at which an event was received may be later
        than that at which it was published. Errors are as above.
        """
        statement = (
            "SELECT replay_id FROM events WHERE topic = ? AND replay_id IS NOT NULL"
            " ORDER BY id DESC"
        )
        found = list(dict.fromkeys(row[0] for row in self._rows(name, statement, topic)))
        return Position(found[1], None, None) if len(found) > 1 else None

    def unresolved(self) -> Iterator[tuple[str, int]]:
        """The files with rejected events that were not decoded since, and the number of these.

        Every file is read. Errors are as above.
        """
        rejects: dict[str, set[str]] = {}
        resolved: set[str] = set()
        for name in self.names():
            if name.startswith(PREFIX):
                found = {
                    row[0] for row in self._rows(name, "SELECT reject_id FROM rejected_events")
                }
                if found:
                    rejects[name] = found
                resolved |= {
                    row[0] for row in self._rows(name, "SELECT reject_id FROM resolved_rejects")
                }
        for name, ids in rejects.items():
            if left := ids - resolved:
                yield name, len(left)

    def _ids(self, name: str, table: str) -> set[str]:
        statement = f"SELECT reject_id FROM {table}"  # noqa: S608  (our own names)
        return {row[0] for row in self._rows(name, statement)}

    def _rows(self, name: str, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        path = self._downloaded(name)
        if path is None:
            return ()
        address = f"{path.as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            try:
                return list(connection.execute(statement, values))
            except sqlite3.DatabaseError:
                return ()  # another version, or no event file at all

    def _downloaded(self, name: str) -> Optional[Path]:
        """The path of a file on this machine. None if it is gone. The last one is kept."""
        path = self._folder / f"past-{hashlib.sha256(name.encode()).hexdigest()}.db"
        if path.exists():
            return path
        with translated(f"event file {name}"):
            try:
                content = self._events.download_blob(name).readall()
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "BlobNotFound":
                    raise
                return None  # a lifecycle rule has removed it
        with local_storage(f"event file {name}"):
            for old in self._folder.glob("past-*.db"):
                old.unlink()
            path.write_bytes(content)
        return path
