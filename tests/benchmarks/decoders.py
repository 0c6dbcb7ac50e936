#!/usr/bin/env python3
"""Measure what each decoder is worth in a run of the collector.

The collector runs with all of its decoders and without some, in turn. It reads the same cases as in
``drain.py``, those without latency. This takes 15 minutes, and is not part of
``python3 tests/run.py bench``.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import drain  # noqa: E402  (found through the line above)
import page  # noqa: E402
import process  # noqa: E402

ROUNDS = 5
ALL = "all decoders"
WITHOUT = {
    ALL: "",
    "without the compiled decoder": "compiled",
    "without `fastavro`": "fastavro",
    "without both, with `avro` alone": "compiled fastavro",
    "without `orjson`": "orjson",
}
HEADER = f"| case | events/s: {ALL} | {' | '.join(title for title in WITHOUT if title != ALL)} |"


def measure(case: drain.Case, rounds: int) -> str:
    """Return the row of a case: the speed with all decoders, and what is lost without some."""
    from local import emulators

    runs: dict[str, list[dict[str, float]]] = {title: [] for title in WITHOUT}
    with drain.salesforce(case) as server:
        for number in range(rounds):
            for title in reversed(WITHOUT) if number % 2 else WITHOUT:
                with emulators.azurite(node_options=drain.ON_ONE_THREAD) as azurite:
                    more = {"BENCHMARK_WITHOUT": WITHOUT[title]}
                    told = drain.collector(case, server, azurite.settings, more=more)
                runs[title].append(told)
    cells = [case.title, f"{drain.medians(case, runs[ALL])['rate']:,.0f}"]
    for title in WITHOUT:
        if title != ALL:
            ratio = statistics.median(drain.ratios(runs, title, ALL))
            cells.append(f"{100 * (ratio - 1):+.0f} %")
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Measure, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description="Measure what each decoder is worth.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="the cases whose titles match it"
    )
    given = parser.parse_args()
    process.begin()
    rows = []
    for case in drain.CASES:
        if not case.latency_ms and re.search(given.only, case.title):
            rows.append(measure(case, given.rounds))
            print(rows[-1], flush=True)
    page.write_rows("decoders", HEADER, rows, f"Medians of {given.rounds} rounds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
