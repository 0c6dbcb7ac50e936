"""Blob adapter: uploads event files, never over an existing one, and keeps the cursors, never behind another run's."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, ExponentialRetry

from .errors import CollectorError, StorageRefusedError, StorageUnavailableError
from .event_file import blob_name

CLIENT_OPTIONS: dict[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 30,
    "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3),
    "max_single_put_size": 256 * 1024 * 1024,  # far more than a file has: each goes up in one request
}
THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}
SENDING_SECONDS = 40  # for one event file; four attempts end before the host ends the run
NAMES_TO_TRY = 3600  # seconds after the file's own whose names may be taken; more than that is no coincidence


@dataclass(frozen=True)
class Cursor:
    """The replay id up to which a topic's events are safely uploaded. ``source`` is ``event`` or ``keepalive``."""

    org_id: str
    topic: str
    replay_id: bytes
    event_id: str | None
    saved_at: str
    source: str

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps({**vars(self), "replay_id": base64.b64encode(self.replay_id).decode("ascii")}, indent=2)

    @staticmethod
    def from_json(raw: bytes, org_id: str, topic: str) -> Cursor:
        """Read back a stored cursor.

        Raises:
            ValueError: it is not a cursor, or one of another org or topic.
        """
        try:
            fields = json.loads(raw)
            replay_id = base64.b64decode(fields["replay_id"], validate=True)
            cursor = Cursor(
                fields["org_id"], fields["topic"], replay_id, fields["event_id"], fields["saved_at"], fields["source"]
            )
            if parse(cursor.saved_at).tzinfo is None:
                raise ValueError("saved_at has no zone")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        if (cursor.org_id, cursor.topic) != (org_id, topic) or not replay_id:
            raise ValueError("it belongs to another org or topic, or is empty")
        return cursor


def parse(saved_at: str) -> datetime:
    """The time in a cursor.

    Raises:
        ValueError: it is none.
    """
    return datetime.fromisoformat(saved_at.replace("Z", "+00:00"))


@dataclass(frozen=True)
class StoredCursor:
    """What lies where a topic's cursor is kept: a cursor, nothing, or bytes that cannot be read as one.

    ``etag`` names the version found, None where there is nothing.
    """

    cursor: Cursor | None
    etag: str | None
    unreadable: bytes | None = None


def connect(connection_string: str, service_uri: str, client_id: str) -> BlobServiceClient:
    """A client for the account: by connection string or, where that is empty, by managed identity."""
    with _translated("the storage account"):
        if connection_string:
            return BlobServiceClient.from_connection_string(connection_string, **CLIENT_OPTIONS)
        credential = DefaultAzureCredential(managed_identity_client_id=client_id or None)
        return BlobServiceClient(service_uri, credential=credential, **CLIENT_OPTIONS)


def _create(container: ContainerClient) -> None:
    """Create it unless it is there. An identity whose role covers no more than this container may not create it."""
    try:
        container.create_container()
    except ResourceExistsError:
        return
    except HttpResponseError as error:
        if error.status_code != 403 or not container.exists():
            raise


