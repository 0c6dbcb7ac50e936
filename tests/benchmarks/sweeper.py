#!/usr/bin/env python3
"""One sweep in a process of its own; prints seconds, peak memory, rows, batches and what was staged as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory

from delete_sync.src import staging
from delete_sync.src.run import run

staged: list[int] = []
close = staging.Batch.close


def weigh(batch: staging.Batch) -> None:
    """Close the batch, and add up what it will send."""
    close(batch)
    staged.append(sum(path.stat().st_size for path in batch.folder.rglob("*") if path.is_file()))


staging.Batch.close = weigh  # type: ignore[assignment, method-assign]
began = time.monotonic()
report = run(os.environ)
told = {
    "seconds": time.monotonic() - began,
    "peak_mb": memory.peak_mb(),
    "inserted": report.inserted,
    "batches": report.batches,
    "staged_mb": sum(staged) / 1e6,
}
print(json.dumps(told))
