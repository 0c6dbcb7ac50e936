"""Blob adapter: lists and downloads event files and marks, in a file's own metadata, what became of it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ExponentialRetry

from ..errors import ChangedBlobError
from ..model import EventBlob
from ..scratch import local_storage
from .blob_errors import brief, translated

log = logging.getLogger(__name__)

NAME = re.compile(r"events_\d{8}T\d{6}Z\.db")
LEASE_SECONDS = 15  # the shortest there is: what a killed sweep leaves behind
CLIENT_OPTIONS: dict[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    # So much of each file that is being downloaded is in memory; the default is 32 MiB.
    "max_single_get_size": 1024 * 1024,
    "max_chunk_get_size": 1024 * 1024,
}


@contextlib.contextmanager
def connect(
    connection_string: str, service_uri: str, client_id: str
) -> Iterator[BlobServiceClient]:
    """A client for the account, closed at the end: by connection string or, if that is empty, by managed identity.

    Raises:
        StorageRefusedError: the connection string or the address is not one.
    """
    # A policy belongs to one client: it leads on to that client's connections, which may be closed.
    retries = ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3)
    options = {**CLIENT_OPTIONS, "retry_policy": retries}
    with contextlib.ExitStack() as stack:
        with translated("the storage account"):
            if connection_string:
                service = BlobServiceClient.from_connection_string(connection_string, **options)
            else:
                credential = stack.enter_context(
                    DefaultAzureCredential(managed_identity_client_id=client_id or None)
                )
                service = BlobServiceClient(service_uri, credential=credential, **options)
        yield stack.enter_context(service)


class EventContainer:
    """The container of event files. The port ``Store`` of the sweep."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    def event_files(self) -> list[EventBlob]:
        """Every event file, oldest name first; none if the container does not exist yet.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        found: list[EventBlob] = []
        with translated(f"container {self._container.container_name}"):
            try:
                listed = self._container.list_blobs(
                    name_starts_with="events_", include=["metadata"]
                )
                found = [
                    EventBlob(
                        blob.name, blob.size, blob.etag, blob.metadata or {}, blob.last_modified
                    )
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
            StorageUnavailableError, StorageRefusedError: it could not be downloaded.
            LocalStorageError: it could not be written.
        """
        about = f"event file {blob.name}"
        condition: dict[str, Any] = {
            "etag": blob.etag,
            "match_condition": MatchConditions.IfNotModified,
        }
        with translated(about):
            try:
                chunks = self._container.download_blob(blob.name, **condition).chunks()
                return _save(chunks, path, about)
            # The last one: it was archived.
            except (ResourceModifiedError, ResourceNotFoundError, ResourceExistsError) as error:
                with local_storage(about):
                    path.unlink(missing_ok=True)
                raise ChangedBlobError(f"{blob.name}: {brief(error)}") from None

    @contextlib.contextmanager
    def sole_sweep(self) -> Iterator[bool]:
        """Hold the lease on the container while the block runs; False if another sweep has it.

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
            with translated(f"container {self._container.container_name}"):
                try:
                    return self._container.acquire_lease(LEASE_SECONDS)
                except ResourceExistsError:
                    if time.monotonic() >= deadline:
                        return None
            time.sleep(0.5)

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Say in the metadata what became of this content; False if the blob was changed since it was listed.

        Raises:
            StorageUnavailableError, StorageRefusedError: it could not be marked, which costs a later sweep some work.
        """
        mark = {"synced": sha256} if synced else {"refused": f"{sha256};{reader_version}"}
        kept = {
            key: value for key, value in blob.metadata.items() if key not in ("synced", "refused")
        }
        # What the content should be stays on record, also if it is something else.
        declared = kept.pop("sha256", sha256)
        with translated(f"event file {blob.name}"):
            try:
                self._container.get_blob_client(blob.name).set_blob_metadata(
                    {**kept, "sha256": declared, **mark},
                    etag=blob.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
        return True


def _save(chunks: Iterable[bytes], path: Path, about: str) -> str:
    """Write the chunks; returns their SHA-256 in hex. Only the disk's own errors are the disk's."""
    digest = hashlib.sha256()
    with local_storage(about):
        file = path.open("wb")
    try:
        for chunk in chunks:
            digest.update(chunk)
            with local_storage(about):
                file.write(chunk)
    finally:
        with local_storage(about):
            file.close()
    return digest.hexdigest()


def _keep(lease: BlobLeaseClient, done: threading.Event) -> None:
    """Renew the lease until the sweep is done. If it is lost, the warehouse's lock row still keeps two sweeps apart."""
    while not done.wait(LEASE_SECONDS / 3):
        try:
            lease.renew()
        except AzureError as error:
            log.warning("lease=lost reason=%s", brief(error))
