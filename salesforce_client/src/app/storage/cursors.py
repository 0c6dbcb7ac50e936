"""Keeps the cursors in Blob Storage, never behind another run's."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Optional

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from ..model import Cursor, Position, StoredCursor, moment_of
from .blob_errors import translated


class Cursors:
    """The container of cursors."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def load(self, org_id: str, topic: str) -> StoredCursor:
        """The topic's cursor, with the version that ``save`` must still find.

        Raises:
            StorageUnavailableError, StorageRefusedError: it could not be read; whether there is one is not known.
        """
        with translated(f"cursor {_name(org_id, topic)}"):
            try:
                download = self._container.download_blob(_name(org_id, topic))
                raw = download.readall()
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "BlobNotFound":
                    raise
                return StoredCursor(None, None)
        try:
            return StoredCursor(from_json(raw, org_id, topic), download.properties.etag)
        except ValueError:
            return StoredCursor(None, download.properties.etag, unreadable=raw)

    def save(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag`` (None: there was none); returns the new version, or None if another run was ahead."""
        blob = self._container.get_blob_client(_name(cursor.org_id, cursor.topic))
        condition: dict[str, Any] = {"overwrite": False}
        if etag:
            condition = {
                "overwrite": True,
                "etag": etag,
                "match_condition": MatchConditions.IfNotModified,
            }
        with translated(f"cursor {blob.blob_name}"):
            try:
                return str(blob.upload_blob(to_json(cursor).encode(), **condition)["etag"])
            except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError):
                stored = self.load(cursor.org_id, cursor.topic)
                # Ours after all: the client repeated a request whose answer got lost.
                return stored.etag if stored.cursor == cursor else None


def to_json(cursor: Cursor) -> str:
    """A cursor as it is stored."""
    fields = {"org_id": cursor.org_id, "topic": cursor.topic, "replay_id": None}
    if position := cursor.position:
        fields["replay_id"] = base64.b64encode(position.replay_id).decode("ascii")
        fields["event_id"] = position.event_id
        fields["position_at"] = position.at
        fields["source"] = position.source
    return json.dumps(fields, indent=2)


def from_json(raw: bytes, org_id: str, topic: str) -> Cursor:
    """Read back a stored cursor.

    Raises:
        ValueError: it is not a cursor, or one of another org or topic.
    """
    try:
        fields = json.loads(raw)
        whose = (fields["org_id"], fields["topic"])
        position = None if fields["replay_id"] is None else _position(fields)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if whose != (org_id, topic):
        raise ValueError("it belongs to another org or topic")
    return Cursor(org_id, topic, position)


def _position(fields: Mapping[str, Any]) -> Position:
    position = Position(
        base64.b64decode(fields["replay_id"], validate=True),
        fields["position_at"],
        fields["event_id"],
    )
    if not position.replay_id:
        raise ValueError("the replay id is empty")
    if position.at is not None:
        moment_of(position.at)
    return position


def _name(org_id: str, topic: str) -> str:
    return f"{org_id}{topic}.json"
