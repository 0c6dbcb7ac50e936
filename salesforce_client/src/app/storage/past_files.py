"""Reads what event files tell of the past: polls, positions, and what became of rejected events.

The file format is that of ``event_file.sql``. A file of version 1 has no polls and no positions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from ..errors import EventFileError
from ..model.positions import Position
from ..model.rows import Poll
from ..model.times import CLOCKS_DIFFER_BY_SECONDS, is_ahead, timestamp
from ..scratch import local_storage
from .blob_errors import translated
from .blobs import begun_at, blob_name
from .readable import opened

log = logging.getLogger(__name__)

# Only the last file of a poll tells of it, and a large check leaves over 40 files behind it. So the
# newest polls are searched in the files of this time before the newest file, and in this many.
LOOK_BACK = timedelta(hours=48)
FILES_TO_READ = 200


class Unresolved(NamedTuple):
    """Where rejected events are that were not decoded since.

    Attributes:
        files: the names of their event files.
        unreadable: for each file that could not be read, why.
    """

    files: Sequence[str]
    unreadable: Sequence[EventFileError]


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
        """The names of the event files, in order.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        return (name for name in self._blobs() if begun_at(name))

    def foreign(self) -> Sequence[str]:
        """The names of the blobs that are no event files. Errors are as above."""
        return [name for name in self._blobs() if not begun_at(name)]

    def ahead(self, now: datetime) -> Sequence[str]:
        """The names of a time in the future: a clock is or was wrong. Errors are as above."""
        return [name for name in self.names() if _is_ahead(begun_at(name), now)]

    def newest(self, topics: Sequence[str], now: datetime) -> dict[str, Poll]:
        """The newest poll of each topic, as far as the newest files tell. Errors are as below.

        Files and polls of the future say nothing of today, so they do not count.
        """
        latest = timestamp(now + timedelta(seconds=CLOCKS_DIFFER_BY_SECONDS))
        found: dict[str, Poll] = {}
        for name in self._newest_names(now):
            for poll in self.polls(name):
                if poll.began_at > latest:
                    continue
                if poll.topic not in found or poll.began_at > found[poll.topic].began_at:
                    found[poll.topic] = poll
            if set(topics) <= set(found):
                break
        return found

    def polls_after(self, name: str) -> Iterator[Poll]:
        """All polls that the files behind this name tell of. Errors are as below."""
        for other in self.names():
            if other > name:
                yield from self.polls(other)

    def polls(self, name: str) -> Sequence[Poll]:
        """The polls that a file tells of. A file that cannot be read tells of none.

        Raises:
            StorageUnavailableError, StorageRefusedError: the file cannot be downloaded.
            LocalStorageError: this machine's disk is full or fails.
        """
        statement = f"SELECT {', '.join(Poll._fields)} FROM polls"  # noqa: S608  (our own names)
        try:
            return [Poll(*row) for row in self._rows(name, statement)]
        except EventFileError as error:
            log.warning("file=%s polls=unreadable reason=%s", name, error)
            return ()

    def last_position(self, name: str, topic: str) -> Optional[Position]:
        """The last complete position of a topic in a file. None if it has none.

        The events of one replay id may go on in the next file, so the replay id before the last one
        counts. Errors are as above.

        Raises:
            EventFileError: the file cannot be read.
        """
        statement = (
            "WITH named AS (SELECT * FROM events WHERE topic = ? AND LENGTH(replay_id) > 0)"
            " SELECT replay_id, payload, event_id FROM named WHERE replay_id <>"
            " (SELECT replay_id FROM named ORDER BY id DESC LIMIT 1) ORDER BY id DESC LIMIT 1"
        )
        for replay_id, payload, key in self._rows(name, statement, topic):
            return Position(replay_id, _published_at(payload), key.partition(":")[0])
        return None

    def unresolved(self) -> Unresolved:
        """The files with rejected events that were not decoded since.

        Every file is read. Errors are as above, but a file that cannot be read is no error.
        """
        rejects: dict[str, set[str]] = {}
        resolved: set[str] = set()
        unreadable = []
        for name in self.names():
            try:
                rejects[name] = self._ids(name, "rejected_events", since_version=1)
                resolved |= self._ids(name, "resolved_rejects", since_version=2)
            except EventFileError as error:
                unreadable.append(error)
        return Unresolved([name for name, ids in rejects.items() if ids - resolved], unreadable)

    def _blobs(self) -> Iterator[str]:
        with translated(f"container {self._events.container_name}"):
            yield from self._events.list_blob_names()

    def _newest_names(self, now: datetime) -> Sequence[str]:
        """The names of the newest files up to now, the newest first."""
        past = (name for name in self.names() if not _is_ahead(begun_at(name), now))
        names = sorted(past, reverse=True)[:FILES_TO_READ]
        newest = begun_at(names[0]) if names else None
        return [it for it in names if newest and it >= blob_name(newest - LOOK_BACK)]

    def _ids(self, name: str, table: str, *, since_version: int) -> set[str]:
        statement = f"SELECT reject_id FROM {table}"  # noqa: S608  (our own names)
        return {row[0] for row in self._rows(name, statement, since_version=since_version)}

    def _rows(
        self, name: str, statement: str, *values: object, since_version: int = 2
    ) -> Sequence[tuple[Any, ...]]:
        """The rows of a statement. None of a file that is gone, or of an older format.

        Raises:
            EventFileError: the file cannot be read.
        """
        path = self._downloaded(name)
        if path is None:
            return ()
        with opened(path, name) as file:
            if file.version < since_version:
                return ()
            return file.connection.execute(statement, values).fetchall()

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


def _is_ahead(moment: Optional[datetime], now: datetime) -> bool:
    return moment is not None and is_ahead((now - moment).total_seconds())


def _published_at(payload: str) -> Optional[str]:
    """When an event was published, from its payload. None if the payload does not tell it.

    This is the commit time of a change event, or the creation time of a platform event. Both are
    milliseconds since 1970.
    """
    with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):
        event = json.loads(payload)
        header = event.get("ChangeEventHeader")
        told = event.get("CreatedDate") if header is None else header.get("commitTimestamp")
        return timestamp(datetime.fromtimestamp(told / 1000, timezone.utc))
    return None
