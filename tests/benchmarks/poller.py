#!/usr/bin/env python3
"""Run one poll in a separate process, and print its figures as JSON.

The moments are seconds since the poll began: when the topics were read from, when the last of them
ended, when the event file and the cursors were stored, and when the checks were done.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory

from salesforce_client.src.app.checks.all_objects import Checks
from salesforce_client.src.app.collect import Collection
from salesforce_client.src.app.run import run

moments: dict[str, float] = {}


def noting(moment: str, method: Any) -> Any:
    """Wrap a method so that it notes when it has returned, or, with "begin", when it is called."""

    def call(*arguments: Any) -> Any:
        if moment == "begin":
            moments[moment] = time.monotonic() - began
        result = method(*arguments)
        moments.setdefault(moment, time.monotonic() - began)
        return result

    return call


Collection.run = noting("begin", noting("stored", Collection.run))  # type: ignore[method-assign]
drained = noting("drained", Collection._wait_for_drains)
setattr(Collection, "_wait_for_drains", drained)  # noqa: B010
Checks.run = noting("checked", Checks.run)  # type: ignore[method-assign]
began = time.monotonic()
report = run(os.environ)
moments["end"] = time.monotonic() - began
report.raise_if_failed()
told = {
    **moments,
    "cpu": time.process_time(),
    "peak_mb": memory.peak_mb(),
    "received": sum(topic.received for topic in report.topics.values()),
    "ended": sorted({topic.ended for topic in report.topics.values()}),
    "checks": [check.outcome for check in report.checks],
}
print(json.dumps(told))
