"""Joins what Salesforce says of the deleted records of one window, and makes rows of it.

Without I/O. ``one_object.py`` asks, and passes the answers to a ``Listing`` in this order: the
entries of getDeleted and those that earlier listings of the same window had, the records of
queryAll, entries of DeleteEvent, and the answers to questions by id. Each step returns the rows
that are then certain, so that they need no memory. These are the rules (``docs/architecture.md``,
"The check"):

- An entry whose date equals the record's SystemModstamp is dated by its LastModifiedDate.
  Any other entry keeps getDeleted's date, and ``_tracker.deleted_date_from`` says so.
- Two entries of one record are two deletes.
- LastModifiedById says who deleted a record. If it is not known, DeleteEvent may say it.
- A record is *confirmed* as deleted (``bin`` or ``purged``) by its state. The list alone confirms
  nothing. ``bin`` is only for its latest delete, ``purged`` for its latest one in the window.
- An entry that queryAll lacks, and one that earlier listings had and this one lacks, is asked for
  by id. A record that lives was restored. One that is not found was purged, if the user sees all
  records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Optional

from ..completeness import Window
from ..model.checks import Deletion, Entry, Found
from ..model.rows import ListedDelete, Restore, Row
from ..model.times import moment_of

GET_DELETED, QUERY_ALL, BOTH = "getDeleted", "queryAll", "both"
BIN, PURGED, UNKNOWN = "bin", "purged", "unknown"
SAME_DELETE = timedelta(minutes=10)


class Listing:
    """The listed deletes of one window of one object.

    Args:
        object_name: the object.
        check_id: the key of the check.
        window: the window. What is outside of it is left out.
        entries: what getDeleted lists.
        kept: the entries that earlier listings of the same day had.
        sees_all: the user sees every record of the object.

    Attributes:
        listed: the number of listed deletes so far.
        restored: the number of restores so far.
    """

    def __init__(
        self,
        object_name: str,
        check_id: str,
        window: Window,
        entries: Iterable[Entry],
        kept: frozenset[Entry],
        *,
        sees_all: bool,
    ) -> None:
        self._object_name = object_name
        self._check_id = check_id
        self._window = window
        self._sees_all = sees_all
        # Equal entries of several lists share their memory.
        self._same = {entry: entry for entry in entries if window.has(entry.date)}
        self._present = set(self._same)
        self._kept_outside = frozenset(entry for entry in kept if not window.has(entry.date))
        self._dates: dict[str, list[str]] = {}  # of the entries that have no row yet
        for entry in sorted(self._present):
            self._dates.setdefault(entry.record_id, []).append(entry.date)
        self._lost: dict[str, list[str]] = {}  # earlier listings had them
        for entry in sorted(kept - self._kept_outside - self._present):
            self._lost.setdefault(entry.record_id, []).append(entry.date)
        self._in_bin: set[str] = set()
        self._deletions: dict[str, Deletion] = {}
        self._keys: set[Entry] = set()
        self.restored = 0

    @property
    def listed(self) -> int:
        """The number of listed deletes so far."""
        return len(self._keys)

    def found(self, records: Sequence[Found]) -> list[Row]:
        """Take records of queryAll. They are deleted now. A record may come twice."""
        rows: list[Row] = []
        for record in records:
            new = record.record_id not in self._in_bin
            if record.deleted and new and self._window.has(record.modified):
                self._in_bin.add(record.record_id)
                self._present.add(Entry(record.record_id, record.modified))
                self._lost.pop(record.record_id, None)
                rows += self._rows_of(record, also_itself=True)
        return rows

    @property
    def lacks_who(self) -> bool:
        """Whether it is not known of an entry who deleted the record."""
        return any(record_id not in self._deletions for record_id in self._dates)

    def deleted_by(self, deletions: Sequence[Deletion]) -> None:
        """Take entries of DeleteEvent. They only say who deleted a record."""
        self._deletions.update((one.record_id, one) for one in deletions)

    def questions(self) -> list[str]:
        """The ids to ask for, after queryAll was read to its end."""
        return sorted(self._dates.keys() | self._lost.keys())

    def answered(self, asked: Sequence[str], records: Sequence[Found], asked_at: str) -> list[Row]:
        """Take the answer to a question by id.

        Args:
            asked: the ids.
            records: those that were found, deleted or not.
            asked_at: a time just before the question, on Salesforce's clock.
        """
        by_id = {record.record_id: record for record in records}
        rows: list[Row] = []
        for record_id in asked:
            record = by_id.get(record_id)
            lost = self._lost.pop(record_id, [])
            if record and not record.deleted:
                ended = max([*lost, *self._dates.get(record_id, [])])
                rows += [self._restore(record_id, ended, asked_at), *self._unknown(record_id)]
            elif record:
                rows += self._rows_of(record, also_itself=False)
            else:
                rows += self._not_found(record_id)
                if lost and not self._sees_all:  # it may be hidden, so nothing is answered
                    self._lost[record_id] = lost
        return rows

    def rest(self) -> list[Row]:
        """The rows of the entries about which nobody asked. Their state is unknown."""
        return [row for record_id in list(self._dates) for row in self._unknown(record_id)]

    def kept(self) -> frozenset[Entry]:
        """The entries to keep for later listings of the day.

        An entry that is gone stays until it is known what became of it.
        """
        unanswered = (Entry(one, date) for one, dates in self._lost.items() for date in dates)
        return self._kept_outside | self._present | frozenset(unanswered)

    def _rows_of(self, record: Found, *, also_itself: bool) -> list[Row]:
        """The rows of a record that is deleted now.

        ``also_itself``: the record itself is listed in this window, whatever getDeleted says.
        """
        rows: list[Row] = []
        for date in self._dates.pop(record.record_id, []):
            moved = _second(date) == _second(record.modstamp)
            late = moment_of(date) - moment_of(record.modified)
            if moved or timedelta(0) <= late <= SAME_DELETE:
                also_itself = False
                rows.append(self._row(date, record, dated_by=record.modified if moved else date))
            else:
                # An earlier delete of the record, or a date that nobody can explain any more.
                rows.append(self._plain(record.record_id, date, UNKNOWN))
        if also_itself:
            rows.append(self._row(None, record, dated_by=record.modified))
        return rows

    def _not_found(self, record_id: str) -> list[Row]:
        """The rows of a record that is neither live nor in the recycle bin."""
        *earlier, latest = self._dates.pop(record_id, []) or [""]
        rows = [self._plain(record_id, date, UNKNOWN) for date in earlier]
        if latest:
            rows.append(self._plain(record_id, latest, PURGED if self._sees_all else UNKNOWN))
        return rows

    def _unknown(self, record_id: str) -> list[Row]:
        dates = self._dates.pop(record_id, [])
        return [self._plain(record_id, date, UNKNOWN) for date in dates]

    def _plain(self, record_id: str, date: str, state: str) -> Row:
        """The row of an entry of which only getDeleted tells."""
        deletion = self._deletion(record_id, date)
        payload = self._payload(date, None, deletion)
        return self._listed_delete(record_id, date, GET_DELETED, state, payload, deletion)

    def _row(self, date: Optional[str], record: Found, *, dated_by: str) -> Row:
        """The row of the latest delete of a record that is deleted now."""
        kept_date = bool(date) and dated_by != record.modified
        deletion = None if record.modified_by else self._deletion(record.record_id, dated_by)
        return self._listed_delete(
            record.record_id,
            dated_by,
            BOTH if date else QUERY_ALL,
            BIN,
            self._payload(date, record, deletion, kept_date=kept_date),
            deletion,
            record,
        )

    def _deletion(self, record_id: str, date: str) -> Optional[Deletion]:
        """Who deleted a record then. DeleteEvent has only the latest delete of a record."""
        found = self._deletions.get(record_id)
        if found and abs(moment_of(found.deleted_at) - moment_of(date)) <= SAME_DELETE:
            return found
        return None

    def _listed_delete(
        self,
        record_id: str,
        date: str,
        listed_by: str,
        state: str,
        payload: str,
        deletion: Optional[Deletion],
        record: Optional[Found] = None,
    ) -> ListedDelete:
        key = Entry(record_id, date)
        self._keys.add(self._same.get(key, key))
        return ListedDelete(
            self._check_id,
            self._object_name,
            record_id,
            date,
            (record and record.modified_by) or (deletion and deletion.deleted_by),
            record and record.owner_id,
            record and record.merged_into,
            listed_by,
            state,
            payload,
        )

    def _payload(
        self,
        date: Optional[str],
        record: Optional[Found],
        deletion: Optional[Deletion],
        *,
        kept_date: bool = True,
    ) -> str:
        told: dict[str, object] = {}
        if date:
            told["getDeleted"] = {"deletedDate": date}
        if record:
            told["queryAll"] = dict(record.fields)
        if deletion:
            told["DeleteEvent"] = {
                "DeletedById": deletion.deleted_by,
                "DeletedDate": deletion.deleted_at,
            }
        if date and kept_date:
            told["_tracker"] = {"deleted_date_from": GET_DELETED}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    def _restore(self, record_id: str, ended: str, asked_at: str) -> Restore:
        self.restored += 1
        return Restore(
            restore_id=f"check:{record_id}:{ended}",
            topic="check",
            object_name=self._object_name,
            record_id=record_id,
            restored_by=None,
            restored_date=asked_at,
            found_by="check",
            ingested_at=asked_at,
        )


def _second(date: str) -> str:
    return date[:19]
