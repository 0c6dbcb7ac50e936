"""Reads settings one at a time: what both apps' settings have in common.

A twin file: both apps have the same one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .errors import SettingsError

CONTAINER = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")
T = TypeVar("T")


@dataclass(frozen=True)
class BlobAccount:
    """How to reach Blob Storage.

    Either by connection string, or without a secret: by its endpoint and a user-assigned identity's client id.
    """

    connection_string: str = field(default="", repr=False)
    service_uri: str = ""
    client_id: str = ""


class SettingsReader:
    """Reads one setting at a time. Of a value that is not usable it notes the problem and goes on with another.

    Attributes:
        problems: one sentence each, beginning with the setting's name.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        """End the reading.

        Raises:
            SettingsError: there were problems; it lists all of them.
        """
        if self.problems:
            raise SettingsError(self.problems)

    def problem(self, name: str, what: str, instead: T) -> T:
        """Note a problem; returns what to go on with."""
        self.problems.append(f"{name} {what}")
        return instead

    def text(self, name: str, *, required: bool = False) -> str:
        """The value without blanks around it; an empty one is the same as none."""
        value = self._environ.get(name, "").strip()
        if value.startswith("@Microsoft.KeyVault("):
            unresolved = (
                "is a Key Vault reference that was not resolved: check that the app's identity may read the secret"
                " and that the secret exists (func start never resolves references)"
            )
            return self.problem(name, unresolved, "")
        if required and not value:
            return self.problem(name, "is missing", "")
        return value

    def boolean(self, name: str) -> bool:
        """True, false, or false if it is not set."""
        value = self.text(name).lower()
        if value not in ("", "true", "1", "yes", "false", "0", "no"):
            self.problem(name, f"must be true or false, not {value!r}", None)
        return value in ("true", "1", "yes")

    def number(self, name: str, default: float, *, least: float) -> float:
        """A finite number of at least ``least``."""
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            return self.problem(name, f"must be a number, not {value!r}", default)
        if least <= number < float("inf"):
            return number
        return self.problem(name, f"must be at least {least:g}, not {value}", default)

    def container(self, name: str, default: str) -> str:
        """The name of a container in Blob Storage."""
        value = self.text(name) or default
        rule = "must be a container name (3 to 63 lower-case letters, digits and single hyphens)"
        return (
            value
            if CONTAINER.fullmatch(value)
            else self.problem(name, f"{rule}, not {value!r}", default)
        )

    def either(self, name: str, other: str, *, required: bool) -> tuple[str, str]:
        """The values of two settings of which one is to be set."""
        before = len(self.problems)
        values = self.text(name), self.text(other)
        if all(values):
            self.problem(name, f"and {other} are both set: keep one", None)
        elif required and not any(values) and len(self.problems) == before:
            self.problem(name, f"is missing (or {other})", None)
        return values

    def storage(self) -> BlobAccount:
        """The storage account of the event files."""
        name, uri_name = "EVENTS_STORAGE", "EVENTS_STORAGE__blobServiceUri"
        connection, uri = self.either(name, uri_name, required=True)
        if uri and not uri.startswith("https://"):
            self.problem(uri_name, "must be https://<account>.blob.core.windows.net", None)
        if connection and connection != "UseDevelopmentStorage=true" and "=" not in connection:
            self.problem(name, "is not a storage connection string", None)
        return BlobAccount(connection, uri, self.text("EVENTS_STORAGE__clientId"))

    def pem(self, name: str, inline: str, path: str) -> bytes:
        """The PEM of a private key, given inline or by the path of its file; empty after a problem.

        Args:
            name: the setting that holds the key or the path.
            inline: the key itself; read if there is no path.
            path: its file.
        """
        try:
            text = Path(path).read_text() if path else inline
        except OSError as error:  # without the path: someone may have pasted the key itself
            return self.problem(name, f"cannot be read: {error.strerror}", b"")
        except ValueError:
            return self.problem(name, "is not the path of a text file", b"")
        try:
            return as_pem(text)
        except ValueError:
            return self.problem(name, "is not a private key in PEM form (BEGIN PRIVATE KEY …)", b"")


def as_pem(text: str) -> bytes:
    """The PEM in ``text``, which may be base64 as a whole or have lost its line ends in a settings form.

    Raises:
        ValueError: there is none in it.
    """
    if "-----BEGIN" not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("neither PEM nor base64 of it") from None
    unescaped = text.replace("\\r", "").replace("\\n", "\n")
    match = re.search(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", unescaped, re.DOTALL)
    if not match:
        raise ValueError("no PEM block")
    label, body = match.groups()
    if (
        ":" in body
    ):  # headers of an encrypted key in the traditional form, which needs its line ends
        return match.group(0).encode()
    return f"-----BEGIN {label}-----\n{''.join(body.split())}\n-----END {label}-----\n".encode()
