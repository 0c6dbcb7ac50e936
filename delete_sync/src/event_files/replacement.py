"""Replaces an event file in the container. Only the command ``erase`` does so."""

from __future__ import annotations

import hashlib
from pathlib import Path

from azure.core import MatchConditions
from azure.storage.blob import BlobServiceClient

from ..model import EventBlob
from ..scratch import local_storage
from .blob_errors import translated

OURS = ("sha256", "replaced")  # keys of metadata


class Replacements:
    """The container of the event files, for a person who may write into it.

    Args:
        service: the client for the storage account.
        container: the name of the container.
    """

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    def replace(self, blob: EventBlob, sha256: str, path: Path) -> None:
        """Upload a file under the name of a blob, if the blob is still the one that was read.

        The metadata name the content before, so that a killed command can be completed.

        Args:
            blob: the event file in the container.
            sha256: the digest by which load records and keys know the file.
            path: the new content.

        Raises:
            StorageRefusedError: for example, the person may not write.
            StorageUnavailableError: the upload failed, or the blob was changed meanwhile.
            LocalStorageError: the disk fails.
        """
        about = f"event file {blob.name}"
        with local_storage(about):
            content = path.read_bytes()
        with translated(f"{about}, which needs the role Storage Blob Data Contributor"):
            client = self._container.get_blob_client(blob.name)
            kept = client.get_blob_properties().metadata or {}
            client.upload_blob(
                content,
                overwrite=True,
                etag=f'"{blob.etag}"',
                match_condition=MatchConditions.IfNotModified,
                metadata={
                    **{key: value for key, value in kept.items() if key.lower() not in OURS},
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "replaced": sha256,
                },
            )
