"""Uploads event files to Blob Storage, never over an existing one."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, ExponentialRetry

from ..errors import StorageUnavailableError
from ..scratch import local_storage
from .blob_errors import brief, translated

THIS_MACHINE = frozenset(("127.0.0.1", "localhost", "::1"))
# For one attempt to send a file. Four attempts with a full file of 50 MB end before the host ends the run.
SENDING_SECONDS, BYTES_A_SECOND = 10, 2_000_000
NAMES_TO_TRY = (
    3600  # seconds after the file's own whose names may be taken; more than that is no coincidence
)


@contextlib.contextmanager
def connect(
    connection_string: str, service_uri: str, client_id: str, connection_seconds: int = 10
) -> Iterator[BlobServiceClient]:
    """A client for the account, closed at the end: by connection string or, if that is empty, by managed identity.

    Raises:
        StorageRefusedError: the connection string or the address is not one.
    """
    client_options: dict[str, Any] = {
        "connection_timeout": connection_seconds,
        "read_timeout": 30,
        # One for each client: it keeps the connections of the client that was made last.
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3),
        "max_single_put_size": 256
        * 1024
        * 1024,  # far more than a file has: each goes up in one request
    }
    with contextlib.ExitStack() as stack:
        with translated("the storage account"):
            if connection_string:
                service = BlobServiceClient.from_connection_string(
                    connection_string, **client_options
                )
            else:
                credential = stack.enter_context(
                    DefaultAzureCredential(managed_identity_client_id=client_id or None)
                )
                service = BlobServiceClient(service_uri, credential=credential, **client_options)
        yield stack.enter_context(service)


def container(service: BlobServiceClient, name: str) -> ContainerClient:
    """A container, created if it is absent.

    Raises:
        StorageUnavailableError, StorageRefusedError: it is not known to be there.
    """
    client = service.get_container_client(name)
    with translated(f"container {name}"):
        try:
            client.create_container()
        except ResourceExistsError:
            pass
        except HttpResponseError as error:
            # An identity whose role covers no more than this container may not create it.
            if error.status_code != 403 or not client.exists():
                raise
    return client


def blob_name(begun_at: datetime, attempt: int = 0) -> str:
    """``events_YYYYMMDDTHHMMSSZ.db`` for the second in which the file was begun, or a later one if that is taken."""
    return f"events_{begun_at + timedelta(seconds=attempt):%Y%m%dT%H%M%SZ}.db"


class EventFiles:
    """The container of event files.

    Args:
        events: the container.
        this_machine: hosts to which plain http needs no check of the bytes.
    """

    def __init__(
        self, events: ContainerClient, this_machine: frozenset[str] = THIS_MACHINE
    ) -> None:
        self._events = events
        url = urlsplit(events.url)
        self._plain = (
            url.scheme == "http" and url.hostname not in this_machine
        )  # an emulator in another container
        self._taken_until = datetime.min.replace(tzinfo=timezone.utc)

    def upload(self, path: Path, begun_at: datetime) -> str:
        """Upload a file under the first free name at or after the second in which it was begun; returns the name.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not uploaded.
            LocalStorageError: it could not be read.
        """
        # This run's own files take the seconds one after the other, also if several fill within one.
        first = max(begun_at, self._taken_until)
        for attempt in range(NAMES_TO_TRY):
            name = blob_name(first, attempt)
            blob = self._events.get_blob_client(name)
            with translated(f"event file {name}"):
                # Only spares a needless upload, as small files fill within the second that names them: the upload itself decides.
                if not blob.exists() and _put(blob, path, with_digest=self._plain):
                    self._taken_until = first + timedelta(seconds=attempt + 1)
                    return name
        raise StorageUnavailableError(
            f"no free name for an event file within {NAMES_TO_TRY} seconds after {first}"
        )


def _put(blob: BlobClient, path: Path, *, with_digest: bool) -> bool:
    """Upload under this name in one request, which stores the file whole or not at all; False if another file has it.

    TLS keeps the bytes as they are on their way; ``with_digest`` has the service check them if there is none.
    """
    # Read here and not before: the client's errors, such as a 404 for a free name, hold on to their callers' values.
    with local_storage(f"event file {path.name}"):
        content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    seconds = SENDING_SECONDS + len(content) // BYTES_A_SECOND
    try:
        # The connection's time limit is that for sending, too.
        blob.upload_blob(
            content,
            metadata={"sha256": sha256},
            validate_content=with_digest,
            connection_timeout=seconds,
        )
    except (ServiceRequestError, ServiceResponseError) as error:  # not sent, or not answered
        slow = f"if the line is too slow for {len(content):,} bytes in {seconds} s, lower MAX_FILE_ROWS"
        raise StorageUnavailableError(
            f"event file {blob.blob_name}: {brief(error)}; {slow}"
        ) from None
    except ResourceExistsError as error:
        if (
            getattr(error, "error_code", None) != "BlobAlreadyExists"
        ):  # a conflict that another name would not avoid
            raise
        # Taken by another file, or by this very one: the client repeats a request whose answer got lost.
        return bool(blob.get_blob_properties().metadata.get("sha256") == sha256)
    return True
