"""The servers that tests share: one Azurite and one Snowflake for the whole session.

Each test gets containers and a schema of its own in them.
"""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from local import apps, emulators, environments, forks, warehouse
from local.account import Account

from salesforce_client.src.app.mock_salesforce import MockSalesforce

HOURLY = 3600.0  # seconds: one event an hour, so 72 of them are retained


def pytest_configure(config: pytest.Config) -> None:
    """Start the apps faster, and show the progress of installations, which pytest would hide."""
    apps.started = forks.started
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture:
        environments.visibly = capture.global_and_fixture_disabled


def pytest_collection_finish() -> None:
    """Let no garbage collection visit what stays until the end: all modules and all tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def azurite() -> Iterator[emulators.Server]:
    with emulators.azurite() as server:
        yield server


@pytest.fixture(scope="session")
def snowflake() -> Iterator[emulators.Server]:
    # The statements of the tests are small: a second thread for one costs more than it brings.
    with emulators.snowflake(threads=1) as server:
        yield server


@pytest.fixture
def blob_settings(azurite: emulators.Server) -> dict[str, str]:
    """Settings for Azurite, with two containers for this test alone. Nothing is checked."""
    name = uuid.uuid4().hex[:12]
    return {
        **azurite.settings,
        "CHECK_OBJECTS": "none",
        "EVENTS_CONTAINER": f"events-{name}",
        "CURSORS_CONTAINER": f"cursors-{name}",
    }


@pytest.fixture
def snowflake_settings(snowflake: emulators.Server) -> dict[str, str]:
    """Settings for Snowflake, with a schema for this test alone."""
    return {**snowflake.settings, "SNOWFLAKE_SCHEMA": f"s_{uuid.uuid4().hex[:12]}"}


@pytest.fixture
def account(snowflake: emulators.Server, snowflake_settings: Mapping[str, str]) -> Account:
    """The rules of the test's own schema."""
    return Account(snowflake, snowflake_settings["SNOWFLAKE_SCHEMA"].upper())


@pytest.fixture
def settings(
    blob_settings: Mapping[str, str], snowflake_settings: Mapping[str, str]
) -> dict[str, str]:
    """Settings for both apps, in MOCK_MODE with one event an hour."""
    mock = {"MOCK_MODE": "true", "MOCK_INTERVAL_SECONDS": f"{HOURLY:g}", "IDLE_SECONDS": "1.5"}
    return {**blob_settings, **snowflake_settings, **mock}


@pytest.fixture
def service(azurite: emulators.Server) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite.settings["EVENTS_STORAGE"]) as client:
        yield client


@pytest.fixture
def events(service: BlobServiceClient, blob_settings: Mapping[str, str]) -> ContainerClient:
    """The test's container of event files, which may not exist yet."""
    return service.get_container_client(blob_settings["EVENTS_CONTAINER"])


@pytest.fixture
def cursors(service: BlobServiceClient, blob_settings: Mapping[str, str]) -> ContainerClient:
    """The test's container of cursors, which may not exist yet."""
    return service.get_container_client(blob_settings["CURSORS_CONTAINER"])


@pytest.fixture
def connection(snowflake_settings: Mapping[str, str]) -> Iterator[Any]:
    """A Snowflake session in the test's own schema."""
    with warehouse.connect(snowflake_settings) as session:
        yield session


@pytest.fixture
def mock() -> Iterator[MockSalesforce]:
    """A mock Salesforce in this process, with one event an hour."""
    with MockSalesforce(HOURLY, keepalive_seconds=0.2) as running:
        yield running
