"""Reads and checks all settings of the app. One error lists all problems, by setting.

``docs/settings.md`` describes the names and defaults.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple, Optional

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .addresses import beyond_host, fault_of_port, is_loopback, shown, split
from .model.event_rules import EventRules
from .settings_reader import BlobAccount, SettingsReader
from .topic_settings import read_check_objects, read_event_rules, read_topics

LOGIN = "https://login.salesforce.com"
SANDBOX_LOGIN = "https://test.salesforce.com"
# The hosts of sandboxes and scratch orgs: the common login host, the My Domains of today, older My
# Domains with the name of the sandbox after "--", and the instances cs1, cs2 … of older sandboxes
# (Salesforce Help, "My Domain URL Formats" and "Partitioned Domains").
SANDBOX_HOST = re.compile(
    r"test\.salesforce\.[a-z]+"
    r"|([^.]+\.)+(sandbox|scratch)\.my\.[a-z.]+"
    r"|[^.]+--[^.]+(\.[^.]+)?\.my\.[a-z.]+"
    r"|(([^.]+\.)+cs\d+\.my|cs\d+)\.salesforce\.[a-z]+"
)
MOST_CHECK_HOURS = 72  # each day must be listed once more before it leaves the reach of 15 days
# The first one that is set counts. requests knows the first two, and OpenSSL the third.
CA_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Endpoint(NamedTuple):
    """A gRPC target ``host:port``, and whether connections to it use TLS."""

    target: str
    tls: bool


@dataclass(frozen=True)
class Salesforce:
    """How to reach an org, and the user to log in as.

    ``ca_file`` is the path of a PEM file with the trusted certificate authorities. If it is empty,
    each client uses its own.
    """

    login_url: str
    audience: str
    client_id: str
    username: str
    private_key: RSAPrivateKey = field(repr=False)
    pubsub_endpoint: Endpoint
    ca_file: str = ""


class Mock(NamedTuple):
    """The settings of the mock org. ``now`` is None if the org uses this machine's clock."""

    interval_seconds: float
    now: Optional[datetime]
    faults: str
    allowed_in_azure: bool


@dataclass(frozen=True)
class Settings:
    """All settings of the collector. Times are seconds.

    Attributes:
        salesforce: the real org. None in MOCK_MODE.
        mock: the mock org. None outside of MOCK_MODE.
        event_rules: how to read the platform events of each topic.
        check_objects: the objects to check. None if the topics tell them. Empty if there are none.
        max_check_calls: REST calls for checks in 24 hours.
    """

    storage: BlobAccount
    events_container: str
    cursors_container: str
    salesforce: Optional[Salesforce]
    mock: Optional[Mock]
    topics: tuple[str, ...]
    replay_preset: str
    event_rules: Mapping[str, EventRules]
    max_run_seconds: float
    idle_seconds: float
    max_file_rows: int
    check_objects: Optional[tuple[str, ...]]
    check_hours: float
    max_check_calls: int


