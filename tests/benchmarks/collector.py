#!/usr/bin/env python3
"""One run of the collector, measured from its first Subscribe to the moment when the last file's cursor is saved; prints JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory

from salesforce_client.src.app.run import run
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.storage.store import Store

moments: dict[str, list[tuple[float, float]]] = {"begin": [], "end": []}


def noting(moment: str, method: Any, *, after: bool) -> Any:
    """The method, with the time and the CPU time at which it is called or has returned."""

    def call(*arguments: Any) -> Any:
        if not after:
            moments[moment].append((time.monotonic(), time.process_time()))
        result = method(*arguments)
        if after:
            moments[moment].append((time.monotonic(), time.process_time()))
        return result

    return call


PubSub.subscribe = noting("begin", PubSub.subscribe, after=False)  # type: ignore[method-assign]
Store.save_cursor = noting("end", Store.save_cursor, after=True)  # type: ignore[method-assign]
report = run(os.environ)
report.raise_if_failed()
files = int(
    os.environ["BENCHMARK_FILES"]
)  # the last file that counts; the rest of the run waits for more events
(begin, cpu_begin), (end, cpu_end) = (
    moments["begin"][0],
    moments["end"][files * len(report.topics) - 1],
)
told = {
    "seconds": end - begin,
    "cpu": cpu_end - cpu_begin,
    "peak_mb": memory.peak_mb(),
    "received": sum(topic.received for topic in report.topics.values()),
    "deletes": sum(topic.deletes for topic in report.topics.values()),
}
print(json.dumps(told))
