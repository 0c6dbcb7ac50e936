"""The memory of a process that is measured."""

from __future__ import annotations

import re
import resource
from pathlib import Path


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # On Linux getrusage begins with what the parent had when it started this process.
    return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
