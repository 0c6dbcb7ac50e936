"""What Salesforce lists as deleted: the answers of getDeleted and queryAll, without HTTP.

Salesforce does not document what getDeleted lists after a restore. The value of the fault
``redelete`` chooses one of three readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from .faults import Faults
from .history import LONGEST_DRIFT, Change, History
from .rhythm import BIN_DAYS

ABSENT_AFTER = timedelta(days=BIN_DAYS + 2)  # queryAll returns no record that was deleted before


@dataclass(frozen=True)
class Record:
    """A record as a query returns it. Times have whole seconds.

    Attributes:
        deleted: whether it is deleted.
        modified_at: LastModifiedDate. A delete and a restore set it.
        modified_by: LastModifiedById.
        modstamp: SystemModstamp. It is never before ``modified_at``.
        in_bin: whether it is in the recycle bin.
    """

    object_name: str
    record_id: str
    owner: str
    deleted: bool
    created_at: datetime
    modified_at: datetime
    modified_by: str
    modstamp: datetime
    merged_into: str | None
    in_bin: bool


class Listing:
    """The lists of one org, for a user who may see all records.

    Args:
        history: what happened.
        faults: the listing applies ``redelete``, ``rest_trim``, ``open_transaction`` and ``merge``.
    """

    def __init__(self, history: History, faults: Faults) -> None:
        self._history = history
        self._reading = faults.value("redelete") or "one"
        self._open = timedelta(minutes=faults.number("open_transaction") or 0)
        self._losers_absent = faults.value("merge") == "absent"
        trim, _, hours = (faults.value("rest_trim") or "").partition(":")
        self.trim = trim
        self._trim_after = timedelta(hours=float(hours or 48)) if trim else None

    def log_begins(self, at: datetime) -> datetime | None:
        """Return since when the delete log has its entries. None if it was not trimmed."""
        return _whole(at - self._trim_after) if self._trim_after else None

    def covered(self, at: datetime) -> datetime:
        """Return up to when no transaction is open, so that nothing can be added later."""
        longest = timedelta(
            minutes=self._history.plan.long_minutes if self._history.plan.long else 0
        )
        return at - max(self._open, longest)

    def deleted(
        self, object_name: str, since: datetime, until: datetime, at: datetime
    ) -> list[tuple[str, datetime]]:
        """Return what getDeleted lists at a time: record ids and dates, both ends inclusive."""
        begins = self.log_begins(at)
        drift = LONGEST_DRIFT if self._history.plan.drift else timedelta(0)
        found = []
        for change in self._deletes(object_name, since - drift, until, at):
            date = self._entry(change, at)
            if date and since <= date <= until and (not begins or date >= begins):
                found.append((change.record_id, date))
        return sorted(found, key=lambda entry: entry[1])

    def all_deleted(
        self, object_name: str, since: datetime, until: datetime, at: datetime
    ) -> Iterator[Record]:
        """Yield the deleted records that queryAll returns, by their LastModifiedDate."""
        since = max(since, at - ABSENT_AFTER)
        for change in self._deletes(object_name, since, until, at):
            if self._history.last(change.record_id, at) == change:
                record = self.record(change.record_id, at)
                if record and since <= record.modified_at <= until:
                    yield record

    def record(self, record_id: str, at: datetime) -> Record | None:
        """Return one record, live or deleted. None if queryAll does not return it."""
        state = self._history.state(record_id, at)
        created = self._history.created(record_id)
        if state == "gone" or created is None:
            return None
        last = self._history.last(record_id, at)
        owner = self._history.owner(record_id)
        if last and last.merged_into and self._losers_absent:
            return None
        return Record(
            object_name=self._history.object_of(record_id),
            record_id=record_id,
            owner=owner,
            deleted=state != "live",
            created_at=_whole(created),
            modified_at=_whole(last.dated if last else created),
            modified_by=last.by if last else owner,
            modstamp=_modstamp(last, at) if last else _whole(created),
            merged_into=last.merged_into if last else None,
            in_bin=state == "bin",
        )

    def _deletes(
        self, object_name: str, since: datetime, until: datetime, at: datetime
    ) -> Iterator[Change]:
        """Yield the deletes that are committed at ``at`` and whose date may be in the window."""
        longest = timedelta(minutes=self._history.plan.long_minutes)
        second = timedelta(seconds=1)
        committed = min(until + longest + second, at - self._open)
        for happening in self._history.between(since - second, committed, (object_name,)):
            yield from (it for it in happening.changes if it.kind == "delete")

    def _entry(self, change: Change, at: datetime) -> datetime | None:
        """Return the date under which getDeleted lists a delete. None if it does not."""
        if change.hidden == "lost":
            return None
        if self._reading == "log":
            return _whole(change.dated)
        last = self._history.last(change.record_id, at)
        if last is None or last.kind == "restore":
            return None
        if last == change:
            return _modstamp(change, at)
        return _whole(change.dated) if self._reading == "two" else None


def _modstamp(change: Change, at: datetime) -> datetime:
    moved = change.drifts_at is not None and change.drifts_at <= at
    return _whole(change.drifts_at if moved and change.drifts_at else change.dated)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
