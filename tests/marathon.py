#!/usr/bin/env python3
"""Test the promise under random faults: ``python3 tests/marathon.py --minutes 30 --seed 7``.

Polls and sweeps run one at a time or several at once. Salesforce, Blob Storage and Snowflake fail
at random, and most runs are killed at a random moment. Snowflake aborts transactions, refuses
statements and ROLLBACKs, and loses answers and sessions. A stranger sometimes holds the lock row,
and sessions sometimes miss the last commits of others. After an abort from outside, a session
answers in either of two ways: see ``local/snowflake/scope.py``. At the end the marathon switches
every fault off and runs clean polls and sweeps. It then compares ``delete_tracker``, its gaps and
its rejects with what the org published. The seed decides which faults are tried. Their exact moment
also depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
from local import environments  # noqa: E402  (the line above makes it importable)

if TYPE_CHECKING:
    from local.account import Account

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
INTERVAL_SECONDS = 600
TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent", "/data/ChangeEvents")
# These shape the history of the org, so they are the same in every poll.
ALWAYS = "rare_changes,opaque_ids,keepalive=0.3,schema_change"
FAULTS = (
    "drop_stream=7",
    "drop_stream=40",
    "end_stream=25",
    "expire_session=20",
    "revoke_session=10",
    "delivery_limit=50",
    "error=subscription.internal.error:30:2",
    "error=service.unavailable:5:1",
    "odd_batches",
    "empty_first=2",
    "delay_first=0.5",
    "duplicate=3",
    "schema_unavailable=2",
    "topic_unavailable=2",
    "login_unavailable=1",
    "corrupt=7",
    "garbage@/event/Delete_Event__e",
    "silent@/data/AccountChangeEvent",
    "deny_topic@/data/ChangeEvents",
    "latest_immediate",
    "split",
    "split",
)
# What Snowflake does wrong: see ``local/snowflake/faults.py``.
SNOWFLAKE_FAULTS = ("abort", "refuse", "lose", "end", "delay")
IDLE_SECONDS = 3  # after that, a transaction of a killed sweep no longer blocks another one


@dataclass
class Outcome:
    """The result of a marathon."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        verdict = (
            "nothing lost, nothing duplicated" if not self.problems else "; ".join(self.problems)
        )
        return f"seed {self.seed}: {figures}: {verdict}"


