"""What Salesforce delivers, and the login that delivers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from .positions import Position


@dataclass(frozen=True)
class Session:
    """A login that every call to Salesforce needs.

    Attributes:
        access_token: goes with every call. No log may contain it.
        instance_url: the URL of the org.
        org_id: 18 characters.
        user_id: the user of the token, 18 characters. Empty if the login did not tell it.
    """

    access_token: str = field(repr=False)
    instance_url: str
    org_id: str
    user_id: str = ""


class Event(NamedTuple):
    """One event as Salesforce delivers it. ``payload`` is Avro binary without a header."""

    event_id: str
    schema_id: str
    payload: bytes
    replay_id: bytes

    def __repr__(self) -> str:
        """A short text without the payload, because no log may contain it."""
        return f"Event(event_id={self.event_id!r}, schema_id={self.schema_id!r})"


class Response(NamedTuple):
    """The content of one FetchResponse: events, or only a position (an *empty response*)."""

    events: Sequence[Event]
    position: Optional[Position]
    rpc_id: str
