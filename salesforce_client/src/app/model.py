"""The values that pass between the folders of this app. It imports no other module of the app.

Times are UTC text with milliseconds, ``2026-01-31T23:59:59.123Z``. Sorted as text, they are in the
order of time. A replay id is bytes that this app never interprets. Each ``Event`` and each
``Position`` has one. A ``Cursor`` stores a ``Position``.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import NamedTuple, Optional, Union


def timestamp(moment: datetime) -> str:
    """The moment as text, in the form that this app uses. The moment must have a time zone."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present time as text, in the form that this app uses."""
    return timestamp(datetime.now(timezone.utc))


def moment_of(text: str) -> datetime:
    """Read a time that is written as text.

    Raises:
        ValueError: the text is not a time with a time zone.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


# For each byte: 1 if it is an upper-case letter, else 0.
CASES = bytes.maketrans(
    bytes(range(256)),
    bytes(ord("1" if chr(it) in string.ascii_uppercase else "0") for it in range(256)),
)
CHECKSUMS = {
    f"{bits:05b}"[::-1].encode(): letter
    for bits, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
}


def with_checksum(record_id: str) -> str:
    """The 18-character form of a 15-character Salesforce id.

    Each of the three added characters says which of five characters are upper case
    (Salesforce Help, "What is the 18-character ID").

    Raises:
        KeyError: it has fewer than 15 characters.
    """
    cases = record_id.encode().translate(CASES)
    return record_id + CHECKSUMS[cases[:5]] + CHECKSUMS[cases[5:10]] + CHECKSUMS[cases[10:]]


def identity(*parts: Union[str, bytes]) -> str:
    """A stable key that is made of ``parts``, in hex. Different parts give different keys."""
    raw = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in raw)).hexdigest()


# -- what Salesforce delivers


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


class Clause(NamedTuple):
    """What an event is if one of its fields has one of these values.

    Attributes:
        kind: ``delete`` or ``restore``.
        field: the name of the field.
        values: the values in lower case. Upper and lower case count as the same.
    """

    kind: str
    field: str
    values: frozenset[str]


# The fields of the example in ``docs/setup/salesforce``, for each column.
DEFAULT_EVENT_FIELDS = {
    "object_name": "Object_Name__c",
    "record_id": "Record_Id__c",
    "deleted_by": "Deleted_By__c",
    "deleted_date": "Deleted_Date__c",
    "owner_id": "Owner_Id__c",
}


class EventRules(NamedTuple):
    """How to read the platform events of a topic.

    Attributes:
        fields: for each column, the name of the field that fills it.
        named: the columns whose field a setting names. The other columns have the default.
        clauses: which events are deletes and which are restores. The first clause that an event
            matches counts, and an event that matches none is skipped. None means the default: a
            restore if ``Operation__c`` is ``UNDELETE``, else a delete.
    """

    fields: Mapping[str, str] = DEFAULT_EVENT_FIELDS
    named: frozenset[str] = frozenset()
    clauses: Optional[Sequence[Clause]] = None


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


class Response(NamedTuple):
    """The content of one FetchResponse: events, or only a position (an *empty response*)."""

    events: Sequence[Event]
    position: Optional[Position]
    rpc_id: str


# -- the rows of an event file, whose columns are in ``event_file.sql``


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
        """A short text without the payload, because no log may contain it."""
        return (
            f"Delete(event_id={self.event_id!r}, topic={self.topic!r},"
            f" record_id={self.record_id!r})"
        )


class RejectedEvent(NamedTuple):
    """An event that could not become a row. Its bytes are kept unchanged."""

    reject_id: str
    topic: str
    event_id: str
    replay_id: bytes
    schema_id: str
    payload: bytes
    error: str
    received_at: str

    def __repr__(self) -> str:
        """A short text without the payload, because no log may contain it."""
        return (
            f"RejectedEvent(event_id={self.event_id!r}, topic={self.topic!r}, error={self.error!r})"
        )


class Schema(NamedTuple):
    """The Avro schema of a rejected event, as Salesforce delivered it."""

    schema_id: str
    schema_json: str


class StoredRejects(NamedTuple):
    """The rejected events of an event file.

    Attributes:
        rejects: the events, in their order in the file.
        schemas: the Avro schemas that are in the file, by schema id.
    """

    rejects: Sequence[RejectedEvent]
    schemas: Mapping[str, str]


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


class Poll(NamedTuple):
    """What one poll did with one topic.

    Attributes:
        org_id: 18 characters. None if the login failed.
        writer: the version of the collector.
        objects: a JSON list of object names. None if they are not known.
        ended: ``caught_up``, ``idle``, ``deadline`` or ``failed``.
        read_until: ``began_at`` if the topic ended caught up or idle. Otherwise the publishing time
            of the last event that was read. None if there was none.
    """

    poll_id: str
    org_id: Optional[str]
    writer: str
    topic: str
    began_at: str
    ended_at: str
    objects: Optional[str]
    ended: str
    read_until: Optional[str]
    received: int
    deletes: int
    restores: int
    skipped: int
    rejected: int
    gaps: int
    error: Optional[str]


class ResolvedReject(NamedTuple):
    """What became of a rejected event that was decoded again.

    ``became`` is ``delete``, ``restore`` or ``nothing``.
    """

    reject_id: str
    became: str
    resolved_at: str


class Restore(NamedTuple):
    """One record that came back from the recycle bin.

    ``found_by`` is ``event`` or ``check``. ``replay_id`` and ``schema_id`` are those of the event.
    """

    restore_id: str
    topic: str
    object_name: Optional[str]
    record_id: Optional[str]
    restored_by: Optional[str]
    restored_date: str
    found_by: str
    ingested_at: str
    replay_id: Optional[bytes] = None
    schema_id: Optional[str] = None


class Check(NamedTuple):
    """One comparison of a window of time of one object with Salesforce's own list.

    Attributes:
        window_from, window_to: the window. It has the first time, but not the second.
        listed: number of listed deletes.
        outcome: ``listed``, or one of the outcomes that prove nothing (``event_file.sql``).
        sight: ``view_all`` or ``unknown``.
        checked_at: when the check asked.
        error: why the outcome is not ``listed``.
    """

    check_id: str
    org_id: str
    writer: str
    object_name: str
    window_from: str
    window_to: str
    listed: int
    outcome: str
    sight: str
    api_version: str
    checked_at: str
    error: Optional[str]


class ListedDelete(NamedTuple):
    """One entry of Salesforce's list of deleted records in the window of a check.

    Attributes:
        listed_by: ``getDeleted``, ``queryAll`` or ``both``.
        state: ``bin``, ``purged`` or ``unknown``, when the check asked. Only ``bin`` and
            ``purged`` confirm that the record is deleted.
        payload: what Salesforce said of the record, as JSON.
    """

    check_id: str
    object_name: str
    record_id: str
    deleted_date: str
    deleted_by: Optional[str]
    owner_id: Optional[str]
    merged_into: Optional[str]
    listed_by: str
    state: str
    payload: str


Row = Union[Delete, RejectedEvent, Schema, ResolvedReject, Restore, Gap, Poll, Check, ListedDelete]


class Delivery(NamedTuple):
    """The rows and figures of some events of a topic.

    Attributes:
        rows: rows of all kinds.
        received: number of events.
        skipped: number of events that report no delete, no restore and no gap.
        rejects: the events that could not become a row.
        published_at: publishing time of the last event that could be read. None if not known.
    """

    rows: Sequence[Row] = ()
    received: int = 0
    skipped: int = 0
    rejects: Sequence[RejectedEvent] = ()
    published_at: Optional[str] = None


# -- what Salesforce says of deleted records when a check asks


class Entry(NamedTuple):
    """A deleted record and the date that a list gives for its delete."""

    record_id: str
    date: str


class DeletedAnswer(NamedTuple):
    """The answer of getDeleted.

    Attributes:
        entries: the listed deletes. Some may be outside of the window that was asked for.
        earliest: Salesforce's ``earliestDateAvailable``.
        latest: Salesforce's ``latestDateCovered``.
    """

    entries: Sequence[Entry]
    earliest: str
    latest: str


class Found(NamedTuple):
    """One record as queryAll returns it.

    Attributes:
        deleted: whether the record is deleted now.
        modstamp: ``SystemModstamp``, which background jobs may move.
        modified, modified_by: ``LastModifiedDate`` and ``LastModifiedById``. A delete changes them.
        merged_into: ``MasterRecordId``.
        fields: all fields, by name.
    """

    record_id: str
    deleted: bool
    modstamp: str
    modified: str
    modified_by: Optional[str]
    owner_id: Optional[str]
    merged_into: Optional[str]
    fields: Mapping[str, object]

    def __repr__(self) -> str:
        """A short text without the fields, because no log may contain them."""
        return f"Found(record_id={self.record_id!r}, deleted={self.deleted!r})"


class Deletion(NamedTuple):
    """An entry of DeleteEvent: who deleted a record that is in the recycle bin, and when."""

    record_id: str
    deleted_by: Optional[str]
    deleted_at: str


class FoundPage(NamedTuple):
    """One page of a query. ``total`` is the number of records on all pages."""

    total: int
    records: Sequence[Found]


class Described(NamedTuple):
    """What describe says of an object.

    ``name`` is the name as Salesforce writes it.
    """

    name: str
    replicateable: bool
    fields: frozenset[str]


class Member(NamedTuple):
    """A member of a channel, such as the changes of one object.

    Attributes:
        channel: the name of the channel, as in its topic.
        object_name: the object. None if the member is a platform event.
        filtered: the member has a filter expression.
    """

    channel: str
    object_name: Optional[str]
    filtered: bool


# -- the cursors, and the progress of the checks


@dataclass(frozen=True)
class Cursor:
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


@dataclass(frozen=True)
class StoredCursor:
    """The result of loading a cursor.

    Attributes:
        cursor: the cursor. None if the topic has no cursor or its cursor cannot be read.
        etag: the version of the blob. None if there is no blob.
        unreadable: the bytes of the blob if they are not a cursor.
    """

    cursor: Optional[Cursor]
    etag: Optional[str]
    unreadable: Optional[bytes] = None


@dataclass(frozen=True)
class Progress:
    """How far the checks of one object are.

    Attributes:
        object_name: the object.
        since: when a poll first wanted to check the object.
        window_to: the end of the last window. The next one begins an hour earlier. None before the
            first check.
        checked_at: the beginning of the poll whose check was the last complete one.
        tried_at: the beginning of the last poll that tried.
        succeeded_at: the beginning of the last poll whose check did not fail. A check fails, too,
            if Salesforce covers no part of the window that continues the last one.
        outcome: what the last check proved, as in ``CheckReport``. Empty before the first one.
        whole: the next check lists the whole reach again, because events are lost.
        blind: it was not known that the user sees all records. The whole reach is listed again as
            soon as it is.
        listed_again: when each day was last listed as a whole, by day.
        error: why the last check failed or did not take place. Empty if it did not fail.
    """

    object_name: str
    since: str
    window_to: Optional[str] = None
    checked_at: Optional[str] = None
    tried_at: Optional[str] = None
    succeeded_at: Optional[str] = None
    whole: bool = False
    blind: bool = False
    listed_again: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    outcome: str = ""


@dataclass(frozen=True)
class StoredProgress:
    """The result of loading the progress of an object.

    ``progress`` is None if there is none, or if it cannot be read. ``etag`` is the version of the
    blob, or None if there is no blob.
    """

    progress: Optional[Progress]
    etag: Optional[str]


@dataclass(frozen=True)
class KeptEntries:
    """The entries that earlier listings of one object and day had. ``etag`` is as above."""

    entries: frozenset[Entry]
    etag: Optional[str]


# Salesforce's name of the org's allocation ("REST API Developer Guide", "Limits").
DELIVERIES = "DailyDeliveredPlatformEvents"


class OrgLimit(NamedTuple):
    """A limit of the last 24 hours: what the org may use, and what is left of it."""

    most: int
    left: int

    @property
    def is_scarce(self) -> bool:
        """Whether less than a tenth is left."""
        return self.left * 10 < self.most
