"""Stores what a poll produces: event files, on this machine and in Blob Storage, and cursors.

The progress of the checks is beside the cursors.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Optional, Union

from azure.storage.blob import BlobServiceClient

from ..model.positions import Cursor, StoredCursor
from ..model.rows import StoredRejects
from ..scratch import local_storage
from .blobs import EventFiles, container
from .cursors import Cursors
from .event_file import EventFile
from .progress import CheckBlobs
from .rejected_events import read_rejects


class Store:
    """Two containers of one storage account, and a folder on this machine.

    The containers are created if they do not exist.

    Args:
        service: the storage account.
        events_container, cursors_container: the names of the containers.
        folder: holds event files until they are uploaded.

    Attributes:
        checks: the blobs of the checks.

    Raises:
        StorageUnavailableError, StorageRefusedError: it is not certain that both containers exist.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        events_container: str,
        cursors_container: str,
        folder: Path,
    ) -> None:
        self._events = EventFiles(container(service, events_container))
        cursors = container(service, cursors_container)
        self._cursors = Cursors(cursors)
        self.checks = CheckBlobs(cursors)
        self._folder = folder

    def new_file(self, begun_at: datetime) -> EventFile:
        """Make an empty event file on this machine.

        Raises:
            LocalStorageError: this machine's disk is full or fails.
        """
        return EventFile(self._folder / f"{begun_at:%Y%m%dT%H%M%S%f}.db", begun_at)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool = False) -> str:
        """Upload an event file under a free name and remove it from this machine.

        Returns the name. See ``EventFiles.upload`` for ``briefly``.

        Raises:
            StorageUnavailableError, StorageRefusedError: the file is not uploaded.
            LocalStorageError: the file could not be read or removed.
        """
        name = self._events.upload(path, begun_at, briefly=briefly)
        with local_storage(f"event file {path.name}"):
            path.unlink()
        return name

    def rejects(self, file: Union[str, Path]) -> StoredRejects:
        """The rejected events of an event file.

        Args:
            file: a name in the container, or a path on this machine.

        Raises:
            EventFileError: the file does not exist, is not an event file, or is damaged.
            StorageUnavailableError, StorageRefusedError: the file could not be downloaded.
            LocalStorageError: this machine's disk is full or fails.
        """
        if isinstance(file, Path):
            return read_rejects(file, str(file))
        content = self._events.download(file)
        path = self._folder / "rejects.db"
        try:
            with local_storage(f"event file {file}"):
                path.write_bytes(content)
            return read_rejects(path, file)
        finally:
            path.unlink(missing_ok=True)

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """Load the topic's cursor. See ``Cursors.load``."""
        return self._cursors.load(org_id, topic)

    def save_cursor(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag`` of the topic's cursor. See ``Cursors.save``."""
        return self._cursors.save(cursor, etag)