class Storage:
    """The two containers of one storage account; created where they are absent."""

    def __init__(self, service: BlobServiceClient, events_container: str, cursors_container: str) -> None:
        self._events = service.get_container_client(events_container)
        self._cursors = service.get_container_client(cursors_container)
        url = urlsplit(service.url)
        self._plain = url.scheme == "http" and url.hostname not in THIS_MACHINE  # an emulator in another container
        self._taken_until = datetime.min.replace(tzinfo=timezone.utc)
        for container in (self._events, self._cursors):
            with _translated(f"container {container.container_name}"):
                _create(container)

    def upload(self, path: Path, begun_at: datetime) -> str:
        """Upload an event file under the first free name at or after the second in which it was begun; returns the name.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not uploaded.
        """
        # This run's own files take the seconds one after the other, also where several fill within one.
        first = max(begun_at, self._taken_until)
        for attempt in range(NAMES_TO_TRY):
            name = blob_name(first, attempt)
            blob = self._events.get_blob_client(name)
            with _translated(f"event file {name}"):
                # Only spares a needless upload, as small files fill within the second that names them: the upload itself decides.
                if not blob.exists() and _put(blob, path, with_digest=self._plain):
                    self._taken_until = first + timedelta(seconds=attempt + 1)
                    return name
        raise StorageUnavailableError(f"no free name for an event file within {NAMES_TO_TRY} seconds after {first}")

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """The topic's cursor, with the version that ``save_cursor`` must still find."""
        with _translated(f"cursor {_cursor_name(org_id, topic)}"):
            try:
                download = self._cursors.download_blob(_cursor_name(org_id, topic))
                raw = download.readall()
            except ResourceNotFoundError:
                return StoredCursor(None, None)
        try:
            return StoredCursor(Cursor.from_json(raw, org_id, topic), download.properties.etag)
        except ValueError:
            return StoredCursor(None, download.properties.etag, unreadable=raw)

    def save_cursor(self, cursor: Cursor, etag: str | None) -> str | None:
        """Replace the version ``etag`` (None: there was none); returns the new version, or None if another run was ahead."""
        blob = self._cursors.get_blob_client(_cursor_name(cursor.org_id, cursor.topic))
        condition: dict[str, Any] = {"overwrite": False}
        if etag:
            condition = {"overwrite": True, "etag": etag, "match_condition": MatchConditions.IfNotModified}
        with _translated(f"cursor {blob.blob_name}"):
            try:
                return str(blob.upload_blob(cursor.to_json().encode(), **condition)["etag"])
            except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError):
                stored = self.load_cursor(cursor.org_id, cursor.topic)
                # Ours after all: the client repeated a request whose answer got lost.
                return stored.etag if stored.cursor == cursor else None


def _put(blob: BlobClient, path: Path, *, with_digest: bool) -> bool:
    """Upload under this name in one request, which stores the file whole or not at all; False where another file has it.

    TLS keeps the bytes as they are on their way; ``with_digest`` has the service check them where there is none.
    """
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        # The connection's time limit is that for sending, too.
        blob.upload_blob(content, metadata={"sha256": sha256}, validate_content=with_digest, connection_timeout=SENDING_SECONDS)
    except ResourceExistsError as error:
        # Taken by another file, or by this very one: the client repeats a request whose answer got lost.
        try:
            return bool(blob.get_blob_properties().metadata.get("sha256") == sha256)
        except ResourceNotFoundError:  # another conflict
            raise error from None
    return True


def _cursor_name(org_id: str, topic: str) -> str:
    return f"{org_id}{topic}.json"


@contextlib.contextmanager
def _translated(about: str) -> Iterator[None]:
    """The storage client's errors as ours: refused for good, or unavailable for now."""
    try:
        yield
    except CollectorError:
        raise
    except (ClientAuthenticationError, ResourceNotFoundError) as error:
        raise StorageRefusedError(f"{about}: {_brief(error)} – check EVENTS_STORAGE and the roles of its identity") from None
    except HttpResponseError as error:
        refused = 400 <= (error.status_code or 500) < 500 and error.status_code not in (408, 429)
        raise (StorageRefusedError if refused else StorageUnavailableError)(f"{about}: {_brief(error)}") from None
    except AzureError as error:
        raise StorageUnavailableError(f"{about}: {_brief(error)}") from None
    except ValueError as error:
        raise StorageRefusedError(f"{about}: {error} – check EVENTS_STORAGE") from None


def _brief(error: AzureError) -> str:
    """The first line of a service's answer and its code: the rest repeats headers and times."""
    first_line = next(iter(str(error.message or "").strip().splitlines()), type(error).__name__)
    code = getattr(error, "error_code", None)
    return f"{first_line} ({code})" if code else first_line
