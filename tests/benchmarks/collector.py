#!/usr/bin/env python3
"""Measure one run of the collector, and print the figures as JSON.

The measurement begins with the first Subscribe. It ends when the cursor of the last file is saved.
``BENCHMARK_WITHOUT`` names the decoders that the collector must do without, separated by blanks.
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

from salesforce_client.src.app.decoding import avro, values
from salesforce_client.src.app.run import run
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.storage.store import Store


class StandardLibrary:
    """Writes JSON with the standard library, with the names of ``orjson``."""

    JSONEncodeError = ValueError

    @staticmethod
    def dumps(value: Any, **_: Any) -> bytes:
        """Return compact JSON."""
        return values.ENCODER.encode(value).encode()


without = os.environ.get("BENCHMARK_WITHOUT", "").split()
if "compiled" in without:
    setattr(avro, "compiled", lambda _, complete: complete)  # noqa: B010  (mypy knows no such name)
if "fastavro" in without:
    setattr(avro, "suits", lambda *_: False)  # noqa: B010
if "orjson" in without:
    setattr(values, "orjson", StandardLibrary)  # noqa: B010
moments: dict[str, list[tuple[float, float]]] = {"begin": [], "end": []}


def noting(moment: str, method: Any, *, after: bool) -> Any:
    """Wrap a method so that it notes the time and the CPU time of each call.

    With ``after`` it notes them when the method has returned, else when it is called.
    """

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
# The measurement ends with this file. After it, the run only waits for more events.
files = int(os.environ["BENCHMARK_FILES"])
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
