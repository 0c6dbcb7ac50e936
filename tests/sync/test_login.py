"""Every way to log in, with the real connector against Snowflake's stand-in.

The stand-in checks no password and no key, so the tests check the request that the connector sends.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local import apps, emulators
from local.environments import REPOSITORY
from local.proxy import proxy

from delete_sync.src.run import run
from salesforce_client.src.app.storage.blobs import blob_name

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"sesame"),
).decode()


@pytest.fixture
def pending(events: ContainerClient) -> None:
    """A pending file that is not an event file. It makes the sweep connect to Snowflake."""
    from datetime import datetime, timezone

    events.create_container()
    events.upload_blob(blob_name(datetime(2026, 2, 1, tzinfo=timezone.utc)), b"not an event file")


@pytest.fixture
def identity_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The endpoint that gives an Azure Function the tokens of its managed identity.

    Yields the requests.
    """
    asked: list[str] = []
    claims = {
        "iss": "https://sts.windows.net/tenant/",
        "sub": "object-id",
        "aud": "api://snowflake",
        "exp": 4_000_000_000,
    }
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    token = (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        + ".c2ln"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('X-IDENTITY-HEADER')}")
            body = json.dumps(
                {"access_token": token, "expires_on": "4000000000", "token_type": "Bearer"}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    monkeypatch.setenv("MANAGED_IDENTITY_CLIENT_ID", "my-identity")
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "localhost")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def login_request(
    settings: Mapping[str, str], snowflake: emulators.Server, **changes: str
) -> dict[str, Any]:
    """The login request of a sweep with these settings. Each of its sessions logs in alike."""
    with proxy(snowflake.port) as through:
        report = run(
            {**settings, "SNOWFLAKE_PASSWORD": "", "SNOWFLAKE_PORT": str(through.port), **changes}
        )
        login, *others = [
            json.loads(request.text)["data"]
            for request in through.seen
            if "login-request" in request.path
        ]
        assert len(others) == 2
    assert len(report.refused) == 1
    return dict(login)


@pytest.mark.usefixtures("pending")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SNOWFLAKE_PASSWORD": "secret"}, {"PASSWORD": "secret"}),
        (
            {"SNOWFLAKE_TOKEN": "pat"},
            {"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "pat"},
        ),
        (
            {"SNOWFLAKE_PRIVATE_KEY": PEM, "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "sesame"},
            {"AUTHENTICATOR": "SNOWFLAKE_JWT"},
        ),
    ],
    ids=["password", "token", "key pair"],
)
def test_a_way_to_log_in_reaches_snowflake(
    settings: dict[str, str],
    snowflake: emulators.Server,
    changes: dict[str, str],
    expected: dict[str, str],
) -> None:
    """The login also sets the query tag that names the sweep."""
    login = login_request(settings, snowflake, **changes)
    assert {name: login[name] for name in expected} == expected
    assert json.loads(login["SESSION_PARAMETERS"]["QUERY_TAG"])["app"] == "delete_sync"


@pytest.mark.usefixtures("pending")
def test_a_managed_identity_logs_in_without_any_secret(
    settings: dict[str, str], snowflake: emulators.Server, identity_endpoint: list[str]
) -> None:
    """The token comes from Azure's own endpoint, for the identity that the settings name."""
    identity = {
        "SNOWFLAKE_AUTHENTICATOR": "WORKLOAD_IDENTITY",
        "SNOWFLAKE_USER": "",
        "SNOWFLAKE_HOST": "localhost",
    }
    login = login_request(settings, snowflake, **identity)
    assert (login["AUTHENTICATOR"], login["PROVIDER"]) == ("WORKLOAD_IDENTITY", "AZURE")
    assert "client_id=my-identity" in identity_endpoint[0]
    assert identity_endpoint[0].endswith(" header")


@pytest.mark.usefixtures("pending")
def test_the_connectors_caches_need_no_writable_home(settings: dict[str, str]) -> None:
    """The home folder of a Function may be read-only."""
    swept = apps.sweep({**settings, "HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent/cache"})
    assert "refused=1" in swept.log
    assert "FilesRefusedError" in swept.log


HOSTS = """
import os, sys
from azure.functions.timer import TimerRequest
from pathlib import Path
from local.invoke import load
hosts = set()
def note(event, arguments):
    if event == "socket.getaddrinfo":
        hosts.add(str(arguments[0]))
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        hosts.add(arguments[1][0])
sys.addaudithook(note)
main = load(Path(sys.argv[1]), "SnowflakePusher")
try:
    main(TimerRequest(past_due=False))
finally:
    print(*sorted(hosts))
"""


@pytest.mark.usefixtures("pending")
def test_a_sweep_asks_nobody_but_the_storage_and_snowflake(
    blob_settings: Mapping[str, str], snowflake_settings: Mapping[str, str]
) -> None:
    """By default, the connector asks at each login on which of three clouds it runs."""
    ran = subprocess.run(
        [sys.executable, "-c", HOSTS, REPOSITORY / "delete_sync"],
        env={
            **apps.inherited(),
            **blob_settings,
            **snowflake_settings,
            "PYTHONPATH": str(REPOSITORY / "tests"),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "127.0.0.1\n", ran.stderr
    assert "is not a SQLite file" in ran.stderr
