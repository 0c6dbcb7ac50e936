"""Writes the results of a benchmark between its two marks in ``docs/performance.md``."""

from __future__ import annotations

import os
import platform
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PAGE = TESTS.parent / "docs/performance.md"


def write(name: str, text: str) -> None:
    """Replace the text between the two marks with this name."""
    mark = f"<!-- {name} -->"
    head, _, rest = PAGE.read_text().partition(mark)
    _, _, tail = rest.partition(mark)
    PAGE.write_text(f"{head}{mark}\n{text}\n{mark}{tail}")


def machine() -> str:
    """Describe this machine: cores, processor, Python version and system."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next(
        (line.partition(": ")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {platform.system()}"
    )
