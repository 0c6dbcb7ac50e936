"""What goes wrong because a test wants it: aborts, refusals, lost answers and sessions, delays."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from .errors import StatementError
from .locks import timed_out

if TYPE_CHECKING:
    from .results import Result
    from .sessions import Session

TEXTS = {
    "000604": ("57014", "SQL execution canceled"),
    "000630": ("57014", "Statement reached its statement or warehouse timeout"),
    "000625": ("57014", "The number of waiters for this lock exceeds the 20 statements limit."),
    "090073": (
        "22000",
        "Warehouse cannot be resumed because resource monitor has exceeded its quota.",
    ),
    "390111": ("08001", "Session no longer exists. New login required."),
}

REFUSALS = ("000604", "000604", "000630", "000625", "090073")  # of random faults


@dataclass
class Fault:
    """One thing that goes wrong.

    Attributes:
        do: ``abort`` the transaction from outside; ``refuse`` with ``number`` and run nothing;
            ``lose`` the answer: run it and then answer with ``number``; ``end`` the session;
            ``delay`` by ``seconds``.
        words: the statement contains them.
        number: of the error, for ``refuse`` and ``lose``.
        when: ``before`` or ``after`` the statement runs, for ``abort`` and ``end``.
        times: how often it still happens.
    """

    do: str
    words: str = ""
    when: str = "before"
    number: str = "000604"
    seconds: float = 0
    times: int = 1


@dataclass
class Faults:
    """The faults of a schema's sessions: those of a list, and random ones."""

    planned: list[Fault] = field(default_factory=list)
    rate: float = 0
    kinds: Sequence[str] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    happened: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, session: Session, sql: str, run: Callable[[], Result]) -> Result:
        """Run a statement with the fault that is due for it, if there is one."""
        fault = self._next(sql)
        if fault is None:
            return run()
        if fault.do == "delay":
            _delay(session, fault.seconds)
            return run()
        if fault.do == "refuse":
            raise refusal(fault.number)
        if fault.do == "lose":
            run()
            raise refusal(fault.number)
        return _ended(session, fault, run)

    def _next(self, sql: str) -> Optional[Fault]:
        with self._lock:
            for fault in self.planned:
                if fault.times > 0 and fault.words in sql:
                    fault.times -= 1
                    return self._count(fault)
            if self.kinds and self.chance.random() < self.rate:
                return self._count(
                    Fault(
                        self.chance.choice(list(self.kinds)),
                        number=self.chance.choice(REFUSALS),
                        when=self.chance.choice(("before", "after")),
                        seconds=self.chance.uniform(0.1, 2),
                    )
                )
        return None

    def _count(self, fault: Fault) -> Fault:
        self.happened[fault.do] = self.happened.get(fault.do, 0) + 1
        return fault


def _ended(session: Session, fault: Fault, run: Callable[[], Result]) -> Result:
    """Abort the transaction or end the session, before or after the statement."""
    result = run() if fault.when == "after" else None
    if fault.do == "end":
        session.account.log_out(session)
        raise refusal("390111")
    session.abort()
    return result if result is not None else run()


def _delay(session: Session, seconds: float) -> None:
    """Take longer. STATEMENT_TIMEOUT_IN_SECONDS of the session bounds it."""
    most = session.statement_seconds
    time.sleep(min(seconds, most))
    if seconds > most:
        raise timed_out(most)


def refusal(number: str) -> StatementError:
    """The error with a number, as a test asks for it."""
    sqlstate, text = TEXTS.get(number, ("22000", "Refused by the test"))
    return StatementError(number, sqlstate, text)
