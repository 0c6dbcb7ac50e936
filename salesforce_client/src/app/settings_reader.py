"""Reads settings one at a time. It knows the kinds of settings that both apps use.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .errors import SettingsError
from .private_key import PrivateKey, PrivateKeyError, load_private_key

CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9](-?[a-z0-9])*")
T = TypeVar("T")


@dataclass(frozen=True)
class BlobAccount:
    """How to reach Blob Storage.

    Either ``connection_string`` or ``service_uri`` is set. With ``service_uri`` the app uses its
    managed identity and no secret. ``client_id`` names this identity if it is user-assigned.
    """

    connection_string: str = field(default="", repr=False)
    service_uri: str = ""
    client_id: str = ""


class SettingsReader:
    """Reads one setting at a time.

    If a value is not usable, the reader notes the problem and continues with a substitute.

    Attributes:
        problems: one sentence for each problem. It begins with the setting's name.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        """Report the problems, after the last setting was read.

        Raises:
            SettingsError: at least one problem was noted. The error lists all of them.
        """
        if self.problems:
            raise SettingsError(self.problems)

    def problem(self, name: str, what: str, instead: T) -> T:
        """Note a problem. Returns ``instead``, the value to continue with."""
        self.problems.append(f"{name} {what}")
        return instead

    def text(self, name: str, *, required: bool = False) -> str:
        """The value without blanks at its ends. An empty value counts as not set."""
        value = self._environ.get(name, "").strip()
        if value.startswith("@Microsoft.KeyVault("):
            unresolved = (
                "is a Key Vault reference that was not resolved: check that the secret exists and"
                " that the app's identity may read it (func start never resolves references)"
            )
            return self.problem(name, unresolved, "")
        if required and not value:
            return self.problem(name, "is missing: set it", "")
        return value

    def boolean(self, name: str) -> bool:
        """True or false. A setting that is not set is false."""
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
        """The values of two settings. At most one of them may be set.

        Args:
            name: one setting.
            other: the other setting.
            required: one of them must be set.
        """
        before = len(self.problems)
        values = self.text(name), self.text(other)
        if all(values):
            self.problem(name, f"and {other} are both set: remove one of them", None)
        elif required and not any(values) and len(self.problems) == before:
            self.problem(name, f"is missing: set it or {other}", None)
        return values

    def storage(self) -> BlobAccount:
        """The storage account of the event files.

        ``AZURE_CLIENT_ID`` is the name that Azure's own libraries read.
        """
        name, uri_name = "EVENTS_STORAGE", "EVENTS_STORAGE__blobServiceUri"
        connection, uri = self.either(name, uri_name, required=True)
        if uri and not uri.startswith("https://"):
            self.problem(uri_name, "must be https://<account>.blob.core.windows.net", None)
        if connection and "=" not in connection:
            self.problem(name, "is not a storage connection string (Name=value;…)", None)
        client_id = self.text("EVENTS_STORAGE__clientId") or self.text("AZURE_CLIENT_ID")
        return BlobAccount(connection, uri, client_id)

    def private_key(
        self,
        names: tuple[str, str],
        values: tuple[str, str],
        *,
        passphrase_name: str = "",
        elliptic: bool = False,
    ) -> PrivateKey | None:
        """A private key. None after a problem.

        Args:
            names: the setting that holds the key, and the one that holds the path of its file.
            values: the values of both. The path counts, if there is one.
            passphrase_name: the setting of the key's passphrase. Empty if there is none.
            elliptic: a key on an elliptic curve is accepted too.
        """
        inline, path = values
        given = names[1] if path else names[0]
        try:
            content = Path(path).read_bytes() if path else inline.encode()
            return load_private_key(
                content,
                passphrase=self.text(passphrase_name) if passphrase_name else "",
                passphrase_name=passphrase_name,
                elliptic=elliptic,
            )
        except OSError as error:
            # The message has no path, because somebody may have pasted the key instead of a path.
            what = f"names a file that cannot be read: {error.strerror}"
            if "-----BEGIN" in path:
                what = f"holds a key, and not the path of a file: set {names[0]} instead"
            return self.problem(given, what, None)
        except PrivateKeyError as error:
            return self.problem(given, str(error), None)
