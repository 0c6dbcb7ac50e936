"""Lists and downloads event files, and marks them as synced or refused in their metadata."""

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
# The shortest lease that Blob Storage offers. A killed sweep blocks the next one for this time.
LEASE_SECONDS = 15
CLIENT_OPTIONS: dict[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    # At most this many bytes of each running download are in memory. The default is 32 MiB.
    "max_single_get_size": 1024 * 1024,
    "max_chunk_get_size": 1024 * 1024,
}


@contextlib.contextmanager
def connect(
    connection_string: str, service_uri: str, client_id: str
) -> Iterator[BlobServiceClient]:
    """Open a client for the storage account, and close it at the end.

    The client uses the managed identity if ``connection_string`` is empty.

    Raises:
        StorageRefusedError: the connection string or the address is malformed.
    """
    # Each client needs a policy of its own, because a policy keeps its client's connections.
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
    """The container of the event files. It implements the port ``Store`` of the sweep.

    Args:
        service: the client for the storage account.
        container: the name of the container.
        patience_seconds: how long ``sole_sweep`` waits for the lease of another sweep.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        container: str,
        *,
        patience_seconds: float = LEASE_SECONDS + 5,
    ) -> None:
        self._container = service.get_container_client(container)
        self._patience_seconds = patience_seconds

    def event_files(self) -> list[EventBlob]:
        """List all event files, oldest name first. A missing container counts as empty.

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
        """Write the listed content to ``path`` and return its SHA-256 in hex.

        Raises:
            ChangedBlobError: the blob was changed, archived or removed after it was listed.
            StorageUnavailableError, StorageRefusedError: the download failed.
            LocalStorageError: the file could not be written.
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
            # ResourceExistsError: the blob was archived.
            except (ResourceModifiedError, ResourceNotFoundError, ResourceExistsError) as error:
                with local_storage(about):
                    path.unlink(missing_ok=True)
                raise ChangedBlobError(f"{blob.name}: {brief(error)}") from None

    @contextlib.contextmanager
    def sole_sweep(self) -> Iterator[bool]:
        """Hold the lease on the container while the block runs. False if another sweep holds it.

        The lease of a killed sweep lasts up to ``LEASE_SECONDS``. By default, this method waits
        until it ends.
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
            with contextlib.suppress(AzureError):  # the lease also ends by itself
                lease.release()

    def _acquire(self) -> BlobLeaseClient | None:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            with translated(f"container {self._container.container_name}"):
                try:
                    return self._container.acquire_lease(LEASE_SECONDS)
                except ResourceExistsError:
                    if time.monotonic() >= deadline:
                        return None
            time.sleep(0.5)

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Mark the content as synced or refused. False if the blob was changed after the listing.

        Raises:
            StorageUnavailableError, StorageRefusedError: the mark was not written, so a later sweep
                reads the file again.
        """
        mark = {"synced": sha256} if synced else {"refused": f"{sha256};{reader_version}"}
        kept = {
            key: value for key, value in blob.metadata.items() if key not in ("synced", "refused")
        }
        # Keep the SHA-256 from the metadata, even if the content has another one.
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
    """Write the chunks and return their SHA-256 in hex.

    Reading a chunk uses the network, so an error of reading is not reported as one of the disk.
    """
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
    """Renew the lease until the sweep is done.

    If the lease is lost, the lock row in Snowflake still prevents two merges at once.
    """
    while not done.wait(LEASE_SECONDS / 3):
        try:
            lease.renew()
        except AzureError as error:
            log.warning("lease=lost reason=%s", brief(error))
