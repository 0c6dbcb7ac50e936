#!/usr/bin/env python3
"""Invoke a function on a machine whose clock is wrong by CLOCK_SHIFT_SECONDS.

Usage: as ``invoke.py``. CLOCK_STEPS may name steps of the clock: ``2.5:600,4:-60`` means ten
minutes forwards after 2.5 seconds, and one minute backwards after 4.

Only our apps see the wrong clock. The libraries are imported first, so that deadlines of gRPC and
signatures of Blob Storage and JWTs still fit to the servers.
"""

from __future__ import annotations

import datetime as datetime_module
import importlib
import logging
import os
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

# Imported for their own clock: after this, they keep it.
import azure.identity
import azure.storage.blob  # noqa: F401
import grpc  # noqa: F401
import jwt  # noqa: F401
import requests  # noqa: F401
from azure.functions.timer import TimerRequest

SHIFT = timedelta(seconds=float(os.environ["CLOCK_SHIFT_SECONDS"]))
STEPS = [
    (float(after), timedelta(seconds=float(seconds)))
    for after, _, seconds in (
        step.partition(":") for step in os.environ.get("CLOCK_STEPS", "").split(",") if step
    )
]
BEGAN = time.monotonic()


class _AnyDatetime(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, datetime)


class Shifted(datetime, metaclass=_AnyDatetime):
    """``datetime`` with a clock that is wrong."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Shifted:
        """The time of the wrong clock."""
        passed = time.monotonic() - BEGAN
        return super().now(tz) + SHIFT + sum((by for at, by in STEPS if at <= passed), timedelta())


if __name__ == "__main__":
    load = importlib.import_module("invoke").load  # it stands beside this script
    sys.path.pop(0)  # this script's folder
    datetime_module.datetime = Shifted  # type: ignore[misc]
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout
    )
    load(Path(sys.argv[1]), sys.argv[2])(TimerRequest(past_due="--past-due" in sys.argv[3:]))
