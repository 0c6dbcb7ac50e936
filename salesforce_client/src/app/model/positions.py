"""Where a topic is read from: positions, and the cursors that store them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Optional, Union


class Position(NamedTuple):
    """A replay id that may become the cursor as soon as everything before it is uploaded.

    Attributes:
        replay_id: names the point in the topic.
        at: the time of that point: the publishing time of its event, or the time at which the
            empty response arrived. None if no publishing time is known.
        event_id: the id of the event. None for the position of an empty response.
    """

    replay_id: bytes
    at: Optional[str]
    event_id: Optional[str]

    @property
    def source(self) -> str:
        """Where the position comes from: an ``event``, or an empty response (``keepalive``)."""
        return "keepalive" if self.event_id is None else "event"


class Preset(Enum):
    """Where a subscription starts if there is no position.

    EARLIEST starts at the oldest retained event. LATEST starts after the newest event.
    """

    EARLIEST = "EARLIEST"
    LATEST = "LATEST"


Start = Union[Position, Preset]


class Cursor(NamedTuple):
    """The stored position of a topic. There is one for each org and topic.

    Attributes:
        position: None if no poll has reached a position yet.
        tried_at: since when no poll has read the topic, as UTC text. This is when a poll first
            tried, or the time of the position that the command ``replay`` has replaced. None if
            there is a position, or if the time is not known.
        begun: False if the topic has no position because no poll could read it. True if it has
            none because a poll started it from LATEST, and received no position since, or because
            of the command ``replay``.
    """

    org_id: str
    topic: str
    position: Optional[Position]
    tried_at: Optional[str] = None
    begun: bool = True


class StoredCursor(NamedTuple):
    """The result of loading a cursor.

    Attributes:
        cursor: the cursor. None if the topic has no cursor or its cursor cannot be read.
        etag: the version of the blob. None if there is no blob.
        unreadable: the bytes of the blob if they are not a cursor.
    """

    cursor: Optional[Cursor]
    etag: Optional[str]
    unreadable: Optional[bytes] = None
