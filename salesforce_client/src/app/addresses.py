"""Says what is wrong with an address in the settings, before anything connects to it.

Each function returns the rest of a sentence that begins with the setting's name. It returns an
empty text if nothing is wrong. No sentence quotes a password, a key or a signature.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Optional
from urllib.parse import SplitResult, urlsplit

BLOB_URI = "https://<account>.blob.core.windows.net"
# The hosts of the other services of a storage account (Microsoft Learn, "Storage account overview",
# section "Storage account endpoints").
OTHER_SERVICE = re.compile(r"([a-z0-9-]+(?:\.z\d+)?)\.(dfs|file|queue|table|web)\.(.+)", re.I)
WITH_SAS = "BlobEndpoint=<URL>;SharedAccessSignature=<text after the ?>"
LONGEST_PORT = 5
SECRET = re.compile(r"PRIVATE KEY|AccountKey|(^|[&?;])sig=", re.IGNORECASE)
LONGEST_QUOTE = 100


def is_loopback(host: Optional[str]) -> bool:
    """Whether the host is this machine."""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host or ""))


def split(url: str) -> Optional[SplitResult]:
    """The parts of a URL. None if it has no host, or brackets that do not match."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.hostname else None


def shown(value: str) -> str:
    """A value as a message may quote it, in quotes: no user, password or query of a URL.

    Somebody may have put a secret into the wrong setting, so the text of a key is not shown, and a
    long text is cut off.
    """
    before, query, _ = re.sub(r"^(\w+://)?.*@", r"\1…@", value).partition("?")
    if SECRET.search(before):
        return "a text that seems to hold a key"
    text = before + (query and "?…")
    return repr(text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…")


def beyond_host(parts: SplitResult) -> str:
    """What a URL has besides scheme, host and port, in words. Empty if it has nothing else."""
    found = {
        "user and password": "@" in parts.netloc,
        "path": parts.path.strip("/"),
        "query": parts.query,
        "fragment": parts.fragment,
    }
    return " and ".join(what for what, has in found.items() if has)


def is_port(text: str) -> bool:
    """Whether the text is the number of a TCP port."""
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_PORT and 0 < int(text) < 65536


def fault_of_port(parts: SplitResult) -> str:
    """A port that is not from 1 to 65535."""
    _, colon, port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")
    if colon and port and not is_port(port):
        return f"has the port {port}: a port is a number from 1 to 65535"
    return ""


def fault_of_blob_uri(value: str) -> str:
    """What is wrong with the URL of a storage account's Blob service."""
    parts = split(value)
    if "AccountName=" in value or "SharedAccessSignature=" in value:
        return "is a connection string: set EVENTS_STORAGE instead"
    if parts is None or parts.scheme != "https":
        return f"must be {BLOB_URI}, not {shown(value)}"
    if other := _other_service(parts):
        return other
    if re.search(r"(^|&)sig=", parts.query):
        return f"has a SAS: remove it and set EVENTS_STORAGE to {WITH_SAS}"
    # The emulator has the account in the path, because its host is an address.
    local = is_loopback(parts.hostname) and not parts.query and "@" not in parts.netloc
    if (what := beyond_host(parts)) and not local:
        return f"must be {BLOB_URI} without {what}, not {shown(value)}"
    return fault_of_port(parts)


def fault_of_connection_string(value: str) -> str:
    """What is wrong with the connection string of a storage account.

    The form is that of the client (azure-storage-blob, ``parse_connection_str``).
    """
    if re.match(r"https?://", value):
        return (
            f"is a URL: set EVENTS_STORAGE__blobServiceUri instead, or with a SAS write {WITH_SAS}"
        )
    if value[0] in "\"'":
        return "is in quotes: remove them"
    pairs = [part.partition("=") for part in value.rstrip(";").split(";")]
    given = {name.upper(): text for name, _, text in pairs}
    if given.get("USEDEVELOPMENTSTORAGE") == "true":
        return ""
    known = ("ACCOUNTNAME", "ACCOUNTKEY", "BLOBENDPOINT", "SHAREDACCESSSIGNATURE")
    if not all(equals for _, equals, _ in pairs) or not any(map(given.get, known)):
        return "is not a storage connection string (Name=value;…)"
    return _fault_of_account(given) or _fault_of_endpoint(given.get("BLOBENDPOINT"))


def _fault_of_account(given: dict[str, str]) -> str:
    named = {name for name, text in given.items() if text}
    if not named & {"ACCOUNTNAME", "BLOBENDPOINT"}:
        return "names no account: add AccountName=… or BlobEndpoint=…"
    if "SHAREDACCESSSIGNATURE" in named:
        return ""
    if "ACCOUNTKEY" not in named:
        return "has no key: add AccountKey=… or SharedAccessSignature=…"
    if "ACCOUNTNAME" not in named:
        return "has AccountKey, but no account for it: add AccountName=…"
    try:
        base64.b64decode(given["ACCOUNTKEY"], validate=True)
    except binascii.Error:
        return "has an AccountKey that is cut off or changed: copy the connection string again"
    return ""


def _fault_of_endpoint(endpoint: Optional[str]) -> str:
    if not endpoint:
        return ""
    parts = split(endpoint)
    if parts is None or parts.scheme not in ("http", "https"):
        return f"has a BlobEndpoint that is no URL: {shown(endpoint)}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return f"has a BlobEndpoint with more than host and path: {shown(endpoint)}"
    return _other_service(parts) or fault_of_port(parts)


def _other_service(parts: SplitResult) -> str:
    match = OTHER_SERVICE.match(parts.hostname or "")
    if not match:
        return ""
    account, service, domain = match.groups()
    return f"names the {service} endpoint: write https://{account}.blob.{domain}"
