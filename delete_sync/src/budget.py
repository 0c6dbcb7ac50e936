"""The time that a sweep has: until when it may begin a batch, and when the host ends it."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from .errors import OutOfTimeError, SettingsError

# The last statement ends this many seconds before the host would end the sweep. In this time the
# sweep rolls back, closes its sessions and reports what it did, also if Snowflake is silent.
RESERVE_SECONDS = 15.0
# With less time than this, nothing is begun, because it would not end in time.
LEAST_SECONDS = 1.0
# A batch that begins when MAX_RUN_SECONDS are over still gets this time.
LAST_BATCH_SECONDS = 60.0
Result = TypeVar("Result")
OVERRIDE = "AzureFunctionsJobHost__functionTimeout"
TIMEOUT = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)")


class Budget(NamedTuple):
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

    def is_over(self) -> bool:
        """Whether too little time is left to begin anything."""
        return self.left() < LEAST_SECONDS


def out_of_time(doing: str) -> OutOfTimeError:
    """The error of a sweep that has no time left for what it is doing."""
    return OutOfTimeError(
        f"{doing}: no time is left before the host ends the invocation; the next sweep goes on"
    )


def within(seconds: float, call: Callable[[], Result], late: Callable[[], Exception]) -> Result:
    """Return what ``call`` returns, or give it up after this many seconds.

    A blocking call of a foreign client cannot be interrupted. So it runs in a thread of its own.
    If it is given up, it goes on there, and its result is dropped. It must end at some time.

    Args:
        seconds: how long to wait for the call.
        call: may raise any error, which is raised here.
        late: makes the error for a call that is given up.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  (the caller raises it)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    wait([future], min(seconds, threading.TIMEOUT_MAX))
    if not future.done():
        raise late()
    return future.result()


def host_seconds(host: Path, environ: Mapping[str, str], run_seconds: float) -> float:
    """After how many seconds the host ends an invocation. Infinite if it never does.

    Source: ``functionTimeout``, Azure Functions documentation, page "host.json reference".

    Args:
        host: the path of ``host.json``.
        environ: the app's settings. One of them may replace the value of ``host.json``.
        run_seconds: the setting MAX_RUN_SECONDS.

    Raises:
        SettingsError: ``host.json`` does not say it, or a sweep with ``run_seconds`` would not end
            before that.
    """
    text = environ.get(OVERRIDE) or str(json.loads(host.read_bytes()).get("functionTimeout"))
    if text == "-1":
        return math.inf
    found = TIMEOUT.fullmatch(text)
    if not found:
        raise SettingsError([f"functionTimeout in host.json must be hh:mm:ss, not {text}"])
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    allowed = timedelta(days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    if run_seconds > allowed - LAST_BATCH_SECONDS:
        raise SettingsError(
            [
                f"MAX_RUN_SECONDS must be at most {allowed - LAST_BATCH_SECONDS:g}, not "
                f"{run_seconds:g}: the host ends the invocation after {allowed:g} seconds "
                "(functionTimeout in host.json), and the last batch needs some time"
            ]
        )
    return allowed
