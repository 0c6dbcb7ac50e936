"""Both apps use Blob Storage by managed identity.

The library azure-identity requests a token from the identity endpoint. Azurite accepts tokens only
over TLS, and checks them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from local import apps, emulators, truth

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, certificate
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
CLIENT_ID = "11111111-2222-3333-4444-555555555555"


class IdentityEndpoint:
    """An identity endpoint, as Azure runs it beside each app.

    Azure gives a token only to a caller that sends the right header (App Service, "How to use
    managed identities"). This endpoint gives a token to every caller, and records the header.
    """

    def __init__(self, *, audience: str = "https://storage.azure.com") -> None:
        self.asked: list[dict[str, str]] = []
        self.given: list[str] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {
                    name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
                }
                endpoint.asked.append(
                    {**asked, "header": self.headers.get("X-IDENTITY-HEADER", "")}
                )
                now = int(time.time())
                claims = {
                    "aud": audience,
                    "iss": "https://sts.windows.net/t/",
                    "iat": now,
                    "nbf": now - 60,
                    "exp": now + 3600,
                }
                token = jwt.encode(claims, "not checked by Azurite, but long enough", "HS256")
                endpoint.given.append(token)
                body = {
                    "access_token": token,
                    "expires_on": str(now + 3600),
                    "resource": asked["resource"],
                    "token_type": "Bearer",
                }
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.settings = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}/",
            "IDENTITY_HEADER": "only-this-app",
        }

    def __enter__(self) -> IdentityEndpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


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
