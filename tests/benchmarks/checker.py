#!/usr/bin/env python3
"""Run one poll with its checks in a separate process, and print its figures as JSON.

The clock of the checks stands still at ``BENCHMARK_NOW``. Without it, nothing is checked.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory

from salesforce_client.src.app.checks.all_objects import Checks
from salesforce_client.src.app.model.times import now
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import opened, poll

figures: dict[str, float] = {}
run = Checks.run


def measured(checks: Checks, report: Report) -> None:
    """Run the checks, and note their time, and the peak memory before them."""
    figures["peak_mb_before"] = memory.peak_mb()
    files = len(report.files)
    began, cpu_began = time.monotonic(), time.process_time()
    run(checks, report)
    figures["seconds"] = time.monotonic() - began
    figures["cpu"] = time.process_time() - cpu_began
    figures["files"] = len(report.files) - files


Checks.run = measured  # type: ignore[assignment, method-assign]
began, began_at = time.monotonic(), now()
moment = datetime.fromisoformat(os.environ["BENCHMARK_NOW"])
with opened(os.environ) as app:
    report = poll(dataclasses.replace(app, clock=lambda: moment), began, began_at)
report.raise_if_failed()
told = {
    **figures,
    "peak_mb": memory.peak_mb(),
    "deletes": sum(topic.deletes for topic in report.topics.values()),
    "uploaded": report.files,
    "checks": [dataclasses.asdict(check) for check in report.checks],
}
print(json.dumps(told))
