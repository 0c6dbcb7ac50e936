"""Lists and downloads event files. Nothing in the container is changed."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobProperties, BlobServiceClient

from ..budget import Budget, out_of_time
from ..errors import StorageRefusedError, StorageUnavailableError, UnreadableBlobError
from ..model import EventBlob
from ..scratch import local_storage
from .blob_errors import brief, translated
from .transport import BoundedRetry, BoundedTransport

NAME = re.compile(r"events_\d{8}T\d{6}Z\.db")
SHA256 = re.compile(r"[0-9a-f]{64}")
CLIENT_OPTIONS: dict[str, Any] = {
    # At most this many bytes of each running download are in memory. The default is 32 MiB.
    "max_single_get_size": 1024 * 1024,
    "max_chunk_get_size": 1024 * 1024,
}
# How a person logs in: with az login, for example. Without the exclusions, azure-identity first
# waits for identities that only machines in Azure have. The command az may need over 10 seconds.
PERSONS_LOGIN: Mapping[str, Any] = {
    "exclude_managed_identity_credential": True,
    "exclude_workload_identity_credential": True,
    "process_timeout": 30,
}


@contextlib.contextmanager
def connect(
    connection_string: str,
    service_uri: str,
    client_id: str,
    budget: Budget,
    *,
    person: bool = False,
) -> Iterator[BlobServiceClient]:
    """Open a client for the storage account, and close it at the end.

    If ``connection_string`` is empty, the client uses the managed identity, or the login of the
    ``person`` who runs a command. No request, and no wait before its next try, is longer than the
    time that ``budget`` has left.

    Raises:
        StorageRefusedError: the connection string or the address is malformed.
    """
    # Each client needs a policy of its own, because a policy keeps its client's connections.
    options = {
        **CLIENT_OPTIONS,
        "retry_policy": BoundedRetry(budget),
        "transport": BoundedTransport(budget),
    }
    with contextlib.ExitStack() as stack:
        with translated("the storage account"):
            if connection_string:
                service = BlobServiceClient.from_connection_string(connection_string, **options)
            else:
                # Loading it slows the start, and a connection string does not need it.
                from azure.identity import DefaultAzureCredential  # noqa: PLC0415

                ways = (
                    PERSONS_LOGIN if person else {"managed_identity_client_id": client_id or None}
                )
                credential = stack.enter_context(
                    DefaultAzureCredential(**ways, transport=BoundedTransport(budget))
                )
                service = BlobServiceClient(service_uri, credential=credential, **options)
        yield stack.enter_context(service)


class EventContainer:
    """The container of the event files. It implements the port ``Store`` of the sweep.

    It only reads: no blob and no metadata is changed.

    Args:
        service: the client for the storage account.
        container: the name of the container.
        budget: the time of the sweep. The client of ``connect`` looks at it before each page and
            each chunk, because each is a request.
    """

    def __init__(self, service: BlobServiceClient, container: str, budget: Budget) -> None:
        self._container = service.get_container_client(container)
        self._about = f"container {container}"
        self._budget = budget

    def pages(self) -> Iterator[list[EventBlob]]:
        """List all event files, some thousands at a time, in the order of their names.

        Raises:
            StorageRefusedError: the container does not exist, or has blobs but no event file.
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
            OutOfTimeError: the sweep has no time left.
        """
        found = False
        with self._listing():
            listed = self._container.list_blobs(name_starts_with="events_", include=["metadata"])
            for page in listed.by_page():
                blobs = [_event_blob(blob) for blob in page if NAME.fullmatch(blob.name)]
                if blobs:
                    found = True
                    yield sorted(blobs, key=lambda blob: blob.name)
        if not found:
            self._refuse_foreign_blobs()

    def find(self, name: str) -> EventBlob | None:
        """One event file. None if the container no longer has it.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be read.
            OutOfTimeError: the sweep has no time left.
        """
        with self._in_time(f"event file {name}"):
            try:
                return _event_blob(self._container.get_blob_client(name).get_blob_properties())
            except ResourceNotFoundError:
                return None

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the listed content to ``path`` and return its SHA-256 in hex.

        Raises:
            UnreadableBlobError: this blob cannot be read.
            StorageUnavailableError: the download failed. The fault may be the storage's or the
                blob's.
            LocalStorageError: the file could not be written.
            OutOfTimeError: the sweep has no time left.
        """
        about = f"event file {blob.name}"
        condition: dict[str, Any] = {
            "etag": f'"{blob.etag}"',
            "match_condition": MatchConditions.IfNotModified,
        }
        try:
            with self._in_time(about):
                try:
                    chunks = self._container.download_blob(blob.name, **condition).chunks()
                    return _save(chunks, path, about)
                except (ResourceModifiedError, ResourceNotFoundError) as error:
                    raise UnreadableBlobError(
                        f"it was changed or removed after it was listed: {brief(error)}",
                        needs_a_person=False,
                    ) from None
                except ResourceExistsError as error:
                    raise _unreadable(error) from None
        except StorageRefusedError as error:
            raise UnreadableBlobError(error.text, needs_a_person=True) from None

    @contextlib.contextmanager
    def _in_time(self, about: str) -> Iterator[None]:
        """Translate the client's errors. If the time is over, that is the reason for them."""
        try:
            with translated(about):
                yield
        except (StorageUnavailableError, StorageRefusedError):
            if self._budget.is_over():
                raise out_of_time(about) from None
            raise

    @contextlib.contextmanager
    def _listing(self) -> Iterator[None]:
        with self._in_time(self._about):
            try:
                yield
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "ContainerNotFound":
                    raise
                raise StorageRefusedError(
                    f"{self._about} does not exist: check EVENTS_CONTAINER and EVENTS_STORAGE. "
                    "The collector creates the container in its first poll"
                ) from None

    def _refuse_foreign_blobs(self) -> None:
        with self._listing():
            foreign = next(iter(self._container.list_blobs(results_per_page=1)), None)
        if foreign is not None:
            raise StorageRefusedError(
                f"{self._about} has blobs, for example {foreign.name}, but no event file "
                "(events_YYYYMMDDTHHMMSSZ.db): check EVENTS_CONTAINER"
            )


def _event_blob(blob: BlobProperties) -> EventBlob:
    """An event file from its properties.

    The names of metadata have no fixed case. The list shows an ETag without its quotes.
    """
    metadata = {key.lower(): value for key, value in (blob.metadata or {}).items()}
    # A text that is no digest proves nothing, so it counts as missing.
    declared, replaced = (
        text if SHA256.fullmatch(text) else ""
        for text in (metadata.get(key, "").strip().lower() for key in ("sha256", "replaced"))
    )
    return EventBlob(blob.name, blob.size, blob.etag.strip('"'), declared, replaced)


def _unreadable(error: AzureError) -> UnreadableBlobError:
    """The error for a blob whose access tier does not allow reading (page "Get Blob")."""
    if getattr(error, "error_code", None) == "BlobBeingRehydrated":
        return UnreadableBlobError(
            f"it is on its way back from the archive tier: {brief(error)}", needs_a_person=False
        )
    return UnreadableBlobError(
        f"{brief(error)} – if it is archived, move it to another tier: "
        "az storage blob set-tier --tier Hot. It can be read some hours later",
        needs_a_person=True,
    )


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
