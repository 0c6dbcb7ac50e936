"""Both apps use Blob Storage by managed identity.

The library azure-identity requests a token from the identity endpoint. Azurite accepts tokens only
over TLS, and checks them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from local import apps, emulators, truth
from local.identity import IdentityEndpoint

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, certificate
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
CLIENT_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Settings for a storage account that accepts tokens over TLS.

    ``REQUESTS_CA_BUNDLE`` makes the app trust its certificate.
    """
    folder = tmp_path_factory.mktemp("tls")
    made = certificate.make()
    files = {"ca.pem": made.authority, "chain.pem": made.chain, "key.pem": made.key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with emulators.azurite(identity=(folder / "chain.pem", folder / "key.pem")) as server:
        yield {
            **server.settings,
            "EVENTS_STORAGE__clientId": CLIENT_ID,
            "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
        }


def test_both_apps_work_without_a_key_of_the_storage_account(
    keyless: Mapping[str, str], snowflake_settings: Mapping[str, str], connection: Any
) -> None:
    """The apps request a token for the configured identity, and no log shows the token."""
    mock = {
        "MOCK_MODE": "true",
        "MOCK_INTERVAL_SECONDS": "3600",
        "IDLE_SECONDS": "1.5",
        "MOCK_NOW": NOW.isoformat(),
    }
    with IdentityEndpoint() as endpoint:
        settings = {**keyless, **snowflake_settings, **mock, **endpoint.settings}
        polled, swept = apps.poll(settings), apps.sweep(settings)
    assert polled.succeeded, polled.log
    assert swept.succeeded, swept.log
    wanted = {
        "client_id": CLIENT_ID,
        "header": "only-this-app",
        "resource": "https://storage.azure.com",
    }
    assert endpoint.asked
    for asked in endpoint.asked:
        assert wanted.items() <= asked.items()
    assert not [token for token in endpoint.given if token in polled.log + swept.log]
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)


def test_a_refused_storage_token_is_reported_with_what_to_check(
    keyless: Mapping[str, str],
) -> None:
    """The message mentions the role that the identity needs. No log shows the token."""
    mock = {
        "MOCK_MODE": "true",
        "MOCK_INTERVAL_SECONDS": "3600",
        "IDLE_SECONDS": "1.5",
        "MAX_RUN_SECONDS": "20",
    }
    with IdentityEndpoint(audience="https://somewhere.else") as endpoint:
        failed = apps.poll({**keyless, **mock, **endpoint.settings})
    assert not failed.succeeded
    assert "StorageRefusedError" in failed.log
    assert "role" in failed.log
    assert not [token for token in endpoint.given if token in failed.log]


@pytest.mark.parametrize("app", ["collector", "sync"])
def test_an_identity_that_gets_no_token_is_reported_with_the_reason(
    keyless: Mapping[str, str], snowflake_settings: Mapping[str, str], app: str
) -> None:
    """Without a setting of our own, the apps use the identity that ``AZURE_CLIENT_ID`` names."""
    own = "EVENTS_STORAGE__clientId"
    settings = {name: value for name, value in keyless.items() if name != own}
    reason = "No User Assigned or Delegated Managed Identity found for specified ClientId"
    with IdentityEndpoint() as endpoint:
        endpoint.refusal = (400, json.dumps({"statusCode": 400, "message": reason}).encode())
        settings = {**settings, **endpoint.settings, "AZURE_CLIENT_ID": "another identity"}
        if app == "collector":
            failed = apps.poll({**settings, "MOCK_MODE": "true"})
        else:
            failed = apps.sweep({**settings, **snowflake_settings})
    assert not failed.succeeded
    assert "StorageRefusedError" in failed.log
    assert f"gets no token: 400, {reason} – check that the identity is assigned" in failed.log
    assert {asked["client_id"] for asked in endpoint.asked} == {"another identity"}