def read(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting in ``environ``.

    Raises:
        SettingsError: at least one setting has a problem. The error lists all problems.
    """
    values = _Reader(environ)
    mock = values.mock()
    settings = Settings(
        storage=values.storage(),
        events_container=values.container("EVENTS_CONTAINER", "events"),
        cursors_container=values.container("CURSORS_CONTAINER", "cursors"),
        salesforce=values.salesforce(required=mock is None),
        mock=mock,
        topics=(topics := read_topics(values, required=mock is None)),
        replay_preset=values.choice("SALESFORCE_REPLAY_PRESET", ("EARLIEST", "LATEST")),
        event_rules=read_event_rules(values, topics),
        max_run_seconds=values.number("MAX_RUN_SECONDS", 480, least=10),
        idle_seconds=values.number("IDLE_SECONDS", 30, least=0.1),
        max_file_rows=int(values.number("MAX_FILE_ROWS", 250_000, least=1)),
        check_objects=read_check_objects(values),
        check_hours=values.number("CHECK_HOURS", 24, least=0.1),
        max_check_calls=int(values.number("MAX_CHECK_CALLS", 500, least=1)),
    )
    if settings.check_hours > MOST_CHECK_HOURS:
        values.problem(
            "CHECK_HOURS",
            f"must be at most {MOST_CHECK_HOURS}: Salesforce lists the deletes of 15 days only",
            None,
        )
    if settings.idle_seconds > settings.max_run_seconds / 3:
        values.problem(
            "IDLE_SECONDS",
            "must be at most a third of MAX_RUN_SECONDS: a poll waits for silence several times",
            None,
        )
    if settings.events_container == settings.cursors_container:
        values.problem("CURSORS_CONTAINER", "must not be the same as EVENTS_CONTAINER", None)
    values.raise_problems()
    return settings


def _audience(login_url: str) -> str:
    """The audience of a JWT. It depends only on whether the host belongs to a sandbox."""
    parts = split(login_url)  # if it is malformed, that is a problem of its own
    host = (parts and parts.hostname) or ""
    return SANDBOX_LOGIN if SANDBOX_HOST.fullmatch(host) else LOGIN


class _Reader(SettingsReader):
    """Reads the settings that only the collector has."""

    def salesforce(self, *, required: bool) -> Optional[Salesforce]:
        """The real org. None in MOCK_MODE, and if there is no usable private key."""
        login_url = self.url("SALESFORCE_LOGIN_URL", LOGIN)
        audience = self.text("SALESFORCE_AUDIENCE") or _audience(login_url)
        client_id = self.text("SALESFORCE_CLIENT_ID", required=required)
        if "@" in client_id:
            self.problem(
                "SALESFORCE_CLIENT_ID", "must be the consumer key of the app, not a user name", None
            )
        username = self.text("SALESFORCE_USERNAME", required=required)
        if username and "@" not in username:
            self.problem(
                "SALESFORCE_USERNAME",
                f"must be a user name such as integration@example.com, not {shown(username)}",
                None,
            )
        key_names = ("SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_FILE")
        given = self.either(*key_names, required=required)
        key = self.private_key(key_names, given) if any(given) else None
        endpoint = self.endpoint("SALESFORCE_PUBSUB_ENDPOINT", "api.pubsub.salesforce.com:7443")
        ca_file = self.ca_file()
        if not required or not isinstance(key, RSAPrivateKey):
            return None
        return Salesforce(login_url, audience, client_id, username, key, endpoint, ca_file)

    def ca_file(self) -> str:
        """The PEM file of the first of ``CA_FILES`` that is set. Empty if none is set."""
        for name in CA_FILES:
            if path := self.text(name):
                try:
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
                except ssl.SSLError:
                    self.problem(
                        name, f"names {path}, which holds no certificate in PEM form", None
                    )
                except OSError as error:
                    self.problem(
                        name, f"names {path}, which cannot be read: {error.strerror}", None
                    )
                return path
        return ""

    def mock(self) -> Optional[Mock]:
        """The mock org. None outside of MOCK_MODE."""
        mock = Mock(
            interval_seconds=self.number("MOCK_INTERVAL_SECONDS", 60, least=0.001),
            now=self.moment("MOCK_NOW"),
            faults=self.text("MOCK_FAULTS"),
            allowed_in_azure=self.boolean("MOCK_MODE_IN_AZURE"),
        )
        return mock if self.boolean("MOCK_MODE") else None

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name) or allowed[0]
        return (
            value
            if value in allowed
            else self.problem(
                name, f"must be {' or '.join(allowed)}, not {shown(value)}", allowed[0]
            )
        )

    def moment(self, name: str) -> datetime | None:
        value = self.text(name)
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00")) if value else None
        except ValueError:
            return self.problem(
                name, f"must be a time such as 2026-01-31T12:00:00Z, not {shown(value)}", None
            )
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc) if moment else None

    def url(self, name: str, default: str) -> str:
        """A URL of a host alone. Plain http is accepted for this machine only."""
        value = (self.text(name) or default).rstrip("/")
        parts = split(value)
        if parts is None or not (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        ):
            return self.problem(
                name,
                f"must be https://<host>, not {shown(value)}"
                " (http:// is accepted for this machine only)",
                value,
            )
        if what := beyond_host(parts):
            self.problem(name, f"must be https://<host> without {what}, not {shown(value)}", None)
        elif fault := fault_of_port(parts):
            self.problem(name, fault, None)
        return value

    def endpoint(self, name: str, default: str) -> Endpoint:
        """A gRPC target. Plain http is accepted for this machine only."""
        value = self.text(name) or default
        parts = split(value if "://" in value else f"https://{value}")
        if parts is None or parts.scheme not in ("http", "https") or beyond_host(parts):
            return self.problem(
                name, f"must be <host>:<port>, not {shown(value)}", Endpoint(value, tls=True)
            )
        host, tls = parts.hostname or "", parts.scheme == "https"
        if fault := fault_of_port(parts):
            return self.problem(name, fault, Endpoint(value, tls=tls))
        if not tls and not is_loopback(host):
            return self.problem(
                name,
                f"must use TLS to reach {host}: write https:// (http:// is for this machine only)",
                Endpoint(value, tls=tls),
            )
        port = parts.port or 7443
        return Endpoint(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", tls)
