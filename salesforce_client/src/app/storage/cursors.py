"""Stores the cursors in Blob Storage. It never overwrites the newer cursor of another run."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from azure.storage.blob import ContainerClient

from ..model.positions import Cursor, Position, StoredCursor
from ..model.times import moment_of
from . import versions
from .blob_errors import translated

ABOUT = "cursor"
# The states of a cursor without a replay id.
BEGUN, NOT_READ = "begun", "not_read"
# A cursor's blob: org id and topic. Beside the cursors, an org's folder may hold other blobs.
CURSOR_NAME = re.compile(r"(00D[A-Za-z0-9]{15})(/(?:event|data)/\w+)\.json")
ORG_FOLDER = re.compile(r"(00D[A-Za-z0-9]{15})/.")


class Listed(NamedTuple):
    """The name of a cursor's blob, taken apart."""

    org_id: str
    topic: str


class Leased(NamedTuple):
    """A blob that has a lease. Only a lease without end stays if nobody renews it."""

    name: str
    endless: bool


class Cursors:
    """The container of cursors."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def load(self, org_id: str, topic: str) -> StoredCursor:
        """Load the topic's cursor and its version. Pass the version to ``save``.

        Raises:
            StorageUnavailableError, StorageRefusedError: the blob could not be read, so it is
                not certain whether the topic has a cursor.
        """
        raw, etag = versions.load(self._container, _name(org_id, topic), ABOUT)
        if raw is None:
            return StoredCursor(None, None)
        try:
            return StoredCursor(from_json(raw, org_id, topic), etag)
        except ValueError:
            return StoredCursor(None, etag, unreadable=raw)

    def exists(self) -> bool:
        """Whether the container exists. The first poll creates it.

        Raises:
            StorageUnavailableError, StorageRefusedError: that is not certain.
        """
        with translated(f"container {self._container.container_name}"):
            return bool(self._container.exists())

    def listed(self) -> Sequence[Listed]:
        """The org and the topic of every cursor.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        matches = (CURSOR_NAME.fullmatch(name) for name in self._names())
        return [Listed(match[1], match[2]) for match in matches if match]

    def blobs_of(self, org_id: str) -> Sequence[str]:
        """The names of all blobs of an org, also of those that are no cursors.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        return list(self._names(f"{org_id}/"))

    def leased(self, org_id: str) -> Sequence[Leased]:
        """The blobs of an org that have a lease, also those that are no cursors.

        Nobody can replace such a blob without the id of the lease (Microsoft Learn, "Lease Blob").

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        with translated(f"container {self._container.container_name}"):
            return [
                Leased(blob.name, blob.lease.duration == "infinite")
                for blob in self._container.list_blobs(name_starts_with=f"{org_id}/")
                if blob.lease.status == "locked"
            ]

    def org_ids(self) -> Sequence[str]:
        """The orgs that have a folder.

        Raises:
            StorageUnavailableError, StorageRefusedError: the container cannot be listed.
        """
        matches = (ORG_FOLDER.match(name) for name in self._names())
        return list(dict.fromkeys(match[1] for match in matches if match))

    def remove(self, name: str) -> None:
        """Remove a blob.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not certain that it is removed.
        """
        with translated(f"{ABOUT} {name}"):
            self._container.delete_blob(name)

    def _names(self, prefix: str = "") -> Iterator[str]:
        with translated(f"container {self._container.container_name}"):
            yield from self._container.list_blob_names(name_starts_with=prefix)

    def save(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag``. ``etag`` is None if the topic had no cursor.

        Returns the new version, or None if another run has moved the cursor.

        Raises:
            StorageUnavailableError, StorageRefusedError: it is not certain that it is saved, or
                Blob Storage refuses it although no other run has moved the cursor.
        """
        name, content = _name(cursor.org_id, cursor.topic), to_json(cursor).encode()
        return versions.save(self._container, name, ABOUT, content, etag)


def to_json(cursor: Cursor) -> str:
    """The stored form of a cursor."""
    fields = {"org_id": cursor.org_id, "topic": cursor.topic, "replay_id": None}
    if cursor.position is None:
        fields["state"] = BEGUN if cursor.begun else NOT_READ
        fields["tried_at"] = cursor.tried_at
    if position := cursor.position:
        fields["replay_id"] = base64.b64encode(position.replay_id).decode("ascii")
        fields["event_id"] = position.event_id
        fields["position_at"] = position.at
        fields["source"] = position.source
    return json.dumps(fields, indent=2)


def from_json(raw: bytes, org_id: str, topic: str) -> Cursor:
    """Read a stored cursor.

    Raises:
        ValueError: the bytes are not a cursor, or it belongs to another org or topic.
    """
    try:
        fields = json.loads(raw)
        whose = (fields["org_id"], fields["topic"])
        position = None if fields["replay_id"] is None else _position(fields)
        tried_at, begun = _unread(fields) if position is None else (None, True)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if whose != (org_id, topic):
        raise ValueError("it belongs to another org or topic")
    return Cursor(org_id, topic, position, tried_at, begun)


def _unread(fields: Mapping[str, Any]) -> tuple[Optional[str], bool]:
    """When the topic was first tried, and whether it was begun. Older cursors say neither."""
    tried_at, state = fields.get("tried_at"), fields.get("state", BEGUN)
    if state not in (BEGUN, NOT_READ):
        raise ValueError(f"the state is {state!r}")
    if tried_at is not None:
        moment_of(tried_at)
    return tried_at, state == BEGUN


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
    """The name of a cursor's blob."""
    return f"{org_id}{topic}.json"
