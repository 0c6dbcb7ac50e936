"""Uploads event files to Blob Storage, and downloads them. It never overwrites a blob."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, ExponentialRetry

from ..errors import EventFileError, StorageUnavailableError
from ..scratch import local_storage
from .blob_errors import brief, translated

THIS_MACHINE = frozenset(("127.0.0.1", "localhost", "::1"))
# The time limit of one attempt to send a file: SENDING_SECONDS, and one second more for each
# BYTES_A_SECOND bytes. Four attempts with a full file of 50 MB end before the host ends the run.
SENDING_SECONDS, BYTES_A_SECOND = 10, 2_000_000
# The options of a request that is sent once and waits only a few seconds for the answer.
BRIEF: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 5}
# How a person logs in: with az login, for example. Without the exclusions, azure-identity first
# waits for identities that only machines in Azure have. The command az may need over 10 seconds.
PERSONS_LOGIN: Mapping[str, Any] = {
    "exclude_managed_identity_credential": True,
    "exclude_workload_identity_credential": True,
    "process_timeout": 30,
}
# A file is named after the second in which it was begun. If that name is taken, the names of later
# seconds are tried, up to this number. If all are taken, something else uses these names.
NAMES_TO_TRY = 3600
EVENT_FILE = re.compile(r"events_(\d{8}T\d{6})Z\.db", re.ASCII)


@contextlib.contextmanager
def connect(
    connection_string: str,
    service_uri: str,
    client_id: str,
    connection_seconds: int = 10,
    *,
    person: bool = False,
) -> Iterator[BlobServiceClient]:
    """A client for the storage account, closed at the end.

    It uses the connection string or, if that is empty, the managed identity.

    Args:
        connection_string: with a key or a SAS.
        service_uri: the address of the account, if there is no connection string.
        client_id: of the managed identity, if it is user-assigned.
        connection_seconds: the time limit of each attempt to connect.
        person: a person runs a command. The person's own login counts (az login), and the identity
            of the machine does not.

    Raises:
        StorageRefusedError: the connection string or the address is malformed.
    """
    client_options: dict[str, Any] = {
        "connection_timeout": connection_seconds,
        "read_timeout": 30,
        # Each client needs a policy of its own, because a policy keeps its client's connections.
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3),
        # Far more than the size of a file, so that each file is uploaded in one request.
        "max_single_put_size": 256 * 1024 * 1024,
    }
    with contextlib.ExitStack() as stack:
        with translated("the storage account"):
            if connection_string:
                service = BlobServiceClient.from_connection_string(
                    connection_string, **client_options
                )
            else:
                # Loading it takes a tenth of the start, and a connection string does not need it.
                from azure.identity import DefaultAzureCredential  # noqa: PLC0415

                ways = (
                    PERSONS_LOGIN if person else {"managed_identity_client_id": client_id or None}
                )
                credential = stack.enter_context(DefaultAzureCredential(**ways))
                service = BlobServiceClient(service_uri, credential=credential, **client_options)
        yield stack.enter_context(service)


def container(service: BlobServiceClient, name: str) -> ContainerClient:
    """A container. It is created if it does not exist.

    Raises:
        StorageUnavailableError, StorageRefusedError: it is not certain that the container exists.
    """
    client = service.get_container_client(name)
    with translated(f"container {name}"):
        try:
            client.create_container()
        except ResourceExistsError:
            pass
        except HttpResponseError as error:
            # An identity that has its role on this container only may not create containers.
            if error.status_code != 403 or not client.exists():
                raise
    return client


def blob_name(begun_at: datetime, attempt: int = 0) -> str:
    """``events_YYYYMMDDTHHMMSSZ.db`` for the second ``attempt`` seconds after ``begun_at``."""
    return f"events_{begun_at + timedelta(seconds=attempt):%Y%m%dT%H%M%SZ}.db"


def begun_at(name: str) -> Optional[datetime]:
    """The time in the name of an event file. None if this is no name of an event file."""
    match = EVENT_FILE.fullmatch(name)
    try:
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S") if match else None
    except ValueError:  # the name has no such day, for example
        return None
    return moment and moment.replace(tzinfo=timezone.utc)


class EventFiles:
    """The container of event files.

    Args:
        events: the container.
        this_machine: names of this machine. Over plain http, the service checks the bytes that it
            receives, except if the service runs on this machine.
    """

    def __init__(
        self, events: ContainerClient, this_machine: frozenset[str] = THIS_MACHINE
    ) -> None:
        self._events = events
        url = urlsplit(events.url)
        # Plain http to another machine, for example to an emulator in another container.
        self._plain = url.scheme == "http" and url.hostname not in this_machine
        self._taken_until = datetime.min.replace(tzinfo=timezone.utc)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool = False) -> str:
        """Upload a file under the first free name, beginning with the second of ``begun_at``.

        Returns the name.

        Args:
            path: the file.
            begun_at: when the file was begun, in UTC.
            briefly: send each request once and wait only a few seconds for its answer. This is for
                a small file at the end of a run whose time may be over.

        Raises:
            StorageUnavailableError, StorageRefusedError: the file is not uploaded.
            LocalStorageError: the file cannot be read.
        """
        # Each file of this run gets a later second, even if several files fill within one second.
        first = max(begun_at, self._taken_until)
        options = BRIEF if briefly else {}
        for attempt in range(NAMES_TO_TRY):
            name = blob_name(first, attempt)
            blob = self._events.get_blob_client(name)
            with translated(f"event file {name}"):
                # The check avoids useless uploads, because several small files may fill within one
                # second. The upload itself decides whether the name is free.
                if not blob.exists(**options) and _put(blob, path, self._plain, options):
                    self._taken_until = first + timedelta(seconds=attempt + 1)
                    return name
        raise StorageUnavailableError(
            f"no free name for an event file within {NAMES_TO_TRY} seconds after {first};"
            " the next poll tries again. If this stays, find what else writes to EVENTS_CONTAINER"
        )

    def download(self, name: str) -> bytes:
        """The content of an event file, which matches its SHA-256.

        Raises:
            EventFileError: there is no such file, or its content does not match.
            StorageUnavailableError, StorageRefusedError: the file could not be downloaded.
        """
        with translated(f"event file {name}"):
            try:
                download = self._events.download_blob(name)
                content = bytes(download.readall())
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "BlobNotFound":
                    raise
                raise EventFileError(
                    f"event file {name}: the container {self._events.container_name} has no such"
                    " file, so its rejected events cannot be decoded again. Check the name. A"
                    " lifecycle rule may have removed the file: see 'EventFileError' in"
                    " docs/operations.md"
                ) from None
        metadata = {key.lower(): value for key, value in download.properties.metadata.items()}
        if metadata.get("sha256", "") not in ("", hashlib.sha256(content).hexdigest()):
            raise EventFileError(
                f"event file {name}: its content does not match the SHA-256 in its metadata, so its"
                " rejected events cannot be decoded again. Somebody has changed the file: see"
                " 'EventFileError' in docs/operations.md"
            )
        return content


def _put(blob: BlobClient, path: Path, with_digest: bool, options: Mapping[str, Any]) -> bool:
    """Upload the file under the name of ``blob``. False if another file has this name.

    One request stores the whole file or nothing. TLS protects the bytes on their way. If there is
    no TLS, ``with_digest`` makes the service check them. ``options`` are those of the request.
    """
    # The file is read here and not in the caller. The caller's check for a free name causes a 404,
    # and that error keeps the caller's local values in memory.
    with local_storage(f"event file {path.name}"):
        content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    seconds = SENDING_SECONDS + len(content) // BYTES_A_SECOND
    try:
        # The time limit of the connection also limits sending.
        blob.upload_blob(
            content,
            metadata={"sha256": sha256},
            validate_content=with_digest,
            **{"connection_timeout": seconds, **options},
        )
    except (ServiceRequestError, ServiceResponseError) as error:
        # The request was not sent, or the service did not answer.
        slow = f"if sending {len(content):,} bytes takes over {seconds} s, lower MAX_FILE_ROWS"
        raise StorageUnavailableError(
            f"event file {blob.blob_name}: {brief(error)} – {slow}"
        ) from None
    except ResourceExistsError as error:
        if getattr(error, "error_code", None) != "BlobAlreadyExists":
            # Another name would not avoid this conflict.
            raise
        # The name is taken, perhaps by this file: if the answer to the first request was lost, the
        # client has repeated the request.
        return bool(blob.get_blob_properties(**options).metadata.get("sha256") == sha256)
    return True
