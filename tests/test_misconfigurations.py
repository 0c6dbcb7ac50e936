"""What a newcomer gets wrong: the run fails, and its message names the setting and the cure.

The rows are those of ``tests/misconfigurations.md``.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    ResourceTypes,
    Services,
    generate_account_sas,
    generate_container_sas,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local import apps, emulators, warehouse

from delete_sync.src import errors as sync_errors
from delete_sync.src.run import run as sweep
from salesforce_client.src.app import errors as collector_errors
from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.run import run as poll

TABLE = Path(__file__).with_name("misconfigurations.md")
APPS = {"collector": ("collector",), "sync": ("sync",), "both": ("collector", "sync")}
ERRORS = {"collector": collector_errors, "sync": sync_errors}
STORAGE = "EVENTS_STORAGE"


class Row(NamedTuple):
    """A row of the table, for one app."""

    what: str
    app: str
    change: str
    when: str
    error: str
    names: str
    cure: str

    @property
    def title(self) -> str:
        """The name of the test's case."""
        return f"{self.app}: {self.what}"


def rows() -> Iterator[Row]:
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[1] in APPS:
            for app in APPS[cells[1]]:
                yield Row(cells[0], app, cells[2].strip("`"), *cells[3:])


ROWS = list(rows())


def pem(bits: int = 2048, passphrase: str = "") -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=bits)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.fixture(scope="module")
def mock() -> Iterator[MockSalesforce]:
    """A mock Salesforce with one event an hour. It denies nothing."""
    with MockSalesforce(3600, keepalive_seconds=0.2) as running:
        yield running


@pytest.fixture(scope="module")
def foreign(azurite: emulators.Server) -> str:
    """A container that holds something else than event files."""
    name = f"cursors-{uuid.uuid4().hex[:12]}"
    with BlobServiceClient.from_connection_string(azurite.settings[STORAGE]) as service:
        service.create_container(name).upload_blob("cursor.json", b"{}")
    return name


@pytest.fixture(scope="module")
def made(azurite: emulators.Server, foreign: str) -> Mapping[str, str]:
    """The values for the texts in ``<…>``."""
    return {
        "<storage with another key>": re.sub(
            "AccountKey=.", "AccountKey=x", azurite.settings[STORAGE]
        ),
        "<storage where nothing answers>": emulators.connection_string(emulators.free_port()),
        "<URL where nothing answers>": f"http://127.0.0.1:{emulators.free_port()}",
        "<free port>": str(emulators.free_port()),
        "<container of cursors>": foreign,
        "<key>": pem(),
        "<short key>": pem(1024),
        "<key with a passphrase>": pem(passphrase="sesame"),
    }


def changed(settings: Mapping[str, str], change: str, made: Mapping[str, str]) -> dict[str, str]:
    """The settings after the change of a row."""
    if change == "*":
        return {}
    result = dict(settings)
    for part in filter(None, change.split(" + ")):
        name, equals, value = part.partition("=")
        result.pop(name, None)
        if equals:
            result[name] = made.get(value, value)
    return result


@contextlib.contextmanager
def refusing(code: str) -> Iterator[int]:
    """A server that refuses each login, as Snowflake does. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer = {"success": False, "code": code, "message": "Refused.", "data": {}}
            body = json.dumps(answer).encode()
            self.send_response(404 if code == "404" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def user(settings: Mapping[str, str], *rights: str) -> dict[str, str]:
    """Make a user whose role has these rights only. Returns the settings for it."""
    name = f"U_{uuid.uuid4().hex[:8].upper()}"
    with warehouse.connect(settings) as session:
        for statement in (
            f"CREATE ROLE {name}",
            f"CREATE USER {name}",
            f"GRANT ROLE {name} TO USER {name}",
            f"CREATE WAREHOUSE IF NOT EXISTS {settings['SNOWFLAKE_WAREHOUSE']}",
            *(f"GRANT {right} TO ROLE {name}" for right in rights),
        ):
            warehouse.query(session, statement)
    return {"SNOWFLAKE_USER": name, "SNOWFLAKE_ROLE": name}


@contextlib.contextmanager
def world(when: str, settings: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Make what is wrong outside of the settings. Yields the settings that show it."""
    what, _, code = when.partition(" ")
    names = {part: settings.get(f"SNOWFLAKE_{part}", "") for part in ("DATABASE", "SCHEMA")}
    usage = {
        "warehouse": f"USAGE ON WAREHOUSE {settings.get('SNOWFLAKE_WAREHOUSE')}",
        "database": f"USAGE ON DATABASE {names['DATABASE']}",
        "schema": f"USAGE ON SCHEMA {names['DATABASE']}.{names['SCHEMA']}",
    }
    if when == "deny_topic":
        with MockSalesforce(3600, keepalive_seconds=0.2, faults=when) as mock:
            yield {**mock.settings, "SALESFORCE_TOPICS": settings["SALESFORCE_TOPICS"]}
    elif what == "login":
        with refusing(code) as port:
            yield {"SNOWFLAKE_PORT": str(port)}
    elif when == "another table":
        with warehouse.connect(settings) as session:
            warehouse.query(session, "CREATE TABLE delete_tracker (name VARCHAR(255))")
        yield {}
    elif what == "no":
        yield user(settings, *(usage[it] for it in usage if it != code))
    else:
        assert not when, f"the test does not know {when!r}"
        yield {}


