"""Tries what a poll does with Blob Storage, and leaves nothing behind.

Each trial writes with the code that a poll writes with, so it fails if a poll would fail.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timezone
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from ..errors import StorageRefusedError
from ..model.positions import Cursor, Position
from ..model.times import now
from .blob_errors import translated
from .blobs import EventFiles
from .cursors import Cursors
from .event_file import EventFile


def try_event_file(events: ContainerClient, folder: Path) -> None:
    """Upload an event file without rows, read it, and remove it.

    If a sweep reads it in between, it loads no row.

    Raises:
        StorageUnavailableError, StorageRefusedError: a poll could not upload, or the file could
            not be read or removed. The message then names the file.
        LocalStorageError: this machine's disk is full or fails.
    """
    begun_at = datetime.now(timezone.utc)
    file = EventFile(folder / f"trial-{secrets.token_hex(8)}.db", begun_at)
    file.close()
    try:
        sha256 = hashlib.sha256(file.path.read_bytes()).hexdigest()
        name = EventFiles(events).upload(file.path, begun_at)
    finally:
        file.path.unlink()
    try:
        with translated(f"event file {name}"):
            read = events.download_blob(name).readall()
    finally:
        _remove(events, name)
    if hashlib.sha256(read).hexdigest() != sha256:
        raise StorageRefusedError(
            f"event file {name}: Storage gave back another content than it got – find what changes"
            f" blobs in container {events.container_name}"
        )


def try_cursor(container: ContainerClient, org_id: str) -> None:
    """Make a cursor, replace it as a poll does, read it, and remove it.

    Raises:
        StorageUnavailableError, StorageRefusedError: a poll could not keep its cursors, or the
            cursor could not be removed. The message then names the blob.
    """
    cursors = Cursors(container)
    topic = f"/doctor/{secrets.token_hex(8)}"
    moved = Cursor(org_id, topic, Position(b"trial", now(), None))
    etag = cursors.save(Cursor(org_id, topic, None), None)
    name = f"{org_id}{topic}.json"
    try:
        cursors.save(moved, etag)
        stored = cursors.load(org_id, topic).cursor
    finally:
        _remove(container, name)
    if stored != moved:
        raise StorageRefusedError(
            f"cursor {name}: Storage gave back another content than it got – find what changes"
            f" blobs in container {container.container_name}"
        )


def _remove(container: ContainerClient, name: str) -> None:
    with translated(f"{name} was written as a trial and is left behind: remove it by hand"):
        try:
            container.delete_blob(name)
        except ResourceNotFoundError:
            return  # a lifecycle rule or a person was faster
