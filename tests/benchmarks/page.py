"""Writes the results of a benchmark between its two marks in ``docs/performance.md``."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PAGE = TESTS.parent / "docs/performance.md"


def write(name: str, text: str) -> None:
    """Replace the text between the two marks with this name."""
    mark = f"<!-- {name} -->"
    head, _, rest = PAGE.read_text().partition(mark)
    _, _, tail = rest.partition(mark)
    PAGE.write_text(f"{head}{mark}\n{text}\n{mark}{tail}")


def write_rows(name: str, header: str, rows: Sequence[str], about: str) -> None:
    """Write a table.

    If only some cases were measured, the page keeps its rows of the others. So a long benchmark can
    run in parts.

    Args:
        name: the name of the marks.
        header: the first line of the table.
        rows: the lines of the cases. The first cell is the title of the case.
        about: the text below the table.
    """
    mark = f"<!-- {name} -->"
    before = PAGE.read_text().partition(mark)[2].partition(mark)[0].strip().splitlines()
    kept = before[2:] if before[:1] == [header] else []
    lines = {_title(line): line for line in kept if line.startswith("|")}
    lines.update({_title(line): line for line in rows})
    rule = "|" + "---|" * (header.count("|") - 1)
    write(name, "\n".join([header, rule, *lines.values(), "", f"{about}\nMachine: {machine()}."]))


def _title(line: str) -> str:
    return line.split("|")[1].strip()


def machine(python: str = platform.python_version()) -> str:
    """Describe this machine: cores, processor, Python version and system.

    Args:
        python: the version of the Python that ran the apps, if it is another one.
    """
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next(
        (line.partition(": ")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), Python {python}, {platform.system()}"
