"""Decides whether to open another stream after one broke or could not be opened.

Like ``backlog.py``, it has no sockets and no clock of its own.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from .errors import (
    CollectorError,
    LimitExceededError,
    ReplayIdRejectedError,
    SessionExpiredError,
    TryAgainError,
)
from .model.positions import Position, Start

ATTEMPTS_PER_POSITION = 5


class Retry(NamedTuple):
    """What to do before the next stream is opened.

    Attributes:
        pause: how many seconds to wait at most.
        renew: whether the session has expired and a new one is needed.
        lost: the position that Salesforce rejected, or None. If there is one, record a gap and
            start again from EARLIEST.
    """

    pause: float = 0
    renew: bool = False
    lost: Optional[Position] = None


class Retries:
    """Counts what one drain has tried already.

    Args:
        deadline: when the drain must stop. It is a time of the same clock as ``now`` in ``after``.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._failures = 0  # since the position last moved
        self._renewed = False  # since the position last moved
        self._restarted = False

    def moved(self) -> None:
        """The position has moved, which is progress. Retries and renewals start again from zero."""
        self._failures = 0
        self._renewed = False

    def after(self, error: CollectorError, start: Start, now: float) -> Retry:
        """Decide what to do after an error of a stream.

        Args:
            error: why the stream broke or could not be opened.
            start: where the stream started or should have started.
            now: the time.

        Raises:
            CollectorError: another stream would not help, or there is no time for one.
        """
        if isinstance(error, ReplayIdRejectedError):
            if self._restarted or not isinstance(start, Position):
                raise error
            self._restarted = True
            return Retry(lost=start)
        if isinstance(error, SessionExpiredError):
            if self._renewed:
                raise error.in_a_new_session() from None
            self._renewed = True
            return Retry(renew=True)
        if not isinstance(error, TryAgainError) or isinstance(error, LimitExceededError):
            raise error
        self._failures += 1
        pause = 2.0**self._failures / 2
        if self._failures >= ATTEMPTS_PER_POSITION or now + pause >= self._deadline:
            raise error
        return Retry(pause=pause)
