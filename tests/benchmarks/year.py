#!/usr/bin/env python3
"""Play some days of the mock's history through both apps, and calculate a year from them.

``python3 tests/benchmarks/year.py`` prints two tables in Markdown. The first one is measured: what
each day of two runs added, one after the other, and of a third one with twice as many events. The
second one is calculated: a year of an org that uses its largest allocation.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

HERE = Path(__file__).resolve().parent
FIRST = date(2026, 3, 1)
TOPICS = "/event/Delete_Event__e,/data/Delete_Tracking__chn"
OBJECTS = "Account,Contact,Case,Opportunity"
POLLS, ROWS_OF_A_CHECK, MAX_CHECK_CALLS = 48, 25_000, 500
ALLOCATION = 150_000  # Unlimited Edition with one add-on: docs/scale.md
TABLES = ("", "_loads", "_polls", "_restores", "_checks", "_listed", "_gaps", "_rejects")
Figures = dict[str, float]


class Played:
    """An org whose days are played one after another, through both apps."""

    def __init__(self, interval: float, storage: Mapping[str, str], target: Any) -> None:
        self._interval = interval
        self._settings = {
            **storage,
            **target.settings,
            "EVENTS_CONTAINER": f"events-{interval:g}".replace(".", "-"),
            "CURSORS_CONTAINER": f"cursors-{interval:g}".replace(".", "-"),
            "SNOWFLAKE_SCHEMA": f"s_{interval:g}".replace(".", "_"),
            "SALESFORCE_TOPICS": TOPICS,
            "CHECK_OBJECTS": OBJECTS,
            # The clock of the sync is right, and that of the files is not.
            "MAX_BACKLOG_HOURS": "0",
            "MAX_SILENCE_HOURS": "0",
        }
        self._day = FIRST
        self._totals: Figures = {"staged_mb": 0.0}

    def play(self, days: int) -> Figures:
        """Play so many days, and return what each of them added."""
        before = self._state()
        for _ in range(days):
            polled = process.told(
                [sys.executable, str(HERE / "year_day.py"), str(self._day), f"{self._interval:g}"],
                self._settings,
            )
            swept = process.told([sys.executable, str(HERE / "sweeper.py")], self._settings)
            for name in ("deliveries", "deletes", "rest_calls"):
                self._totals[name] = self._totals.get(name, 0) + polled[name]
            self._totals["staged_mb"] += swept["staged_mb"]
            self._day += timedelta(days=1)
        after = self._state()
        return {name: (after[name] - before.get(name, 0)) / days for name in after}

    def _state(self) -> Figures:
        """Return what there is now: files, their megabytes, and rows of each table."""
        from azure.storage.blob import BlobServiceClient
        from local import warehouse

        state = dict(self._totals)
        with BlobServiceClient.from_connection_string(self._settings["EVENTS_STORAGE"]) as service:
            events = service.get_container_client(self._settings["EVENTS_CONTAINER"])
            sizes = [it.size for it in events.list_blobs()] if events.exists() else []
        state["files"], state["file_mb"] = len(sizes), sum(sizes) / 1e6
        if sizes:
            with warehouse.connect(self._settings) as connection:
                for table in TABLES:
                    sql = f"SELECT COUNT(*) FROM delete_tracker{table}"
                    ((state[f"delete_tracker{table}"],),) = warehouse.query(connection, sql)[1]
        return state


def table(titles: Sequence[str], runs: Sequence[Figures]) -> str:
    """Return the figures as a table in Markdown, with a row for each."""
    names = list(dict.fromkeys(name for run in runs for name in run))
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name in names:
        values = (run.get(name, 0) for run in runs)
        lines.append(f"| `{name}` | {' | '.join(f'{value:,.1f}' for value in values)} |")
    return "\n".join(lines)


def main() -> int:
    """Play, and print the tables."""
    parser = argparse.ArgumentParser(description="Play days of the mock, and calculate a year.")
    parser.add_argument("--days", type=int, default=2, help="days of each run (2)")
    parser.add_argument("--interval", type=float, default=120, help="seconds between events (120)")
    options = parser.parse_args()
    process.begin()
    from local import emulators

    began, runs = time.monotonic(), []
    with emulators.azurite(on_disk=True) as azurite, emulators.snowflake() as server:
        # The first day also reads what the org kept from before, and lists 15 days.
        for interval, lengths in (
            (options.interval, (options.days, options.days)),
            (options.interval / 2, (options.days,)),
        ):
            org = Played(interval, azurite.settings, server)
            org.play(1)
            runs += [org.play(days) for days in lengths]
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    _, second, twice = runs
    days = options.days
    titles = (
        "each day",
        f"days 2 to {1 + days}",
        f"days {2 + days} to {1 + 2 * days}",
        "twice the events",
    )
    print(table(titles, runs))
    # Two points of a straight line: what an event adds, and what a day adds without any event.
    year, events = {}, twice["deliveries"] - second["deliveries"]
    for name in twice:
        for_event = (twice[name] - second[name]) / events
        for_day = second[name] - for_event * second["deliveries"]
        year[name] = for_event * ALLOCATION + for_day
    # So few rows need one file and few calls, so these follow from the rules of the apps.
    year["files"] = POLLS + math.ceil(year["delete_tracker_listed"] / ROWS_OF_A_CHECK)
    year["delete_tracker_loads"] = year["files"]
    year["rest_calls"] = MAX_CHECK_CALLS
    year = {name: 365 * value for name, value in year.items()}
    print("\n" + table(("a year", f"{ALLOCATION:,} deliveries a day"), [year]))
    print(f"\nMachine: {page.machine()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
