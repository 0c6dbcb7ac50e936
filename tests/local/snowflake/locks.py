"""Locks of tables: UPDATE, DELETE and MERGE hold one until their transaction ends, and wait for it.

INSERT and COPY take none.
Source: Snowflake documentation, page "Transactions", sections "Resource locking" and "Deadlocks".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from .errors import StatementError
from .versions import Key

MOST_WAITERS = 20


@dataclass(eq=False)
class Waiter:
    """A statement that waits for the lock of a table."""

    transaction: Any
    key: Key
    cancelled: bool = False


class Locks:
    """Who holds the lock of which table, and who waits for it, oldest first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[Key, Any] = {}
        self._waiters: list[Waiter] = []

    def release(self, transaction: Any) -> None:
        """End all locks of a transaction."""
        with self._changed:
            self._holders = {
                key: holder for key, holder in self._holders.items() if holder is not transaction
            }
            self._changed.notify_all()

    def cancel(self, transaction: Any) -> None:
        """End the wait of a transaction's statement."""
        with self._changed:
            for waiter in self._waiters:
                if waiter.transaction is transaction:
                    waiter.cancelled = True
            self._changed.notify_all()

    def take(
        self,
        transaction: Any,
        key: Key,
        lock_seconds: float,
        statement_seconds: float,
        blocked_by: Callable[[Any], None],
    ) -> None:
        """Lock a table, or wait until its holder ends.

        Args:
            transaction: who wants the lock.
            key: the table.
            lock_seconds: LOCK_TIMEOUT of the session.
            statement_seconds: STATEMENT_TIMEOUT_IN_SECONDS of the session; it bounds the wait too.
            blocked_by: called with the holder again and again. It may end the holder.

        Raises:
            StatementError: 000625 too many waiters, 000604 cancelled, LOCK_TIMEOUT or deadlock,
                000630 the statement's time is over.
        """
        began = time.monotonic()
        waiter = Waiter(transaction, key)
        with self._changed:
            if self._free(waiter):
                self._holders[key] = transaction
                return
            self._refuse_waiting(waiter)
            self._waiters.append(waiter)
        try:
            while not self._taken(waiter, began, lock_seconds, statement_seconds):
                if holder := self._holders.get(key):
                    blocked_by(holder)
        finally:
            with self._changed:
                self._waiters.remove(waiter)
                self._changed.notify_all()

    def _taken(
        self, waiter: Waiter, began: float, lock_seconds: float, statement_seconds: float
    ) -> bool:
        with self._changed:
            if waiter.cancelled:
                raise StatementError("000604", "57014", "SQL execution canceled")
            if self._free(waiter):
                self._holders[waiter.key] = waiter.transaction
                return True
            waited = time.monotonic() - began
            if waited >= statement_seconds:
                raise timed_out(statement_seconds)
            if waited >= lock_seconds:
                # The documentation names no number for this.
                raise StatementError(
                    "000604",
                    "57014",
                    f"Statement was aborted because it waited {lock_seconds:g} seconds for a lock "
                    "(LOCK_TIMEOUT).",
                )
            self._changed.wait(0.05)
        return False

    def _free(self, waiter: Waiter) -> bool:
        holder = self._holders.get(waiter.key)
        if holder is waiter.transaction:
            return True
        first = next((one for one in self._waiters if one.key == waiter.key), waiter)
        return holder is None and first is waiter

    def _refuse_waiting(self, waiter: Waiter) -> None:
        """The number of a deadlock is not documented; that the last statement ends is."""
        if sum(one.key == waiter.key for one in self._waiters) >= MOST_WAITERS:
            raise StatementError(
                "000625",
                "57014",
                f"Statement has locked table '{waiter.key[2]}' in a transaction and this lock has "
                "not yet been released. Your statement was aborted because the number of waiters "
                f"for this lock exceeds the {MOST_WAITERS} statements limit.",
            )
        holder: Optional[Any] = self._holders.get(waiter.key)
        seen = set()
        while holder is not None and id(holder) not in seen:
            if holder is waiter.transaction:
                raise StatementError(
                    "000604", "57014", "Statement was aborted because of a deadlock."
                )
            seen.add(id(holder))
            waits = next((one.key for one in self._waiters if one.transaction is holder), None)
            holder = self._holders.get(waits) if waits else None


def timed_out(seconds: float) -> StatementError:
    """STATEMENT_TIMEOUT_IN_SECONDS is over. Source: page "Parameters"."""
    return StatementError(
        "000630",
        "57014",
        f"Statement reached its statement or warehouse timeout of {seconds:g} second(s) and was "
        "canceled.",
    )
