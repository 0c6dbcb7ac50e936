"""How the sync sorts the errors of Blob Storage, and how it closes its connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.storage.blob import ContainerClient
from local import emulators
from local.proxy import proxy

from delete_sync.src.errors import (
    StorageRefusedError,
    StorageUnavailableError,
    SyncError,
    WarehouseUnavailableError,
)
from delete_sync.src.event_files import blobs
from delete_sync.src.event_files.blob_errors import translated
from delete_sync.src.run import run
from salesforce_client.src.app.storage.blobs import blob_name

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)


def answered(status: int) -> HttpResponseError:
    """The storage client's error for a response with this status."""
    response = SimpleNamespace(
        status_code=status, reason="reason", headers={}, content_type="text/plain"
    )
    return HttpResponseError("what the service said\nand more", response=response)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((answered(status), StorageRefusedError) for status in (400, 403, 404, 409, 499)),
        *((answered(status), StorageUnavailableError) for status in (408, 412, 429, 500, 503, 399)),
        (HttpResponseError("no answer"), StorageUnavailableError),
        (ServiceRequestError("no connection"), StorageUnavailableError),
        (ClientAuthenticationError("who are you"), StorageRefusedError),
        (ResourceNotFoundError("not there"), StorageRefusedError),
        (ValueError("not a connection string"), StorageRefusedError),
    ],
    ids=lambda value: (
        value.__name__
        if isinstance(value, type)
        else f"{getattr(value, 'status_code', None) or value}"[:20]
    ),
)
def test_errors_of_storage_are_sorted_by_who_has_to_act(
    error: Exception, kind: type[SyncError]
) -> None:
    """The message names the container, and holds one line of the service's answer."""
    with pytest.raises(kind) as raised, translated("container events"):
        raise error
    assert str(raised.value).startswith("container events: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("x", response=SimpleNamespace(status_code=403, reason="no")),
        ResourceNotFoundError("x"),
    ],
    ids=["refused", "not found"],
)
def test_the_error_of_a_refused_identity_says_what_to_check(error: Exception) -> None:
    """The operator must check the setting and the roles of the identity."""
    with (
        pytest.raises(
            StorageRefusedError, match="check EVENTS_STORAGE and the roles of its identity"
        ),
        translated("x"),
    ):
        raise error


def test_a_sweep_closes_its_connections_to_storage(
    events: ContainerClient,
    azurite: emulators.Server,
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
) -> None:
    """A failed sweep closes them too, although its error still refers to the client."""
    events.create_container()
    events.upload_blob(blob_name(BEGUN_AT), b"something to load")
    unreachable = {"SNOWFLAKE_PORT": str(emulators.free_port()), "MAX_RUN_SECONDS": "10"}
    with proxy(azurite.port) as through:
        storage = {"EVENTS_STORAGE": emulators.connection_string(through.port)}
        with pytest.raises(WarehouseUnavailableError) as raised:
            run({**blob_settings, **snowflake_settings, **unreachable, **storage})
        assert through.seen
        assert emulators.connections_to(through.port) == 0
    assert re.search("connecting to Snowflake", str(raised.value))


def test_closing_one_client_leaves_the_others_open(azurite: emulators.Server) -> None:
    """Each client has its own retry policy. A policy keeps the connections of its client."""
    address = azurite.settings["EVENTS_STORAGE"]
    with blobs.connect(address, "", "") as first:
        with blobs.connect(address, "", "") as second:
            assert blobs.EventContainer(second, "absent").event_files() == []
        assert blobs.EventContainer(first, "absent").event_files() == []
