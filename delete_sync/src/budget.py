"""The time that a sweep has: until when it may begin a batch, and when the host ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# The sweep ends this many seconds before the host would end it, to report what it did.
RESERVE_SECONDS = 15.0


@dataclass(frozen=True)
class Budget:
    """Two points in time, in seconds on ``clock``.

    Attributes:
        begin_until: from then on, the sweep begins no batch.
        end: by then, every statement and every retry must have ended.
        clock: returns seconds, like ``time.monotonic``.
    """

    begin_until: float
    end: float
    clock: Callable[[], float] = time.monotonic

    @staticmethod
    def of(
        run_seconds: float, host_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> Budget:
        """The budget of a sweep that begins now.

        Args:
            run_seconds: for how long the sweep begins batches.
            host_seconds: after this time, the host ends the invocation.
            clock: returns seconds.
        """
        now = clock()
        return Budget(now + run_seconds, now + host_seconds - RESERVE_SECONDS, clock)

    def may_begin(self) -> bool:
        """Whether there is time to begin a batch."""
        return self.clock() < self.begin_until

    def left(self) -> float:
        """Seconds until the end. Never negative."""
        return max(self.end - self.clock(), 0.0)
