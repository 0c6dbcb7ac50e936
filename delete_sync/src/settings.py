"""Reads and checks all settings of the app. One error lists all problems, by setting.

``docs/settings.md`` describes the names and defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization

from .addresses import is_port, shown
from .settings_reader import BlobAccount, SettingsReader

PLAIN_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,200}")
# The characters %, { and } are not allowed, because they are special in the app's statements.
QUOTED_IDENTIFIER = re.compile(r'"([^"\x00%{}]|""){1,200}"')

# <organization>-<account>, or an older account locator with its region (Snowflake documentation,
# page "Account identifiers").
ACCOUNT = re.compile(r"[A-Za-z0-9][\w-]*(\.[A-Za-z0-9][\w-]*)*", re.ASCII)
DOMAIN = re.compile(r"\.snowflakecomputing\.(com|cn)$", re.IGNORECASE)
ACCOUNT_IN_HOST = re.compile(
    r"(?:https?://)?([A-Za-z0-9][\w.-]*)\.snowflakecomputing\.(?:com|cn)(?![\w.-])", re.IGNORECASE
)
SNOWSIGHT = re.compile(r"https://app\.snowflake\.com/(\w+)/(\w+)")
HOST = re.compile(r"[A-Za-z0-9][\w.-]*|::1", re.ASCII)


@dataclass(frozen=True)
class Snowflake:
    """How to reach Snowflake. Database, schema and table are quoted identifiers.

    ``login`` holds the connector's parameters for the login that the settings choose.
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
    """All settings of the sync. The names of times end with the unit."""

    storage: BlobAccount
    events_container: str
    snowflake: Snowflake
    full_sweep: bool
    max_run_seconds: float
    max_merge_rows: int
    max_backlog_hours: float
    max_silence_hours: float


def read(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting in ``environ``.

    Raises:
        SettingsError: lists every problem, not just the first.
    """
    values = _Reader(environ)
    settings = Settings(
        storage=values.storage(),
        events_container=values.container("EVENTS_CONTAINER", "events"),
        snowflake=Snowflake(
            account=values.account("SNOWFLAKE_ACCOUNT"),
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
        max_backlog_hours=values.number("MAX_BACKLOG_HOURS", 48, least=0),
        max_silence_hours=values.number("MAX_SILENCE_HOURS", 24, least=0),
    )
    values.raise_problems()
    return settings


class _Reader(SettingsReader):
    """Also reads the settings that only this app has: names in Snowflake, and the login."""

    def identifier(self, name: str, default: str = "") -> str:
        """The name as a quoted identifier. As in Snowflake, a name without quotes is upper case."""
        value = self.text(name, required=not default) or default
        if PLAIN_IDENTIFIER.fullmatch(value):
            return f'"{value.upper()}"'
        if value and not QUOTED_IDENTIFIER.fullmatch(value):
            self.problem(
                name,
                "must be a name of letters, digits and underscores, or a name in double quotes, "
                f"not {shown(value)}",
                None,
            )
        return value

    def account(self, name: str) -> str:
        """The account identifier, which is the part of the account's host before the domain."""
        value = self.text(name, required=True)
        if ACCOUNT.fullmatch(value) and not DOMAIN.search(value):
            return value
        inside = SNOWSIGHT.match(value) or ACCOUNT_IN_HOST.match(value)
        if value and inside:
            self.problem(name, f"is an address: write {'-'.join(inside.groups())}", None)
        elif value:
            wanted = "the account identifier, <organization>-<account>"
            self.problem(name, f"must be {wanted}, not {shown(value)}", None)
        return value

    def server(self) -> dict[str, Any]:
        """The connector's parameters for an address that is not the account's own."""
        protocol, host = self.text("SNOWFLAKE_PROTOCOL"), self.text("SNOWFLAKE_HOST")
        if protocol not in ("", "http", "https"):
            self.problem(
                "SNOWFLAKE_PROTOCOL", f"must be http or https, not {shown(protocol)}", None
            )
        if host and not HOST.fullmatch(host):
            self.problem(
                "SNOWFLAKE_HOST",
                f"must be a host name without https://, port and path, not {shown(host)}",
                None,
            )
        elif protocol == "http" and host not in ("localhost", "127.0.0.1", "::1"):
            self.problem(
                "SNOWFLAKE_PROTOCOL",
                "is http, which is allowed only for this machine (SNOWFLAKE_HOST=localhost)",
                None,
            )
        port = self.text("SNOWFLAKE_PORT")
        if port and not is_port(port):
            self.problem(
                "SNOWFLAKE_PORT", f"must be a number from 1 to 65535, not {shown(port)}", None
            )
            port = ""
        given = {"protocol": protocol, "host": host, "port": int(port or 0)}
        return {name: value for name, value in given.items() if value}

    def login(self) -> dict[str, Any]:
        """The connector's parameters for the login. Exactly one way to log in must be set."""
        key, key_file = self.text("SNOWFLAKE_PRIVATE_KEY"), self.text("SNOWFLAKE_PRIVATE_KEY_FILE")
        token, password = self.text("SNOWFLAKE_TOKEN"), self.text("SNOWFLAKE_PASSWORD")
        authenticator = self.text("SNOWFLAKE_AUTHENTICATOR")
        if authenticator not in ("", "WORKLOAD_IDENTITY"):
            self.problem(
                "SNOWFLAKE_AUTHENTICATOR",
                f"must be WORKLOAD_IDENTITY or unset, not {shown(authenticator)}",
                None,
            )
        ways = {
            "SNOWFLAKE_AUTHENTICATOR": authenticator,
            "SNOWFLAKE_PRIVATE_KEY": key,
            "SNOWFLAKE_PRIVATE_KEY_FILE": key_file,
            "SNOWFLAKE_TOKEN": token,
            "SNOWFLAKE_PASSWORD": password,
        }
        chosen = [name for name, value in ways.items() if value]
        if len(chosen) != 1 and not any(
            problem.startswith(tuple(ways)) for problem in self.problems
        ):
            found = f"found {' and '.join(chosen)}" if chosen else "found none"
            self.problem(" or ".join(ways), f"must be set, exactly one of them: {found}", None)
        if authenticator:
            return {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AZURE"}
        user = {"user": self.text("SNOWFLAKE_USER", required=True)}
        if key or key_file:
            return {
                **user,
                "authenticator": "SNOWFLAKE_JWT",
                "private_key": self.snowflake_key(key, key_file),
            }
        if token:
            return {**user, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
        return {**user, "password": password}

    def snowflake_key(self, inline: str, path: str) -> bytes:
        """The key as unencrypted PKCS8 in DER, which every version of the connector accepts."""
        key = self.private_key(
            ("SNOWFLAKE_PRIVATE_KEY", "SNOWFLAKE_PRIVATE_KEY_FILE"),
            (inline, path),
            passphrase_name="SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",  # noqa: S106  (a name, no secret)
            elliptic=True,
        )
        if key is None:
            return b""
        return key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
