"""The app's settings: read once from a mapping, checked as a whole, every problem reported at once by setting name.

The names and defaults are described in ``docs/settings.md``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives import serialization

from .errors import SettingsError

CONTAINER = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")
PLAIN_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,200}")
QUOTED_IDENTIFIER = re.compile(r'"([^"\x00%{}]|""){1,200}"')  # %, { and } mean something to those who fill in statements
T = TypeVar("T")


@dataclass(frozen=True)
class BlobAccount:
    """Blob Storage either by connection string, or without a secret: its endpoint, and a user-assigned identity's client id."""

    connection_string: str = field(default="", repr=False)
    service_uri: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Snowflake:
    """How to reach Snowflake. Database, schema and table are quoted identifiers.

    ``login`` holds the connector's parameters of the one way to log in that was chosen.
    """

    account: str
    login: Mapping[str, Any] = field(repr=False)
    warehouse: str
    role: str
    database: str
    schema: str
    table: str
    server: Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """Everything the sync can be told. Times are seconds."""

    storage: BlobAccount
    events_container: str
    snowflake: Snowflake
    full_sweep: bool
    max_run_seconds: float
    max_merge_rows: int
    merge_window_days: float


def read(environ: Mapping[str, str]) -> Settings:
    """Check every setting in ``environ``.

    Raises:
        SettingsError: lists every problem, not just the first.
    """
    values = _Reader(environ)
    settings = Settings(
        storage=values.storage(),
        events_container=values.container("EVENTS_CONTAINER", "events"),
        snowflake=Snowflake(
            account=values.text("SNOWFLAKE_ACCOUNT", required=True),
            login=values.login(),
            warehouse=values.text("SNOWFLAKE_WAREHOUSE", required=True),
            role=values.text("SNOWFLAKE_ROLE"),
            database=values.identifier("SNOWFLAKE_DATABASE"),
            schema=values.identifier("SNOWFLAKE_SCHEMA"),
            table=values.identifier("SNOWFLAKE_TABLE", "delete_tracker"),
            server=values.server(),
        ),
        full_sweep=values.boolean("FULL_SWEEP"),
        max_run_seconds=values.number("MAX_RUN_SECONDS", 480, least=10),
        max_merge_rows=int(values.number("MAX_MERGE_ROWS", 1_000_000, least=1)),
        merge_window_days=values.number("MERGE_WINDOW_DAYS", 7, least=0),
    )
    if values.problems:
        raise SettingsError(values.problems)
    return settings


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

    def container(self, name: str, default: str) -> str:
        value = self.text(name) or default
        rule = "must be a container name (3 to 63 lower-case letters, digits and single hyphens)"
        return value if CONTAINER.fullmatch(value) else self.problem(name, f"{rule}, not {value!r}", default)

    def storage(self) -> BlobAccount:
        name, uri_name = "EVENTS_STORAGE", "EVENTS_STORAGE__blobServiceUri"
        connection, uri = self.text(name), self.text(uri_name)
        if connection and uri:
            self.problem(name, f"and {uri_name} are both set: keep one", None)
        elif not connection and not uri and not self.problems:
            self.problem(name, f"is missing (or {uri_name}, for a managed identity)", None)
        if uri and not uri.startswith("https://"):
            self.problem(uri_name, "must be https://<account>.blob.core.windows.net", None)
        if connection and connection != "UseDevelopmentStorage=true" and "=" not in connection:
            self.problem(name, "is not a storage connection string", None)
        return BlobAccount(connection, uri, self.text("EVENTS_STORAGE__clientId"))

    def identifier(self, name: str, default: str = "") -> str:
        """A quoted identifier that means what Snowflake understands by the text: without quotes, upper case."""
        value = self.text(name, required=not default) or default
        if PLAIN_IDENTIFIER.fullmatch(value):
            return f'"{value.upper()}"'
        if value and not QUOTED_IDENTIFIER.fullmatch(value):
            self.problem(name, f"must be a name of letters, digits and underscores, or one in double quotes, not {value!r}", None)
        return value

    def server(self) -> dict[str, Any]:
        """Where to connect instead of the account's own address."""
        protocol, host = self.text("SNOWFLAKE_PROTOCOL"), self.text("SNOWFLAKE_HOST")
        if protocol not in ("", "http", "https"):
            self.problem("SNOWFLAKE_PROTOCOL", f"must be http or https, not {protocol!r}", None)
        if protocol == "http" and host not in ("localhost", "127.0.0.1", "::1"):
            self.problem("SNOWFLAKE_PROTOCOL", "is http: accepted for this machine only (SNOWFLAKE_HOST=localhost)", None)
        port = self.number("SNOWFLAKE_PORT", 0, least=0)
        given = {"protocol": protocol, "host": host, "port": int(port)}
        return {name: value for name, value in given.items() if value}

    def login(self) -> dict[str, Any]:
        """The connector's parameters for exactly one way to log in."""
        key, key_file = self.text("SNOWFLAKE_PRIVATE_KEY"), self.text("SNOWFLAKE_PRIVATE_KEY_FILE")
        token, password = self.text("SNOWFLAKE_TOKEN"), self.text("SNOWFLAKE_PASSWORD")
        authenticator = self.text("SNOWFLAKE_AUTHENTICATOR")
        if authenticator not in ("", "WORKLOAD_IDENTITY"):
            self.problem("SNOWFLAKE_AUTHENTICATOR", f"must be WORKLOAD_IDENTITY or unset, not {authenticator!r}", None)
        ways = {
            "SNOWFLAKE_AUTHENTICATOR": authenticator,
            "SNOWFLAKE_PRIVATE_KEY": key,
            "SNOWFLAKE_PRIVATE_KEY_FILE": key_file,
            "SNOWFLAKE_TOKEN": token,
            "SNOWFLAKE_PASSWORD": password,
        }
        chosen = [name for name, value in ways.items() if value]
        if len(chosen) != 1 and not any(problem.startswith(tuple(ways)) for problem in self.problems):
            found = f"found {' and '.join(chosen)}" if chosen else "found none"
            self.problem(" or ".join(ways), f"must be set, exactly one of them: {found}", None)
        if authenticator:
            return {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AZURE"}
        user = {"user": self.text("SNOWFLAKE_USER", required=True)}
        if key or key_file:
            return {**user, "authenticator": "SNOWFLAKE_JWT", "private_key": self.private_key(key, key_file)}
        if token:
            return {**user, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
        return {**user, "password": password}

    def private_key(self, inline: str, path: str) -> bytes:
        """The key as unencrypted PKCS8 in DER, the one form that every version of the connector takes."""
        name = "SNOWFLAKE_PRIVATE_KEY_FILE" if path else "SNOWFLAKE_PRIVATE_KEY"
        passphrase = self.text("SNOWFLAKE_PRIVATE_KEY_PASSPHRASE").encode() or None
        try:
            pem = Path(path).read_text() if path else inline
        except OSError as error:  # without the path: someone may have pasted the key itself
            return self.problem(name, f"cannot be read: {error.strerror}", b"")
        except ValueError:
            return self.problem(name, "is not the path of a text file", b"")
        try:
            key = serialization.load_pem_private_key(_as_pem(pem), passphrase)
        except TypeError:
            need = "needs no" if passphrase else "is encrypted: it needs"
            return self.problem(name, f"{need} SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", b"")
        except ValueError:  # by chance, a wrong passphrase yields bytes that look decrypted
            wrong = "does not open with SNOWFLAKE_PRIVATE_KEY_PASSPHRASE" if passphrase else "is not a private key in PEM form"
            return self.problem(name, wrong, b"")
        return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


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
