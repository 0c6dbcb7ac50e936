#!/usr/bin/env python3
"""Run one poll of many topics in a separate process, and print its figures as JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory
from requests.adapters import HTTPAdapter

from salesforce_client.src.app.run import run
from salesforce_client.src.app.salesforce.pubsub import PubSub

counts: dict[str, int] = {"threads": 0, "calls": 0, "requests": 0}
counting = threading.Lock()


def counted(kind: str, method: Any) -> Any:
    """Wrap a method so that its calls are counted."""

    def call(*arguments: Any, **named: Any) -> Any:
        with counting:
            counts[kind] += 1
        return method(*arguments, **named)

    return call


def watch() -> None:
    """Note the largest number of threads."""
    while True:
        counts["threads"] = max(counts["threads"], len(list(Path("/proc/self/task").iterdir())))
        time.sleep(0.1)


PubSub.subscribe = counted("calls", PubSub.subscribe)  # type: ignore[method-assign]
PubSub._call = counted("calls", PubSub._call)  # type: ignore[method-assign]
HTTPAdapter.send = counted("requests", HTTPAdapter.send)  # type: ignore[method-assign]
threading.Thread(target=watch, daemon=True).start()
began = time.monotonic()
report = run(os.environ)
told = {
    "seconds": time.monotonic() - began,
    "cpu": time.process_time(),
    "peak_mb": memory.peak_mb(),
    **counts,
    "deletes": sum(topic.deletes for topic in report.topics.values()),
    "ended": sorted({topic.ended or "none" for topic in report.topics.values()}),
    "moved": sum(topic.cursor == "moved" for topic in report.topics.values()),
    "errors": sorted(
        {
            str(topic.error).partition(": ")[2][:90]
            for topic in report.topics.values()
            if topic.error
        }
    ),
}
print(json.dumps(told))
