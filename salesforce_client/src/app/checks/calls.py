"""Counts the REST calls of the checks, so that MAX_CHECK_CALLS holds for any 24 hours.

Calls are stored before they are made, some at a time. So the calls of a poll that crashes count
too: never less than it made, and up to ``STORED_AT_ONCE`` more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Optional, Protocol

from ..completeness import DAY
from ..model.times import moment_of, timestamp

STORED_AT_ONCE = 25


class CallBlobs(Protocol):
    """Where the numbers of calls are kept."""

    def load_calls(self, org_id: str) -> tuple[Mapping[str, int], Optional[str]]:
        """Load the number of calls by the beginning of the poll that made them."""

    def save_calls(
        self, org_id: str, calls: Mapping[str, int], etag: Optional[str]
    ) -> Optional[str]:
        """Replace the version ``etag``. Returns the new one, or None if another run was first."""


class Calls:
    """The REST calls of one poll, and those of the 24 hours before it.

    Args:
        blobs: where they are kept.
        org_id: the org.
        began: when the poll began.
        most: the setting MAX_CHECK_CALLS.

    Attributes:
        allowed: how many calls this poll may make. Zero before ``load``.
    """

    def __init__(self, blobs: CallBlobs, org_id: str, began: datetime, most: int) -> None:
        self._blobs = blobs
        self._org_id = org_id
        self._began = began
        self._most = most
        self._stored = 0
        self._others: Mapping[str, int] = {}
        self._etag: Optional[str] = None
        self.allowed = 0

    def load(self) -> None:
        """Load the calls of other polls. Every method may raise an error of the storage."""
        calls, self._etag = self._blobs.load_calls(self._org_id)
        mine = timestamp(self._began)
        self._others = {
            at: number
            for at, number in calls.items()
            if at != mine and moment_of(at) > self._began - DAY
        }
        self.allowed = max(self._most - sum(self._others.values()), 0)

    def before(self, number: int) -> None:
        """Store that the poll now makes its ``number``-th call, unless enough are stored."""
        if number > self._stored:
            self._store(max(min(number + STORED_AT_ONCE - 1, self.allowed), number))

    def done(self, number: int) -> None:
        """Store how many calls the poll has really made."""
        if number != self._stored:
            self._store(number)

    def _store(self, number: int) -> None:
        allowed = self.allowed
        while not (etag := self._save(number)):
            self.load()  # another poll has stored its calls meanwhile
        self.allowed = allowed
        self._etag, self._stored = etag, number

    def _save(self, number: int) -> Optional[str]:
        calls = {**self._others, timestamp(self._began): number}
        return self._blobs.save_calls(self._org_id, calls, self._etag)
