"""Blob adapter: lists and downloads event files and marks, in a file's own metadata, what became of it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

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
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ExponentialRetry

from .errors import ChangedBlobError, StorageRefusedError, StorageUnavailableError
from .event_file import NAME

log = logging.getLogger(__name__)

LEASE_SECONDS = 15  # the shortest there is: what a killed sweep leaves behind
CLIENT_OPTIONS: dict[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    # So much of each file that is being downloaded is in memory; the default is 32 MiB.
    "max_single_get_size": 1024 * 1024,
    "max_chunk_get_size": 1024 * 1024,
    "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3),
}


@dataclass(frozen=True)
class EventBlob:
    """An event file as listed. ``metadata`` may hold ``sha256``, ``synced`` and ``refused``."""

    name: str
    size: int
    etag: str
    metadata: Mapping[str, str]
    last_modified: datetime

    def is_synced(self) -> bool:
        """Whether an earlier sweep has marked this very content as synced."""
        synced = self.metadata.get("synced")
        return synced is not None and synced == self.metadata.get("sha256")

    def is_refused_by(self, reader_version: int) -> bool:
        """Whether this reader, or a newer one, has refused this very content before; new content comes with new metadata."""
        _, _, version = self.metadata.get("refused", "").partition(";")
        return version.isdigit() and int(version) >= reader_version


def connect(connection_string: str, service_uri: str, client_id: str) -> BlobServiceClient:
    """A client for the account: by connection string or, where that is empty, by managed identity."""
    with _translated("the storage account"):
        if connection_string:
            return BlobServiceClient.from_connection_string(connection_string, **CLIENT_OPTIONS)
        credential = DefaultAzureCredential(managed_identity_client_id=client_id or None)
        return BlobServiceClient(service_uri, credential=credential, **CLIENT_OPTIONS)


class Storage:
    """The container of event files."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    def event_files(self) -> list[EventBlob]:
        """Every event file, oldest name first; none where the container does not exist yet.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        found: list[EventBlob] = []
        with _translated(f"container {self._container.container_name}"):
            try:
                listed = self._container.list_blobs(name_starts_with="events_", include=["metadata"])
                found = [
                    EventBlob(blob.name, blob.size, blob.etag, blob.metadata or {}, blob.last_modified)
                    for blob in listed
                    if NAME.fullmatch(blob.name)
                ]
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "ContainerNotFound":
                    raise
        return sorted(found, key=lambda blob: blob.name)

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the content as it was listed to ``path``; returns its SHA-256 in hex.

        Raises:
            ChangedBlobError: it was changed, moved or removed since.
            StorageUnavailableError, StorageRefusedError: it could not be had.
        """
        digest = hashlib.sha256()
        condition: dict[str, Any] = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
        with _translated(f"event file {blob.name}"), path.open("wb") as file:
            try:
                for chunk in self._container.download_blob(blob.name, **condition).chunks():
                    digest.update(chunk)
                    file.write(chunk)
            except (ResourceModifiedError, ResourceNotFoundError, ResourceExistsError) as error:  # the last: it is archived
                path.unlink()
                raise ChangedBlobError(f"{blob.name}: {_brief(error)}") from None
        return digest.hexdigest()

    @contextlib.contextmanager
    def sole_sweep(self) -> Iterator[bool]:
        """Hold the lease on the container while the block runs; False where another sweep has it.

        A sweep that was killed leaves its lease behind for up to ``LEASE_SECONDS``, which are waited for.
        """
        lease = self._acquire()
        if lease is None:
            yield False
            return
        done = threading.Event()
        keeper = threading.Thread(target=_keep, args=(lease, done), daemon=True)
        keeper.start()
        try:
            yield True
        finally:
            done.set()
            keeper.join()
            with contextlib.suppress(AzureError):  # it ends by itself
                lease.release()

    def _acquire(self) -> BlobLeaseClient | None:
        deadline = time.monotonic() + LEASE_SECONDS + 5
        while True:
            with _translated(f"container {self._container.container_name}"):
                try:
                    return self._container.acquire_lease(LEASE_SECONDS)
                except ResourceExistsError:
                    if time.monotonic() >= deadline:
                        return None
            time.sleep(0.5)

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Say in the metadata what became of this content; False where the blob has changed since it was listed.

        Raises:
            StorageUnavailableError, StorageRefusedError: it could not be marked, which costs a later sweep some work.
        """
        mark = {"synced": sha256} if synced else {"refused": f"{sha256};{reader_version}"}
        kept = {key: value for key, value in blob.metadata.items() if key not in ("synced", "refused")}
        declared = kept.pop("sha256", sha256)  # what the content should be stays on record where it is something else
        with _translated(f"event file {blob.name}"):
            try:
                self._container.get_blob_client(blob.name).set_blob_metadata(
                    {**kept, "sha256": declared, **mark}, etag=blob.etag, match_condition=MatchConditions.IfNotModified
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
        return True


def _keep(lease: BlobLeaseClient, done: threading.Event) -> None:
    """Renew the lease until the sweep is done. Should it be lost, the warehouse's lock row still keeps two sweeps apart."""
    while not done.wait(LEASE_SECONDS / 3):
        try:
            lease.renew()
        except AzureError as error:
            log.warning("lease=lost reason=%s", _brief(error))


@contextlib.contextmanager
def _translated(about: str) -> Iterator[None]:
    """The storage client's errors as ours: refused for good, or unavailable for now."""
    try:
        yield
    except ChangedBlobError:
        raise
    except (ClientAuthenticationError, ResourceNotFoundError) as error:
        raise StorageRefusedError(f"{about}: {_brief(error)} – check EVENTS_STORAGE and the roles of its identity") from None
    except HttpResponseError as error:
        refused = 400 <= (error.status_code or 500) < 500 and error.status_code not in (408, 412, 429)
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
