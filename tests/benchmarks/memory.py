"""Reads the peak memory of a measured process."""

from __future__ import annotations

import re
import resource
from pathlib import Path


def peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # On Linux, getrusage also counts the memory that the parent had when it started this process.
    return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
