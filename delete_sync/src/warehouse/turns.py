"""Runs guarded transactions until they succeed, each attempt in a session of its own."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import BooksDifferError, LostTurnError, SyncError, WarehouseUnavailableError
from .attempt import Attempt
from .names import Identifier
from .session import Session
from .tables import Tables

log = logging.getLogger(__name__)

ATTEMPTS = 3
Result = TypeVar("Result")


class Turns:
    """What the loader and the eraser have in common: attempts, and a session for reading.

    Args:
        connect: opens a session.
        names: the result of ``names_of``.
        pause: waits some seconds before another attempt.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        names: Mapping[str, Identifier],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._names = names
        self._pause = pause
        self._reading: Session | None = None
        # The lock row's token when it was last read. A session that begins after that sees all rows
        # that were committed until then (parameter READ_CONSISTENCY_MODE), but perhaps not more.
        self._seen_token = ""

    def close(self) -> None:
        """Close the session for reading, if it is open."""
        session, self._reading = self._reading, None
        if session:
            session.close()

    def _again_and_again(self, what: str, once: Callable[[], Result]) -> Result:
        """Run a transaction until it succeeds, or fails for the last time."""
        failed = 0
        while True:
            try:
                return once()
            except LostTurnError as error:
                log.info("%s=again reason=%s", what, error)
            except (WarehouseUnavailableError, BooksDifferError) as error:
                failed += 1
                if failed == ATTEMPTS:
                    raise
                log.warning("%s=again attempt=%s reason=%s", what, failed, _reason(error))
                self._pause(failed)
            self.close()  # only a new session surely sees what the other sweep has committed
            self._seen_token = self._ask(lambda session: Tables(session, self._names).token())

    def _stage(self, attempt: Attempt, path: str) -> None:
        """Upload and copy the rows of an attempt. ``path`` is an empty folder on the stage."""
        try:
            attempt.stage(path)
        except SyncError:
            # COPY removes only files that it has loaded. The others may hold personal data.
            with contextlib.suppress(SyncError):
                self._ask(lambda session: session.rows("remove", path=path))
            raise

    def _ask(self, ask: Callable[[Session], Result], attempts: int = ATTEMPTS) -> Result:
        """Ask in the session for reading. Try again in a new one if Snowflake does not answer."""
        for attempt in range(1, attempts + 1):
            try:
                if self._reading is None:
                    self._reading = self._connect()
                return ask(self._reading)
            except WarehouseUnavailableError as error:
                self.close()
                if attempt == attempts:
                    raise
                log.warning("snowflake=again attempt=%s reason=%s", attempt, _reason(error))
            self._pause(attempt)
        raise AssertionError("unreachable")


def _reason(error: SyncError) -> str:
    """What went wrong, without the advice after the dash. The last attempt's error has it."""
    return error.text.partition(" – ")[0]
