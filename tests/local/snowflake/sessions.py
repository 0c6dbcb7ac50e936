"""One session: its parameters, its transaction, and how it runs a statement.

Source: Snowflake documentation, pages "Transactions", "Parameters", "COMMIT", "ROLLBACK".
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Optional

from sqlglot import exp

from . import names
from .consistency import Consistency
from .errors import StatementError, gone
from .identity import Identity
from .transactions import Transaction
from .versions import Change, Key

if TYPE_CHECKING:
    from .account import Account, Login

LOCK_TIMEOUT = 43_200.0
STATEMENT_TIMEOUT = 172_800.0
TIMEZONE = "America/Los_Angeles"


class Session:
    """One session.

    Attributes:
        token: the secret with which a client names it.
        number: counts the logins.
        temporary: its temporary tables, each with the database and schema where it was made.
        transaction: the open transaction, if any.
        who: its user, role and warehouse.
        autocommit: whether each statement outside of BEGIN commits by itself.
        sight: for each table of the running statement the condition for the rows that it sees,
            and for those that it sees if it is not blind.
        failed: whether its transaction was ended from outside, and ROLLBACK was not yet sent.
    """

    def __init__(self, account: Account, fake: Any, number: int, login: Login, role: str) -> None:
        self.account = account
        self.fake = fake
        self.duck = fake._duck_conn
        self.number = number
        self.who = Identity(account.rights, login.user, role, login.warehouse)
        self.token = secrets.token_urlsafe(32)
        self.parameters = {name.upper(): str(value) for name, value in login.parameters.items()}
        self.autocommit = self.parameters.get("AUTOCOMMIT", "true").lower() != "false"
        self.scope = account.scope(login.schema)
        self.temporary: dict[str, tuple[str, str]] = {}
        self.transaction: Optional[Transaction] = None
        self.failed = False
        self.closed = False
        self.busy = threading.Lock()  # one statement at a time
        self._consistency = Consistency(self.scope, account.versions)
        self.sight: dict[tuple[Key, bool], Optional[exp.Expr]] = {}
        self.set_time_zone()

    @property
    def database(self) -> str:
        """The current database."""
        return str(self.fake.database or "")

    @property
    def began_at(self) -> int:
        """The number of the last commit before the login."""
        return self._consistency.began_at

    @property
    def schema(self) -> str:
        """The current schema."""
        return str(self.fake.schema or "")

    @property
    def statement_seconds(self) -> float:
        """How long a statement may run or wait."""
        return self._seconds("STATEMENT_TIMEOUT_IN_SECONDS", STATEMENT_TIMEOUT)

    def _seconds(self, parameter: str, default: float) -> float:
        """A parameter that is a time. 0 means the default."""
        return float(self.parameter(parameter) or 0) or default

    def parameter(self, name: str) -> str:
        """A parameter of the session, or else of the account. Source: page "Parameters"."""
        return self.parameters.get(name) or self.scope.parameters.get(name) or ""

    def set_parameter(self, name: str, value: Optional[str]) -> None:
        """ALTER SESSION SET, or UNSET with None. A change of AUTOCOMMIT commits.

        Source: Snowflake documentation, page "Transactions".
        """
        if name == "AUTOCOMMIT":
            self.commit()
            self.autocommit = (value or "true").lower() != "false"
        if value is None:
            self.parameters.pop(name, None)
        else:
            self.parameters[name] = value
        self.set_time_zone()

    def set_time_zone(self) -> None:
        """Let DuckDB have the session's TIMEZONE. Source: page "Parameters" for the default."""
        self.duck.execute("SET SESSION TimeZone = ?", [self.parameter("TIMEZONE") or TIMEZONE])

    def begin(self) -> Transaction:
        """Return the open transaction, or begin one."""
        if self.transaction is None:
            self.transaction = Transaction(self, next(self.account.numbers), running=True)
        return self.transaction

    def begins_statement(self) -> None:
        """Note that a statement begins, so that its transaction is not idle."""
        if self.closed:
            raise gone()
        self._consistency.begin()
        with self.account.versions.lock:
            if self.transaction:
                self.transaction.running = True

    def ends_statement(self) -> bool:
        """Note that a statement ended. Return whether its transaction was aborted meanwhile."""
        with self.account.versions.lock:
            transaction = self.transaction
            if transaction is None:
                return False
            transaction.running = False
            transaction.last_active = time.monotonic()
            if transaction.aborted:
                self.abort()
            return transaction.aborted

    def commit(self) -> None:
        """Commit the open transaction. Without one, nothing happens.

        Source: Snowflake documentation, page "COMMIT": it is then ignored.
        """
        transaction, self.transaction = self.transaction, None
        if transaction:
            keep = self.scope.blind != "off"
            self.account.versions.commit(transaction.changes, self._delete, keep=keep)
            self.account.locks.release(transaction)

    def roll_back(self) -> None:
        """Roll the open transaction back. Without one, nothing happens."""
        self.failed = False
        self._undo()

    def _undo(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction:
            self.account.versions.roll_back(transaction.changes, self._delete)
            self.account.locks.release(transaction)

    def abort(self) -> None:
        """End the transaction from outside.

        A running statement of it fails when it ends.
        Source: pages "Transactions" and "SYSTEM$ABORT_TRANSACTION". What the session answers next
        is open, so there are two readings: see ``Scope``.
        """
        with self.account.versions.lock:
            transaction = self.transaction
            if transaction is None:
                return
            if transaction.running:
                transaction.aborted = True
                self.account.locks.cancel(transaction)
                return
            self._undo()
            self.failed = self.scope.reading == "error"

    def blocks(self, transaction: Transaction) -> None:
        """Abort this session's transaction if it is idle for too long. Another one waits for it.

        Source: page "Transactions": after 5 minutes. A client that is just gone counts as idle.
        """
        with self.account.versions.lock:
            idle = time.monotonic() - transaction.last_active
            if (
                self.transaction is transaction
                and not transaction.running
                and idle >= self.scope.idle_seconds
            ):
                self.abort()

    def close(self) -> None:
        """Roll back and close. A running statement is waited for."""
        self.closed = True
        self.cancel_wait()
        with self.busy:
            self._undo()
            for name in self.temporary:
                self.account.versions.forget((names.TEMPORARY, str(self.number), name))
            self.fake.close()
        self.account.settle()

    def _delete(self, key: Key, condition: str) -> None:
        self.duck.execute(f"DELETE FROM {names.sql(key)} WHERE {condition}")

    def lock(self, key: Key) -> None:
        """Take the lock of a table, as :meth:`Locks.take` says."""
        self.account.locks.take(
            self.begin(),
            key,
            self._seconds("LOCK_TIMEOUT", LOCK_TIMEOUT),
            self.statement_seconds,
            lambda holder: holder.session.blocks(holder),
        )

    def cancel(self) -> None:
        """Cancel the running statement. It fails with 000604."""
        self.cancel_wait()
        if self.busy.locked():
            self.duck.interrupt()

    def cancel_wait(self) -> None:
        """End the wait for a lock, if there is one."""
        if self.transaction:
            self.account.locks.cancel(self.transaction)

    def refuse_if_failed(self) -> None:
        """Refuse every statement until ROLLBACK after an abort from outside.

        Source: page "Parameters", TRANSACTION_ABORT_ON_ERROR; snowflake-connector-net 560.
        """
        if self.failed:
            raise StatementError(
                "000615",
                "57014",
                "The current transaction has been aborted. Execute ROLLBACK to begin a new one.",
            )

    def is_blind_to(self, change: Change) -> bool:
        """Whether this session does not see what another one committed: see ``Consistency``."""
        return self._consistency.is_blind_to(change)

    def has_seen(self, key: Key) -> None:
        """Note that this session has read the latest version of a table."""
        self._consistency.has_seen(key)
