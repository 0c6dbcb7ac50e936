"""What Salesforce says of deleted records when a check asks, and how far the checks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional


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


class Progress(NamedTuple):
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
    listed_again: Mapping[str, str] = {}
    error: str = ""
    outcome: str = ""


class StoredProgress(NamedTuple):
    """The result of loading the progress of an object.

    ``progress`` is None if there is none, or if it cannot be read. ``etag`` is the version of the
    blob, or None if there is no blob.
    """

    progress: Optional[Progress]
    etag: Optional[str]


class KeptEntries(NamedTuple):
    """The entries that earlier listings of one object and day had. ``etag`` is as above."""

    entries: frozenset[Entry]
    etag: Optional[str]