class Marathon:
    """One marathon on its own emulators."""

    def __init__(self, seed: int, settings: Mapping[str, str], blob: Any, account: Account) -> None:
        self.outcome = Outcome(seed)
        self._chance = random.Random(seed)
        self._settings = {
            **settings,
            "MOCK_MODE": "true",
            "MOCK_INTERVAL_SECONDS": str(INTERVAL_SECONDS),
            "IDLE_SECONDS": "0.8",
        }
        self._account = account
        self._now = START
        self._trouble = 0.0
        blob.before = self._disturb

    def run(self, seconds: float) -> Outcome:
        """Inject faults for this long, then run without faults and compare."""
        # This gives each topic a cursor. Without one, events that expire would leave no gap.
        self._account.set(idle_seconds=IDLE_SECONDS)
        self._set_in_order()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._round()
        self._trouble = 0
        self._account.clear_faults()
        self._account.set(blind="off")
        happened = self._account.happened()
        self.outcome.counts.update({f"Snowflake: {kind}": n for kind, n in happened.items()})
        self._set_in_order()
        self._compare()
        return self.outcome

    def _round(self) -> None:
        chance = self._chance
        self._now += timedelta(hours=chance.choice((0, 0, 1, 2, 5, chance.uniform(5, 40))))
        self._trouble = chance.choice((0, 0, 0.05, 0.2))
        faults = ",".join([ALWAYS, *chance.sample(FAULTS, chance.choice((0, 1, 1, 2)))])
        small_file = {"MAX_FILE_ROWS": chance.choice(("40", "250000"))}
        polls = [
            self._start_poll({"MOCK_FAULTS": faults, **small_file})
            for _ in range(chance.choice((0, 1, 1, 1, 2)))
        ]
        self._disturb_snowflake()
        sweeps = [
            self._start_sweep({"MAX_MERGE_ROWS": chance.choice(("100", "1000000"))})
            for _ in range(chance.choice((0, 0, 1, 1, 2)))
        ]
        with self._lock_held() if sweeps and chance.random() < 0.2 else contextlib.nullcontext():
            self._let_run(polls, within=2.2)
            self._let_run(sweeps, within=6)

    def _disturb_snowflake(self) -> None:
        """Choose what goes wrong in the sessions of this round."""
        chance = self._chance
        self._account.set(
            reading=chance.choice(("silent", "error")),
            blind=chance.choice(("off", "random", "always")),
            seed=chance.randrange(1_000_000),
        )
        self._account.random_faults(
            chance.randrange(1_000_000), chance.choice((0, 0, 0.02, 0.1)), SNOWFLAKE_FAULTS
        )

    @contextlib.contextmanager
    def _lock_held(self) -> Iterator[None]:
        """Let a stranger hold the lock row for a moment. It is idle and is aborted in the end."""
        from local import warehouse
        from snowflake.connector.errors import Error

        with warehouse.connect(self._settings) as stranger:
            warehouse.query(stranger, "BEGIN")
            try:
                warehouse.query(stranger, "UPDATE delete_tracker_lock SET id = id")
                self.outcome.counts["lock held"] += 1
            except Error:  # the stranger meets the faults too
                self.outcome.counts["lock not held"] += 1
            yield

    def _let_run(self, running: list[subprocess.Popen[str]], within: float) -> None:
        """Kill most of the processes within some seconds, and wait until all of them end."""
        from local import apps

        for process in running:
            if self._chance.random() < 0.7:
                time.sleep(self._chance.uniform(0.2, within))
                if process.poll() is None:
                    process.kill()
                    self.outcome.counts["killed"] += 1
        for process in running:
            ended = apps.finish(process, timeout=120)
            if ended.returncode not in (0, 1, -9) or "unexpected failure" in ended.log:
                self.outcome.problems.append(
                    f"a run ended with exit code {ended.returncode}:\n{ended.log[-3000:]}"
                )
            self.outcome.counts["failed as expected" if ended.returncode == 1 else "ended"] += (
                ended.returncode != -9
            )

    def _start_poll(self, changes: Mapping[str, str]) -> subprocess.Popen[str]:
        from local import apps

        self.outcome.counts["polls"] += 1
        moment = {
            "MOCK_NOW": self._now.isoformat(),
            "MAX_RUN_SECONDS": "25",
            "CHECK_OBJECTS": "none",
        }
        return apps.start(
            "salesforce_client", "TimerPoller", {**self._settings, **moment, **changes}
        )

    def _start_sweep(self, changes: Mapping[str, str]) -> subprocess.Popen[str]:
        from local import apps

        self.outcome.counts["sweeps"] += 1
        return apps.start("delete_sync", "SnowflakePusher", {**self._settings, **changes})

    def _disturb(self, _: Any) -> tuple[int, bytes] | None:
        """Let a share of the requests to Blob Storage fail, break or time out."""
        if random.random() >= self._trouble:
            return None
        self.outcome.counts["storage faults"] += 1
        kind = random.random()
        if kind < 0.03:
            self.outcome.counts["storage time-outs"] += 1
            time.sleep(31)
        if kind < 0.3:
            raise ConnectionAbortedError  # before the request had any effect
        time.sleep(random.choice((0, 0, 1.5)))
        return random.choice((500, 503)), b""

    def _set_in_order(self) -> None:
        from local import apps

        for _ in range(2):
            polled = apps.finish(
                self._start_poll({"MOCK_FAULTS": ALWAYS, "MAX_RUN_SECONDS": "480"})
            )
            swept = apps.finish(self._start_sweep({}))
        for ended in (polled, swept):
            if not ended.succeeded:
                self.outcome.problems.append(f"the last run failed:\n{ended.log[-3000:]}")

    def _wrong_records(self, connection: Any) -> list[str]:
        from azure.storage.blob import ContainerClient
        from local import truth

        storage = self._settings["EVENTS_STORAGE"]
        with (
            tempfile.TemporaryDirectory() as folder,
            ContainerClient.from_connection_string(storage, "events") as events,
        ):
            return truth.wrong_records(connection, events, Path(folder))

    def _compare(self) -> None:
        from local import truth, warehouse

        from salesforce_client.src.app.mock_salesforce.faults import Faults
        from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org
        from salesforce_client.src.app.model import identity

        org = Org(INTERVAL_SECONDS, lambda: self._now, Faults(ALWAYS))
        since = START - RETENTION
        with warehouse.connect(self._settings) as connection:
            difference = truth.difference(connection, org, TOPICS, since, self._now)
            rejected = set(
                warehouse.query(connection, "SELECT topic, event_id FROM delete_tracker_rejects")[1]
            )
            gaps = [
                row[0]
                for row in warehouse.query(connection, "SELECT gap_id FROM delete_tracker_gaps")[1]
            ]
            self.outcome.problems += self._wrong_records(connection)
        rejected_events = {event_id for _, event_id in rejected}
        lost = [
            key for key in difference.missing if key[0].partition(":")[0] not in rejected_events
        ]
        told = {
            identity(org.org_id, topic, event_id, reason): (topic, event_id)
            for topic, event_id, reason in org.gaps(TOPICS, since, self._now)
        }
        unrecorded = [
            event for gap_id, event in told.items() if gap_id not in gaps and event not in rejected
        ]
        self.outcome.counts.update(
            {
                "published": difference.published,
                "in the table": difference.found,
                "only as rejects": len(difference.missing) - len(lost),
                "gaps": len(gaps),
                "lost": len(lost),
                "duplicated": len(difference.twice),
            }
        )
        if lost or difference.twice or difference.unknown:
            self.outcome.problems.append(
                f"lost {lost[:5]}, duplicated {difference.twice[:5]}, "
                f"unknown {difference.unknown[:5]}"
            )
        if unrecorded or set(gaps) - set(told) or len(gaps) != len(set(gaps)):
            self.outcome.problems.append(
                f"gaps: {len(unrecorded)} not recorded, {len(set(gaps) - set(told))} unknown, "
                f"{len(gaps)} rows"
            )


