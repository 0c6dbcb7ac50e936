#!/usr/bin/env python3
"""Look for growth in processes that live long: ``python3 tests/benchmarks/growth.py``.

One process of Microsoft's runtime runs the polls, and another one the sweeps, as in Azure. A poll
in five has new containers and meets faults of Salesforce: it reads what Salesforce retains, and
checks two objects. A sweep in five meets a fault of Snowflake. The poll after a fault reads the
rest, and the next ones find little or nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import process  # noqa: E402  (found through the lines above)

if TYPE_CHECKING:
    from local.account import Account
    from local.apps import Worker
    from local.growth import Told

INTERVAL_SECONDS = 60
WARM_UP = 50  # caches and pools are filled after so many runs
# The most that may be added by all runs after those. The memory of the process goes up and down by
# 10 MB, because it includes what was freed; the heap and the objects do not.
# The connector keeps nine objects for each login, to remember on which platform it runs.
BOUNDS = {
    "memory": 10.0,
    "heap": 1.0,
    "blocks": 20_000.0,
    "objects": 10_000.0,
    "threads": 0.5,
    "descriptors": 0.5,
    "files": 0.0,
}
POLLS_OF_A_SWEEP = 5
COLLECTOR = ("salesforce_client", "TimerPoller")
SYNC = ("delete_sync", "SnowflakePusher")
PACE = "keepalive=0.3"
FAULTS = (
    "drop_stream=3,schema_unavailable=2",
    "login_answer=server_error:1,expire_session=2",
    "topic_unavailable=2,rest_down=page",
    "silent@/data/AccountChangeEvent",
    "refuse_session",
    "error=subscription.limit.exceeded:1:always",
    "login_answer=ip_restricted:always",
    "end_stream=2,rest_error=UNKNOWN_EXCEPTION:always",
)
CONTAINERS = ("EVENTS_CONTAINER", "CURSORS_CONTAINER")
SNOWFLAKE = ("refuse", "end", "abort", "lose")


def measure(
    worker: Worker,
    polls: int,
    settings: Mapping[str, str],
    account: Account,
    interval_seconds: float = INTERVAL_SECONDS,
) -> dict[str, list[Told]]:
    """Run the polls, and a sweep after every few of them. Return what each of them told.

    ``settings`` lead to the emulators, and ``account`` to their Snowflake. The mock has one event
    in each interval.
    """
    from local import growth

    from salesforce_client.src.app.mock_salesforce import MockSalesforce

    settings = {
        **settings,
        **process.ARENAS,
        "MOCK_MODE": "false",
        "CHECK_OBJECTS": "Account,Contact",
        "MAX_RUN_SECONDS": "20",
    }
    polled: list[Told] = []
    swept: list[Told] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))

        def salesforce(faults: str) -> Mapping[str, str]:
            mock = MockSalesforce(
                interval_seconds, faults=f"{PACE},{faults}", key_file=folder / "key.pem"
            )
            return {**stack.enter_context(mock).settings, "IDLE_SECONDS": "0.3"}

        calm, faulty = salesforce(""), [salesforce(faults) for faults in FAULTS]
        start = (growth.process(*app, settings, worker, folder) for app in (COLLECTOR, SYNC))
        collector, sync = (stack.enter_context(app) for app in start)
        containers: dict[str, str] = {}
        faults = 0
        for number in range(polls):
            has_faults = number % 5 == 3
            if has_faults or not containers:  # most faults need events
                containers = {name: f"{settings[name]}-{number}" for name in CONTAINERS}
            org = faulty[number // 5 % len(faulty)] if has_faults else calm
            polled.append(collector.invoke({**org, **containers}))
            if number % POLLS_OF_A_SWEEP == POLLS_OF_A_SWEEP - 1:
                has_fault = len(swept) % 5 == 3
                if has_fault:
                    # Each sweep inserts the load records of the files that the polls have written.
                    account.fault(SNOWFLAKE[len(swept) // 5 % len(SNOWFLAKE)], "INSERT INTO")
                faults += has_fault
                swept.append(sync.invoke(containers))
                account.clear_faults()
                if sum(account.happened().values()) != faults:
                    raise RuntimeError(f"sweep {len(swept)} did not meet its fault")
    return {"polls": polled, "sweeps": swept}


def growth_of(told: Sequence[Told], warm_up: int) -> dict[str, float]:
    """By how much each kind of holdings has grown after the first runs."""
    from local import growth

    return {
        kind: growth.grown([one.holdings[kind] for one in told[warm_up:]]) for kind in growth.KINDS
    }


def table(runs: Mapping[str, Sequence[Told]], every: int) -> list[str]:
    """The holdings after some of the runs, as a table."""
    lines = [
        "| runs in one process | memory in MB | of C, in MB | blocks of Python | objects | threads"
        " | descriptors | temporary files |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, told in runs.items():
        step = max(every * len(told) // 500, 1)
        for number in (1, *range(step, len(told) + 1, step)):
            has = told[number - 1].holdings
            figures = [f"{has['memory']:.1f}", f"{has['heap']:.2f}"]
            figures += [f"{has[it]:,.0f}" for it in tuple(has)[2:]]
            lines.append(f"| {number} {name} | {' | '.join(figures)} |")
    return lines


def main() -> int:
    """Measure and print. Return whether something grew."""
    parser = argparse.ArgumentParser(description="Look for growth in processes that live long.")
    parser.add_argument("--polls", type=int, default=500, help="default: 500")
    polls = parser.parse_args().polls
    process.begin()
    from local import emulators, workers
    from local.account import Account

    with (
        tempfile.TemporaryDirectory() as packages,
        emulators.azurite(on_disk=True) as azurite,
        emulators.snowflake() as snowflake,
    ):
        worker = workers.microsoft_runtime(Path(packages))
        settings = {
            **azurite.settings,
            **snowflake.settings,
            "EVENTS_CONTAINER": "events",
            "CURSORS_CONTAINER": "cursors",
        }
        account = Account(snowflake, settings["SNOWFLAKE_SCHEMA"])
        runs = measure(worker, polls, settings, account)
    print("\n".join(table(runs, 50)))
    grew = False
    for name, told in runs.items():
        warm_up = WARM_UP if name == "polls" else WARM_UP // POLLS_OF_A_SWEEP
        failed = sum(not one.succeeded for one in told)
        grown = growth_of(told, warm_up)
        print(f"{name}: {len(told)}, {failed} failed; grown after the first {warm_up}: {grown}")
        grew |= any(grown[kind] > bound for kind, bound in BOUNDS.items())
    return grew


if __name__ == "__main__":
    sys.exit(main())
