#!/usr/bin/env python3
"""Run one sweep in a separate process, and print its figures as JSON.

The figures are seconds, CPU seconds, peak memory in MB, inserted rows, batches, and staged
megabytes. Two arguments change the size in bytes and the gzip level of the staged files.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import memory

from delete_sync.src.model import Batch, Loaded
from delete_sync.src.run import run
from delete_sync.src.warehouse import staging
from delete_sync.src.warehouse.load import Loader

staged: list[int] = []
load = Loader.load


def weigh(loader: Loader, batch: Batch, *, again: bool) -> Loaded:
    """Load the batch, and note the size of its staged files."""
    parts = batch.parts.parent.glob(batch.parts.name)
    staged.append(sum(path.stat().st_size for path in parts))
    return load(loader, batch, again=again)


Loader.load = weigh  # type: ignore[assignment, method-assign]
if sys.argv[1:]:
    part_bytes, staging.LEVEL = map(int, sys.argv[1:])
    staging.BatchWriter = functools.partial(  # type: ignore[assignment, misc]
        staging.BatchWriter, part_bytes=part_bytes
    )
began = time.monotonic()
report = run(os.environ)
told = {
    "seconds": time.monotonic() - began,
    "cpu": time.process_time(),
    "peak_mb": memory.peak_mb(),
    "inserted": report.inserted,
    "recovered": report.recovered,
    "batches": report.batches,
    "staged_mb": sum(staged) / 1e6,
}
print(json.dumps(told))
