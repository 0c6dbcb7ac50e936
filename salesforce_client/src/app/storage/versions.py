"""Loads and saves small blobs, without overwriting what another run has stored meanwhile.

A blob is replaced only if it still has the version, its ETag, that was loaded.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from .blob_errors import translated


class Version(NamedTuple):
    """The content and the ETag of a blob. Both are None if there is no blob."""

    content: Optional[bytes]
    etag: Optional[str]


def load(container: ContainerClient, name: str, about: str) -> Version:
    """Load a blob.

    Args:
        container: where the blob is.
        name: its name.
        about: what it is. An error's message begins with this, and then has the name.

    Raises:
        StorageUnavailableError, StorageRefusedError: the blob could not be read, so it is not
            certain whether there is one.
    """
    with translated(f"{about} {name}"):
        try:
            download = container.download_blob(name)
            return Version(download.readall(), download.properties.etag)
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) != "BlobNotFound":
                raise
            return Version(None, None)


def save(
    container: ContainerClient, name: str, about: str, content: bytes, etag: Optional[str]
) -> Optional[str]:
    """Replace the version ``etag``. ``etag`` is None if there was no blob.

    Returns the new version, or None if another run has replaced it. For the other arguments see
    ``load``.

    Raises:
        StorageUnavailableError, StorageRefusedError: it is not certain that it is saved, or Blob
            Storage refuses it although no other run has replaced it.
    """
    condition: dict[str, Any] = {"overwrite": False}
    if etag:
        condition = {
            "overwrite": True,
            "etag": etag,
            "match_condition": MatchConditions.IfNotModified,
        }
    with translated(f"{about} {name}"):
        try:
            blob = container.get_blob_client(name)
            return str(blob.upload_blob(content, **condition)["etag"])
        except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError):
            stored = load(container, name, about)
            # If the answer to the first request was lost, the client has repeated the request. The
            # stored content is then what this run has saved.
            if stored.content == content:
                return stored.etag
            if stored.etag == etag:
                # No other run was ahead. The blob has a lease or is immutable, for example.
                raise
            return None
