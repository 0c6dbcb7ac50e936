"""Which rows of a table a session sees: READ COMMITTED, by the row ids of DuckDB.

Every statement writes at once and for good in DuckDB: it appends rows. This module hides them from
other sessions until the transaction commits, and keeps rows that a transaction deletes until then.
A rollback deletes the appended rows. So a statement sees the last commits and the writes of its
own transaction, and a failed statement leaves nothing.

Source: Snowflake documentation, page "Transactions": READ COMMITTED is the only isolation level.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from sqlglot import exp

Key = tuple[str, str, str]  # database, schema, table; of a temporary table "temp", session, table
Blind = Callable[["Change"], bool]
ENDLESS = 2**62
MANY_RANGES = 40  # more of them go to a table, because the text would be long


@dataclass(frozen=True)
class Rows:
    """Row ids of one table: ranges, or the name of a table that has them."""

    ranges: Sequence[tuple[int, int]] = ()
    table: str = ""

    def sql(self) -> str:
        """The condition that a row is one of them."""
        if self.table:
            return f"rowid IN (SELECT rid FROM {self.table})"
        return " OR ".join(f"rowid BETWEEN {low} AND {high}" for low, high in self.ranges)


@dataclass(eq=False)
class Change:
    """Rows that one statement added to a table, or removed from it."""

    key: Key
    rows: Rows
    added: bool
    session: Any
    committed: Optional[int] = None  # the number of the commit
    undo: Optional[Callable[[], None]] = None  # more that a rollback does


@dataclass
class Table:
    """The changes of a table that not all sessions see alike."""

    changes: list[Change] = field(default_factory=list)
    append: threading.Lock = field(default_factory=threading.Lock)  # one appending statement


class Versions:
    """The changes of all tables.

    Attributes:
        lock: held while a statement begins to read, and while a transaction ends.
        commits: the number of commits so far.
    """

    def __init__(self, scratch: Any) -> None:
        self.lock = threading.RLock()
        self.commits = 0
        self._tables: dict[Key, Table] = {}
        self._scratch = scratch
        self._scratch_tables = 0
        scratch.execute("ATTACH ':memory:' AS _stand_in")

    def table(self, key: Key) -> Table:
        """The table with this key, which need not have changes."""
        with self.lock:
            return self._tables.setdefault(key, Table())

    def forget(self, key: Key) -> None:
        """Drop all changes of a table that was created again or dropped."""
        with self.lock:
            self._tables.pop(key, None)

    def rows(self, ids: Iterable[int]) -> Rows:
        """Return these row ids as ranges, or in a table if there are many ranges."""
        ranges: list[tuple[int, int]] = []
        for one in sorted(set(ids)):
            if ranges and ranges[-1][1] == one - 1:
                ranges[-1] = (ranges[-1][0], one)
            else:
                ranges.append((one, one))
        if len(ranges) <= MANY_RANGES:
            return Rows(ranges)
        with self.lock:
            self._scratch_tables += 1
            name = f"_stand_in.main.removed_{self._scratch_tables}"
            pairs = ", ".join(f"({low}, {high})" for low, high in ranges)
            self._scratch.execute(
                f"CREATE TABLE {name} AS SELECT unnest(range(a, b + 1)) AS rid "
                f"FROM (VALUES {pairs}) v(a, b)"
            )
        return Rows(table=name)

    def add(self, change: Change) -> None:
        """Record a change of an open transaction."""
        with self.lock:
            self.table(change.key).changes.append(change)

    def condition(self, key: Key, session: Any, blind: Blind) -> Optional[exp.Expr]:
        """The condition for rows that a session sees, or None if it sees all.

        Args:
            key: the table.
            session: who reads.
            blind: whether the session does not see a committed change.
        """
        hidden = [
            change.rows.sql()
            for change in list(self._tables[key].changes if key in self._tables else [])
            if change.added != self._visible(change, session, blind)
        ]
        if not hidden:
            return None
        return exp.condition(f"NOT ({' OR '.join(hidden)})", dialect="duckdb")

    @staticmethod
    def _visible(change: Change, session: Any, blind: Blind) -> bool:
        if change.session is session:
            return True
        return change.committed is not None and not blind(change)

    def commit(
        self, changes: Sequence[Change], delete: Callable[[Key, str], None], *, keep: bool
    ) -> None:
        """Show the changes of a transaction to all sessions, except to blind ones.

        Args:
            changes: what the transaction wrote.
            delete: deletes the rows of a table for which a condition holds.
            keep: a session may be blind to the changes. They are settled later.
        """
        with self.lock:
            self.commits += 1
            for change in changes:
                change.committed = self.commits
                if not keep or change.key[0] == "temp":
                    self._settle(change, delete)

    def settle(self, oldest: float, delete: Callable[[Key, str], None]) -> None:
        """Settle the commits up to this number, because every open session sees them."""
        with self.lock:
            for change in [one for table in self._tables.values() for one in table.changes]:
                if change.committed is not None and change.committed <= oldest:
                    self._settle(change, delete)

    def _settle(self, change: Change, delete: Callable[[Key, str], None]) -> None:
        if not change.added:
            delete(change.key, change.rows.sql())
        self._drop(change)

    def roll_back(self, changes: Sequence[Change], delete: Callable[[Key, str], None]) -> None:
        """Undo the changes of a transaction."""
        with self.lock:
            for change in reversed(changes):
                if change.added:
                    delete(change.key, change.rows.sql())
                if change.undo:
                    change.undo()
                self._drop(change)

    def drop(self, change: Change) -> None:
        """Forget a change that added no row."""
        with self.lock:
            self._drop(change)

    def _drop(self, change: Change) -> None:
        if change.key in self._tables and change in self._tables[change.key].changes:
            self._tables[change.key].changes.remove(change)
        if change.rows.table:
            self._scratch.execute(f"DROP TABLE IF EXISTS {change.rows.table}")
