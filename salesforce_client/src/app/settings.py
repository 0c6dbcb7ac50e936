"""The app's settings: read once from a mapping, checked as a whole, every problem reported at once by setting name.

The names and defaults are described in ``docs/settings.md``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .errors import SettingsError

LOGIN = "https://login.salesforce.com"
SANDBOX_LOGIN = "https://test.salesforce.com"
TOPIC = re.compile(r"/(event|data)/[A-Za-z]\w*", re.ASCII)
CONTAINER = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")
DEFAULT_EVENT_FIELDS = {
    "object_name": "Object_Name__c",
    "record_id": "Record_Id__c",
    "deleted_by": "Deleted_By__c",
    "deleted_date": "Deleted_Date__c",
    "owner_id": "Owner_Id__c",
}
T = TypeVar("T")


@dataclass(frozen=True)
class BlobAccount:
    """Blob Storage either by connection string, or without a secret: its endpoint, and a user-assigned identity's client id."""

    connection_string: str = field(default="", repr=False)
    service_uri: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A gRPC target ``host:port`` and whether it is spoken to over TLS."""

    target: str
    tls: bool


@dataclass(frozen=True)
class Settings:
    """Everything the collector can be told. Times are seconds."""

    storage: BlobAccount
    events_container: str
    cursors_container: str
    login_url: str
    audience: str
    client_id: str
    username: str
    private_key: Optional[RSAPrivateKey] = field(repr=False)  # absent only before the mock has handed its own over
    pubsub_endpoint: Endpoint
    topics: tuple[str, ...]
    replay_preset: str
    event_fields: Mapping[str, str]
    max_run_seconds: float
    idle_seconds: float
    max_file_rows: int
    mock_mode: bool
    mock_mode_in_azure: bool
    mock_interval_seconds: float
    mock_now: Optional[datetime]
    mock_faults: str


def read(environ: Mapping[str, str]) -> Settings:
    """Check every setting in ``environ``.

    Raises:
        SettingsError: lists every problem, not just the first.
    """
    values = _Reader(environ)
    mock_mode = values.boolean("MOCK_MODE")
    login_url = values.url("SALESFORCE_LOGIN_URL", LOGIN)
    settings = Settings(
        storage=values.storage(),
        events_container=values.container("EVENTS_CONTAINER", "events"),
        cursors_container=values.container("CURSORS_CONTAINER", "cursors"),
        login_url=login_url,
        audience=values.text("SALESFORCE_AUDIENCE") or _audience(login_url),
        client_id=values.text("SALESFORCE_CLIENT_ID", required=not mock_mode),
        username=values.text("SALESFORCE_USERNAME", required=not mock_mode),
        private_key=values.private_key("SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_FILE", required=not mock_mode),
        pubsub_endpoint=values.endpoint("SALESFORCE_PUBSUB_ENDPOINT", "api.pubsub.salesforce.com:7443"),
        topics=values.topics("SALESFORCE_TOPICS", required=not mock_mode),
        replay_preset=values.choice("SALESFORCE_REPLAY_PRESET", ("EARLIEST", "LATEST")),
        event_fields=values.event_fields("SALESFORCE_EVENT_FIELDS"),
        max_run_seconds=values.number("MAX_RUN_SECONDS", 480, least=10),
        idle_seconds=values.number("IDLE_SECONDS", 30, least=0.1),
        max_file_rows=int(values.number("MAX_FILE_ROWS", 250_000, least=1)),
        mock_mode=mock_mode,
        mock_mode_in_azure=values.boolean("MOCK_MODE_IN_AZURE"),
        mock_interval_seconds=values.number("MOCK_INTERVAL_SECONDS", 60, least=0.001),
        mock_now=values.moment("MOCK_NOW"),
        mock_faults=values.text("MOCK_FAULTS"),
    )
    if settings.idle_seconds > settings.max_run_seconds / 3:
        values.problem("IDLE_SECONDS", "must be at most a third of MAX_RUN_SECONDS, or a topic's last event is never sure", None)
    if settings.events_container == settings.cursors_container:
        values.problem("CURSORS_CONTAINER", "must be another container than EVENTS_CONTAINER", None)
    if values.problems:
        raise SettingsError(values.problems)
    return settings


def _audience(login_url: str) -> str:
    """Who a JWT is addressed to: sandboxes and production have one audience each, whatever the host of the My Domain."""
    host = login_url.partition("://")[2]
    return SANDBOX_LOGIN if host == "test.salesforce.com" or host.endswith(".sandbox.my.salesforce.com") else LOGIN


class _Reader:
    """Reads one setting at a time, noting a problem and going on with a stand-in where a value is not usable."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def problem(self, name: str, what: str, instead: T) -> T:
        self.problems.append(f"{name} {what}")
        return instead

    def text(self, name: str, *, required: bool = False) -> str:
        value = self._environ.get(name, "").strip()
        if value.startswith("@Microsoft.KeyVault("):
            return self.problem(name, "is a Key Vault reference that was not resolved: check that the app's identity may read"
                                " the secret and that the secret exists (func start never resolves references)", "")  # fmt: skip
        if required and not value:
            return self.problem(name, "is missing", "")
        return value

    def boolean(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in ("", "true", "1", "yes", "false", "0", "no"):
            self.problem(name, f"must be true or false, not {value!r}", None)
        return value in ("true", "1", "yes")

    def number(self, name: str, default: float, *, least: float) -> float:
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            return self.problem(name, f"must be a number, not {value!r}", default)
        return (
            number if least <= number < float("inf") else self.problem(name, f"must be at least {least:g}, not {value}", default)
        )

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name) or allowed[0]
        return value if value in allowed else self.problem(name, f"must be {' or '.join(allowed)}, not {value!r}", allowed[0])

    def moment(self, name: str) -> datetime | None:
        value = self.text(name)
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00")) if value else None
        except ValueError:
            return self.problem(name, f"must be a time such as 2026-01-31T12:00:00Z, not {value!r}", None)
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc) if moment else None

    def url(self, name: str, default: str) -> str:
        value = (self.text(name) or default).rstrip("/")
        with contextlib.suppress(ValueError):
            parts = urlsplit(value)
            if parts.scheme == "https" and parts.hostname and not parts.path:
                return value
            if parts.scheme == "http" and _is_loopback(parts.hostname):
                return value
        return self.problem(name, f"must be https://<host>, not {value!r} (plain http is accepted for this machine only)", value)

    def endpoint(self, name: str, default: str) -> Endpoint:
        value = self.text(name) or default
        try:
            parts = urlsplit(value if "://" in value else f"https://{value}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https") or parts.path.strip("/"):
            return self.problem(name, f"must be <host>:<port>, not {value!r}", Endpoint(value, tls=True))
        tls = parts.scheme == "https"
        if not tls and not _is_loopback(host):
            return self.problem(
                name, f"is plaintext for {host}: http:// is accepted for this machine only", Endpoint(value, tls=tls)
            )
        return Endpoint(f"[{host}]:{port or 7443}" if ":" in host else f"{host}:{port or 7443}", tls)

    def container(self, name: str, default: str) -> str:
        value = self.text(name) or default
        rule = "must be a container name (3 to 63 lower-case letters, digits and single hyphens)"
        return value if CONTAINER.fullmatch(value) else self.problem(name, f"{rule}, not {value!r}", default)

    def storage(self) -> BlobAccount:
        name, uri_name = "EVENTS_STORAGE", "EVENTS_STORAGE__blobServiceUri"
        connection, uri = self.either(name, uri_name, required=True)
        if uri and not uri.startswith("https://"):
            self.problem(uri_name, "must be https://<account>.blob.core.windows.net", None)
        if connection and connection != "UseDevelopmentStorage=true" and "=" not in connection:
            self.problem(name, "is not a storage connection string", None)
        return BlobAccount(connection, uri, self.text("EVENTS_STORAGE__clientId"))

    def either(self, name: str, other: str, *, required: bool) -> tuple[str, str]:
        """The values of two settings of which one is to be set."""
        before = len(self.problems)
        values = self.text(name), self.text(other)
        if all(values):
            self.problem(name, f"and {other} are both set: keep one", None)
        elif required and not any(values) and len(self.problems) == before:
            self.problem(name, f"is missing (or {other})", None)
        return values

    def topics(self, name: str, *, required: bool) -> tuple[str, ...]:
        names = [topic.strip() for topic in self.text(name, required=required).split(",") if topic.strip()]
        if self.text(name) and not names:
            self.problem(name, "names no topic", None)
        for topic in names:
            if not TOPIC.fullmatch(topic):
                self.problem(name, f"has {topic!r}: a topic looks like /event/Delete_Event__e or /data/AccountChangeEvent", None)
        return tuple(dict.fromkeys(names))

    def event_fields(self, name: str) -> Mapping[str, str]:
        fields = dict(DEFAULT_EVENT_FIELDS)
        for pair in filter(None, (part.strip() for part in self.text(name).split(","))):
            column, _, source = (part.strip() for part in pair.partition("="))
            if column in fields and source:
                fields[column] = source
            else:
                self.problem(name, f"has {pair!r}: write <column>=<Field__c> with one of {', '.join(fields)}", None)
        return fields

    def private_key(self, name: str, file_name: str, *, required: bool) -> RSAPrivateKey | None:  # noqa: PLR0911  (one for each problem)
        inline, path = self.either(name, file_name, required=required)
        if not inline and not path:
            return None
        try:
            pem = Path(path).read_text() if path else inline
        except OSError as error:  # without the path: someone may have pasted the key itself
            return self.problem(file_name, f"cannot be read: {error.strerror}", None)
        except ValueError:
            return self.problem(file_name, "is not the path of a text file", None)
        try:
            key = load_pem_private_key(_as_pem(pem), password=None)
        except TypeError:
            return self.problem(file_name if path else name, "is encrypted: store it without a passphrase, in Key Vault", None)
        except ValueError:
            return self.problem(file_name if path else name, "is not a private key in PEM form (BEGIN PRIVATE KEY …)", None)
        if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
            return self.problem(file_name if path else name, "must be an RSA key of at least 2048 bits", None)
        return key


def _as_pem(text: str) -> bytes:
    """The PEM in ``text``, which may be base64 as a whole or have lost its line ends on its way through a settings form."""
    if "-----BEGIN" not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("neither PEM nor base64 of it") from None
    match = re.search(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", text.replace("\\r", "").replace("\\n", "\n"), re.DOTALL)
    if not match:
        raise ValueError("no PEM block")
    label, body = match.groups()
    if ":" in body:  # headers of an encrypted key in the traditional form, where line ends matter
        return match.group(0).encode()
    return f"-----BEGIN {label}-----\n{''.join(body.split())}\n-----END {label}-----\n".encode()


def _is_loopback(host: str | None) -> bool:
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host or ""))
