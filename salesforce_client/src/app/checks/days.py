"""The entries that the listings of one object had, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..model.checks import Entry
from .file import CheckFile


class _Day(NamedTuple):
    day: str
    entries: frozenset[Entry]
    etag: Optional[str]


class Days:
    """Loads and keeps the entries of an object. Those of one day are in memory at a time.

    Args:
        object_name: the object.
        file: keeps the entries until the rows are uploaded.
    """

    def __init__(self, object_name: str, file: CheckFile) -> None:
        self._object_name = object_name
        self._file = file
        self._day: Optional[_Day] = None

    def load(self, day: str) -> frozenset[Entry]:
        """Load the entries that earlier listings of a day had."""
        if self._day is None or self._day.day != day:
            self.flush()
            stored = self._file.load_kept(self._object_name, day)
            self._day = _Day(day, stored.entries, stored.etag)
        return self._day.entries

    def share(self, day: str, entries: Sequence[Entry]) -> frozenset[Entry]:
        """Load the entries of a day. Those that are equal to these entries share their memory."""
        same = {entry: entry for entry in entries}
        kept = frozenset(same.get(one, one) for one in self.load(day))
        self.keep(kept)
        return kept

    def keep(self, entries: frozenset[Entry]) -> None:
        """Keep these entries of the day that was loaded last."""
        assert self._day, "load() comes first"
        self._day = self._day._replace(entries=entries)

    def flush(self) -> None:
        """Pass the entries of the last day to the file."""
        if self._day:
            self._file.keep(self._object_name, *self._day)
        self._day = None
