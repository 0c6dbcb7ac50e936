#!/usr/bin/env python3
"""Measure what grows with the number of rows: part of ``python3 tests/run.py bench``.

It measures the peak memory of both apps with a hundred thousand rows and with a million.
``--rows N`` adds a sweep of N rows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

COUNTS = (100_000, 1_000_000)
ROUNDS = 3  # the memory that the allocator keeps differs by a few megabytes between runs
ROWS_IN_A_FILE = 25_000  # of a sweep: with both counts it downloads four files at once


def main() -> int:
    """Measure, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description="Measure what grows with the number of rows.")
    parser.add_argument(
        "--rows",
        type=int,
        help="add a sweep of this many rows; it needs 1 kB of disk and of memory for each row",
    )
    more = parser.parse_args().rows
    process.begin()
    import drain
    import sweep
    from local import emulators

    def drained(count: int) -> Mapping[str, float]:
        case = drain.Case("", ("/data/AccountChangeEvent",), count)
        with emulators.azurite(on_disk=True) as azurite, drain.salesforce(case) as server:
            return drain.collector(case, server, azurite.settings)

    def swept(count: int) -> Mapping[str, float]:
        with emulators.azurite(on_disk=True) as azurite, emulators.snowflake() as server:
            return sweep.ours(count, azurite, server, ROWS_IN_A_FILE)

    lines = [
        "| app | events or rows | events or rows per second | peak MB | merges |",
        "|---|---|---|---|---|",
    ]

    def row(
        title: str, measure: Callable[[int], Mapping[str, float]], count: int, rounds: int
    ) -> None:
        ran = [measure(count) for _ in range(rounds)]
        seconds, peak_mb, merges = (
            statistics.median(one.get(key, 0) for one in ran)
            for key in ("seconds", "peak_mb", "batches")
        )
        lines.append(
            f"| {title} | {count:,} | {count / seconds:,.0f} | {peak_mb:.0f} "
            f"| {f'{merges:.0f}' if merges else ''} |"
        )
        print(lines[-1], flush=True)

    for title, measure in (
        ("salesforce_client, deletes of Account", drained),
        ("delete_sync", swept),
    ):
        for count in COUNTS:
            row(title, measure, count, ROUNDS)
    if more:
        row("delete_sync, once", swept, more, 1)
    page.write(
        "flat", "\n".join([*lines, "", f"Medians of {ROUNDS} runs.\nMachine: {page.machine()}."])
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