def run(minutes: float, seed: int) -> Outcome:
    """Run one marathon, starting with empty stores."""
    from local import emulators, proxy
    from local.account import Account

    with contextlib.ExitStack() as stack:
        azurite = stack.enter_context(emulators.azurite())
        snowflake = stack.enter_context(emulators.snowflake())
        blob = stack.enter_context(proxy.proxy(azurite.port))
        settings = {
            **snowflake.settings,
            "EVENTS_STORAGE": emulators.connection_string(blob.port),
        }
        account = Account(snowflake, settings["SNOWFLAKE_SCHEMA"])
        return Marathon(seed, settings, blob, account).run(minutes * 60)


def main() -> int:
    """Run a marathon for each seed of the command line. Return whether one of them failed."""
    parser = argparse.ArgumentParser(
        description="Run both apps under random faults and SIGKILLs, then compare with the org."
    )
    parser.add_argument(
        "--minutes", type=float, default=1, help="minutes for each seed (default: 1)"
    )
    parser.add_argument(
        "--seed", type=int, action="append", help="may be repeated (default: a random seed)"
    )
    options = parser.parse_args()
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the emulators end too
    failed = False
    for seed in options.seed or [random.randrange(1_000_000)]:
        outcome = run(options.minutes, seed)
        print(outcome, flush=True)
        failed = failed or bool(outcome.problems)
    return failed


if __name__ == "__main__":
    sys.exit(main())
