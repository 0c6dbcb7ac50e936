"""The rows of an event file, whose columns are in ``event_file.sql``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional, Union


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
