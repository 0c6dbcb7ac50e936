#!/usr/bin/env python3
"""What grows with the number of rows and what does not: part of ``python3 tests/run.py bench``.

Peak memory of both apps at a hundred thousand and at a million; ``--rows N`` adds a sweep of so many more.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

COUNTS = (100_000, 1_000_000)
ROWS_IN_A_FILE = 25_000  # in a sweep: so that four files are downloaded at once at either count


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="What grows with the number of rows and what does not.")
    parser.add_argument("--rows", type=int, help="another sweep, of so many rows; it needs 1 kB of disk and memory for each")
    more = parser.parse_args().rows
    process.begin()
    import drain
    import sweep
    from local import emulators

    lines = ["| | events or rows | per second | peak MB | merges |", "|---|---|---|---|---|"]

    def told(title: str, count: int, seconds: float, peak_mb: float, merges: str) -> None:
        lines.append(f"| {title} | {count:,} | {count / seconds:,.0f} | {peak_mb:.0f} | {merges} |")
        print(lines[-1], flush=True)

    for count in COUNTS:
        case = drain.Case("", ("/data/AccountChangeEvent",), count)
        with emulators.azurite(on_disk=True) as azurite, drain.salesforce(case) as server:
            drained = drain.collector(case, server, azurite.settings)
        told("salesforce_client, deletes of Account", count, drained["seconds"], drained["peak_mb"], "")
    for count in (*COUNTS, *([more] if more else [])):
        with emulators.azurite(on_disk=True) as azurite, emulators.fakesnow() as fakesnow:
            swept = sweep.ours(count, azurite, fakesnow, ROWS_IN_A_FILE)
        told("delete_sync", count, swept["seconds"], swept["peak_mb"], f"{swept['batches']:.0f}")
    page.write("flat", "\n".join([*lines, "", f"Each ran once. Machine: {page.machine()}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