@pytest.fixture
def working(
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
    mock: MockSalesforce,
    service: BlobServiceClient,
) -> dict[str, dict[str, str]]:
    """Settings of both apps with which a run succeeds."""
    service.create_container(blob_settings["EVENTS_CONTAINER"])
    return {
        "collector": {**blob_settings, **mock.settings},
        "sync": {**blob_settings, **snowflake_settings, "MAX_SILENCE_HOURS": "0"},
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_misconfiguration_is_told_by_its_name_with_its_cure(
    row: Row,
    working: Mapping[str, dict[str, str]],
    made: Mapping[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The run fails. Message and log together say once what to do and what is lost.

    They quote no secret.
    """
    settings = changed(working[row.app], row.change, made)
    with (
        world(row.when, settings) as others,
        pytest.raises(getattr(ERRORS[row.app], row.error)) as raised,
    ):
        run({**settings, **others}, row.app)
    message = str(raised.value)
    assert row.names in message
    assert row.cure in message
    assert (message + caplog.text).count(row.cure) == max(message.count(row.cure), 1)
    assert "Nothing is lost" in message
    assert (message + caplog.text).lower().count("nothing is lost") == 1
    for secret in ("hush-hush", "sig=x", "RXZl", "PRIVATE KEY-----"):
        assert secret not in message + caplog.text


def run(settings: Mapping[str, str], app: str) -> None:
    """Run the app once, as its function does."""
    (poll if app == "collector" else sweep)(settings).raise_if_failed()


@pytest.mark.parametrize("app", ERRORS)
def test_the_settings_work_without_the_change(
    app: str, working: Mapping[str, dict[str, str]]
) -> None:
    """So it is the change that makes each row fail."""
    run(working[app], app)


@pytest.mark.parametrize(
    ("app", "scope", "permissions", "enough"),
    [
        ("collector", "account", "rwlc", True),
        ("collector", "container", "rwlc", False),
        ("sync", "account", "rl", True),
        ("sync", "container", "rl", True),
        ("sync", "container", "r", False),
    ],
)
def test_a_sas_is_enough_if_it_has_the_documented_permissions(
    app: str,
    scope: str,
    permissions: str,
    enough: bool,
    working: Mapping[str, dict[str, str]],
    azurite: emulators.Server,
) -> None:
    """See "Storage with a SAS" in docs/settings.md. Another SAS is refused."""
    settings = working[app]
    account, soon = "devstoreaccount1", datetime.now(timezone.utc) + timedelta(hours=1)
    sas = (
        generate_account_sas(
            account,
            emulators.AZURITE_KEY,
            ResourceTypes(container=True, object=True),
            AccountSasPermissions.from_string(permissions),  # type: ignore[no-untyped-call]
            soon,
            services=Services(blob=True),
        )
        if scope == "account"
        else generate_container_sas(
            account,
            settings["EVENTS_CONTAINER"],
            emulators.AZURITE_KEY,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=soon,
        )
    )
    endpoint = f"http://127.0.0.1:{azurite.port}/{account}"
    with_sas = {**settings, STORAGE: f"BlobEndpoint={endpoint};SharedAccessSignature={sas}"}
    if enough:
        run(with_sas, app)
    else:
        with pytest.raises(ERRORS[app].StorageRefusedError, match="check EVENTS_STORAGE: its key"):
            run(with_sas, app)


def test_the_table_has_enough_rows_and_no_row_twice() -> None:
    """Each setting is absent, empty, malformed or swapped somewhere."""
    assert len(ROWS) >= 100
    assert len({row.title for row in ROWS}) == len(ROWS)
    assert len({(row.app, row.change, row.when) for row in ROWS}) == len(ROWS)


def test_an_invocation_that_fails_ends_with_the_message() -> None:
    """The exit code of the process is not 0, so the host counts the invocation as failed."""
    for invocation in (
        apps.poll({"SALESFORCE_TOPIC": "/event/Delete_Event__e"}),
        apps.sweep({"FULL_SWEEPS": "true"}),
    ):
        assert invocation.returncode == 1
        *_, problem, lost = invocation.log.rstrip().splitlines()
        assert re.search(r"(SALESFORCE_TOPIC|FULL_SWEEPS) is not a setting: rename it to ", problem)
        assert lost.startswith("Nothing is lost")
