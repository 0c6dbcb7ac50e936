"""The values that pass between the folders of this app; imports nothing of ours.

Times are UTC text with milliseconds, ``2026-01-31T23:59:59.123Z``, so that they compare as they are.
A replay id is opaque bytes. It has three shapes: what an ``Event`` bears, a ``Position``, a ``Cursor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import NamedTuple, Optional, Union


def timestamp(moment: datetime) -> str:
    """A moment as this app writes times; it must have a time zone."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present time, as this app writes times."""
    return timestamp(datetime.now(timezone.utc))


def moment_of(text: str) -> datetime:
    """The moment that a time stands for.

    Raises:
        ValueError: the text is not a time with a zone.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


def with_checksum(record_id: str) -> str:
    """The 18-character form of a 15-character Salesforce id.

    Each further character stands for the case of five characters (Salesforce Help, "What is the 18-character ID").
    """
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(
            1 << place
            for place, letter in enumerate(record_id[start : start + 5])
            if letter.isupper()
        )
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
    return record_id + suffix


# -- what Salesforce delivers


@dataclass(frozen=True)
class Session:
    """What every call to Salesforce carries. ``org_id`` has 18 characters."""

    access_token: str = field(repr=False)
    instance_url: str
    org_id: str


class Event(NamedTuple):
    """One event as delivered. ``replay_id`` is opaque; ``payload`` is bare Avro binary."""

    event_id: str
    schema_id: str
    payload: bytes
    replay_id: bytes

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return f"Event(event_id={self.event_id!r}, schema_id={self.schema_id!r})"


class Position(NamedTuple):
    """A replay id that may become a cursor once everything before it is uploaded.

    Attributes:
        replay_id: names the point in the topic.
        at: when that point was: the event's publishing time, or when the empty response arrived.
            None if no event so far told its time.
        event_id: the event's, None for the position of an empty response.
    """

    replay_id: bytes
    at: Optional[str]
    event_id: Optional[str]

    @property
    def source(self) -> str:
        """What told the position: ``event`` or ``keepalive``."""
        return "keepalive" if self.event_id is None else "event"


class Preset(Enum):
    """Where a subscription starts if there is no position: the oldest retained event, or the tip."""

    EARLIEST = "EARLIEST"
    LATEST = "LATEST"


Start = Union[Position, Preset]


class Response(NamedTuple):
    """What one FetchResponse brings: events, or only a position (an *empty response*)."""

    events: Sequence[Event]
    position: Optional[Position]
    rpc_id: str


# -- the rows of an event file; their fields are the columns of ``event_file.sql``


class Delete(NamedTuple):
    """One deleted record: a row of ``events``."""

    event_id: str
    topic: str
    object_name: Optional[str]
    record_id: Optional[str]
    deleted_by: Optional[str]
    deleted_date: str
    owner_id: Optional[str]
    payload: str
    ingested_at: str
    replay_id: bytes
    schema_id: str

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return f"Delete(event_id={self.event_id!r}, topic={self.topic!r}, record_id={self.record_id!r})"


class RejectedEvent(NamedTuple):
    """An event that could not become a row, kept byte for byte."""

    reject_id: str
    topic: str
    event_id: str
    replay_id: bytes
    schema_id: str
    payload: bytes
    error: str
    received_at: str

    def __repr__(self) -> str:
        """Without the payload, which belongs in no log."""
        return (
            f"RejectedEvent(event_id={self.event_id!r}, topic={self.topic!r}, error={self.error!r})"
        )


class Schema(NamedTuple):
    """The Avro schema of a rejected event, as Salesforce gave it out."""

    schema_id: str
    schema_json: str


class Gap(NamedTuple):
    """A stretch of a topic that can no longer be retrieved."""

    gap_id: str
    topic: str
    reason: str
    object_name: Optional[str]
    from_replay_id: Optional[bytes]
    from_time: Optional[str]
    to_time: Optional[str]
    detected_at: str


Row = Union[Delete, RejectedEvent, Schema, Gap]


class Delivery(NamedTuple):
    """What some events of a topic amount to.

    Attributes:
        rows: of all kinds.
        received: how many events they were.
        skipped: how many of them tell of no delete.
        rejects: how many of them could not become a row.
        published_at: when the last of them that could be read was published, None if none could.
    """

    rows: Sequence[Row] = ()
    received: int = 0
    skipped: int = 0
    rejects: Sequence[RejectedEvent] = ()
    published_at: Optional[str] = None


# -- what is kept beside the event files


@dataclass(frozen=True)
class Cursor:
    """The stored position of a topic; one for each org and topic.

    ``position`` is None if the topic was begun from LATEST and came to no position since.
    """

    org_id: str
    topic: str
    position: Optional[Position]


@dataclass(frozen=True)
class StoredCursor:
    """What is found in a cursor's place: a cursor, nothing, or bytes that cannot be read as one.

    ``etag`` names the version that was found, None if there is nothing.
    """

    cursor: Optional[Cursor]
    etag: Optional[str]
    unreadable: Optional[bytes] = None
