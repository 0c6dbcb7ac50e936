"""Decides whether a stream that could not be opened, or broke, is worth another one. Pure, as ``backlog.py`` is."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .errors import (
    AuthenticationError,
    CollectorError,
    LimitExceededError,
    ReplayIdRejectedError,
    SessionExpiredError,
    TryAgainError,
)
from .model import Position, Start

ATTEMPTS_PER_POSITION = 5


class Retry(NamedTuple):
    """What to do before the next stream is opened.

    Attributes:
        pause: seconds to wait, at the most.
        renew: the session has ended, get a new one.
        lost: the position that Salesforce rejected: start over, and leave a gap.
    """

    pause: float = 0
    renew: bool = False
    lost: Optional[Position] = None


class Retries:
    """What one drain has tried already.

    Args:
        deadline: of the drain, in seconds of the clock that ``after`` is told.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._failures = 0  # since the position last moved
        self._renewed = False  # since the position last moved
        self._restarted = False

    def moved(self) -> None:
        """There was progress: the position has moved."""
        self._failures = 0
        self._renewed = False

    def after(self, error: CollectorError, start: Start, now: float) -> Retry:
        """What to do after this error of a stream that started, or was to start, there.

        Raises:
            CollectorError: there is no point, or no time, in another try.
        """
        if isinstance(error, ReplayIdRejectedError):
            if self._restarted or not isinstance(start, Position):
                raise error
            self._restarted = True
            return Retry(lost=start)
        if isinstance(error, SessionExpiredError):
            if self._renewed:
                raise AuthenticationError(
                    f"{error} – refused again after the session was renewed, without progress in between"
                ) from None
            self._renewed = True
            return Retry(renew=True)
        if not isinstance(error, TryAgainError) or isinstance(error, LimitExceededError):
            raise error
        self._failures += 1
        pause = 2.0**self._failures / 2
        if self._failures >= ATTEMPTS_PER_POSITION or now + pause >= self._deadline:
            raise error
        return Retry(pause=pause)
