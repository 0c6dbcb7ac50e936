"""Reads settings one at a time. It knows the kinds of settings that both apps use.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .addresses import fault_of_blob_uri, fault_of_connection_string, shown
from .errors import SettingsError
from .private_key import PrivateKey, PrivateKeyError, load_private_key
from .spelling import meant

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
        self._asked: set[str] = set()
        self._missing: dict[str, str] = {}
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        """Report the problems, after the last setting was read.

        A name that nearly matches a setting is a problem too. Other names are left alone.

        Raises:
            SettingsError: at least one problem was noted. The error lists all of them.
        """
        self._note_misspelled_names()
        if self.problems:
            raise SettingsError(self.problems)

    def problem(self, name: str, what: str, instead: T) -> T:
        """Note a problem, once. Returns ``instead``, the value to continue with."""
        sentence = f"{name} {what}"
        if sentence not in self.problems:
            self.problems.append(sentence)
        return instead

    def missing(self, names: Sequence[str]) -> None:
        """Note that one of these settings must be set."""
        what = f"is missing: set it{''.join(f' or {other}' for other in names[1:])}"
        self.problem(names[0], what, None)
        self._missing.update(dict.fromkeys(names, f"{names[0]} {what}"))

    def _note_misspelled_names(self) -> None:
        """Note each name that nearly matches a setting. The setting is then not missing as well.

        An empty value has no effect, so its name does not matter. On Windows, every name in the
        environment is in upper case.
        """
        for name in sorted(set(self._environ) - self._asked):
            value = self._environ[name].strip()
            right = meant(name, self._asked) if value else None
            if right is None or (name == right.upper() and self._environ.get(right) == value):
                continue
            if self._missing.get(right) in self.problems:
                self.problems.remove(self._missing[right])
            self.problem(name, f"is not a setting: rename it to {right}, or remove it", None)

    def text(self, name: str, *, required: bool = False) -> str:
        """The value without blanks at its ends. An empty value counts as not set."""
        self._asked.add(name)
        value = self._environ.get(name, "").strip()
        if value.startswith("@Microsoft.KeyVault("):
            unresolved = (
                "is a Key Vault reference that was not resolved: check that the secret exists and"
                " that the app's identity may read it (func start never resolves references)"
            )
            return self.problem(name, unresolved, "")
        if required and not value:
            self.missing([name])
        return value

    def boolean(self, name: str) -> bool:
        """True or false. A setting that is not set is false."""
        value = self.text(name).lower()
        if value not in ("", "true", "1", "yes", "false", "0", "no"):
            self.problem(name, f"must be true or false, not {shown(value)}", None)
        return value in ("true", "1", "yes")

    def number(self, name: str, default: float, *, least: float) -> float:
        """A finite number of at least ``least``."""
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            return self.problem(name, f"must be a number, not {shown(value)}", default)
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
            else self.problem(name, f"{rule}, not {shown(value)}", default)
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
            self.missing([name, other])
        return values

    def storage(self) -> BlobAccount:
        """The storage account of the event files.

        ``AZURE_CLIENT_ID`` is the name that Azure's own libraries read.
        """
        name, uri_name = "EVENTS_STORAGE", "EVENTS_STORAGE__blobServiceUri"
        connection, uri = self.either(name, uri_name, required=True)
        if uri and not connection and (fault := fault_of_blob_uri(uri)):
            self.problem(uri_name, fault, None)
        if connection and not uri and (fault := fault_of_connection_string(connection)):
            self.problem(name, fault, None)
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
