"""Where a poll keeps things: event files first on this machine, then in Blob Storage, and the cursors beside them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Optional

from azure.storage.blob import BlobServiceClient

from ..model import Cursor, StoredCursor
from ..scratch import local_storage
from .blobs import EventFiles, container
from .cursors import Cursors
from .event_file import EventFile


class Store:
    """The two containers of one storage account, created if they are absent, and a folder on this machine.

    Args:
        service: the account.
        events_container, cursors_container: their names.
        folder: for event files until they are uploaded.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        events_container: str,
        cursors_container: str,
        folder: Path,
    ) -> None:
        self._events = EventFiles(container(service, events_container))
        self._cursors = Cursors(container(service, cursors_container))
        self._folder = folder

    def new_file(self, begun_at: datetime) -> EventFile:
        """An empty event file on this machine.

        Raises:
            LocalStorageError: this machine's disk is full or fails.
        """
        return EventFile(self._folder / f"{begun_at:%Y%m%dT%H%M%S%f}.db", begun_at)

    def upload(self, path: Path, begun_at: datetime) -> str:
        """Upload an event file under a free name, which is returned, and remove it from this machine.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not uploaded.
            LocalStorageError: it could not be read or removed.
        """
        name = self._events.upload(path, begun_at)
        with local_storage(f"event file {path.name}"):
            path.unlink()
        return name

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """The topic's cursor; see ``Cursors.load``."""
        return self._cursors.load(org_id, topic)

    def save_cursor(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace that version of the topic's cursor; see ``Cursors.save``."""
        return self._cursors.save(cursor, etag)
