#!/usr/bin/env python3
"""Test the promise under random faults: ``python3 tests/marathon.py --minutes 30 --seed 7``.

Polls and sweeps run one at a time or several at once. Salesforce, Blob Storage and Snowflake fail
at random, and most runs are killed at a random moment. Snowflake aborts transactions, refuses
statements and ROLLBACKs, and loses answers and sessions. A stranger sometimes holds the lock row,
and sessions sometimes miss the last commits of others. After an abort from outside, a session
answers in either of two ways: see ``local/snowflake/scope.py``.

The collector runs on a machine whose clock begins some weeks ago and jumps ahead, sometimes by more
than 72 hours. Salesforce hides deletes and restores from the events, merges records, and empties
recycle bins. At the end the marathon switches every fault off and runs clean polls and sweeps. The
last checks list everything that Salesforce still lists. The marathon then compares the tables with
what the org published, and what the views claim with what happened in the org.

The seed decides which faults are tried. Their exact moment also depends on the machine, and the
history of the org on the day.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
from local import environments  # noqa: E402  (the line above makes it importable)

if TYPE_CHECKING:
    from local.account import Account
    from local.proofs import Claims

    from salesforce_client.src.app.mock_salesforce.org import Org

INTERVAL_SECONDS = 1800
TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent", "/data/ChangeEvents")
OBJECTS = ("Account", "Contact", "Opportunity", "Case", "CampaignMember")
# These shape the history of the org, so they are the same in every poll.
ALWAYS = (
    "rare_changes,opaque_ids,schema_change,"
    "hide=update_delete:4+no_right:5+cascade:4+restore:3+lost:20"
)
# Each marathon has some of these, also in every poll. Of each group at most one.
HISTORIES = (
    ("merge=bin", "merge=absent"),
    ("redelete=one", "redelete=two", "redelete=log"),
    ("hard_delete",),
    ("long_transaction",),
    ("modstamp_drift",),
    ("empty_bin", "empty_bin=48:2"),
    ("one_transaction",),
    ("filtered_channel",),
    ("rest_trim=silent:240", "rest_trim=told:240", "rest_trim=error:240"),
)
# An empty response comes after this many seconds of silence. The drain may count as idle before.
KEEPALIVES = ("keepalive=0.3", "keepalive=0.3", "keepalive=0.5-2")
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
    "reject_replay_id",
)
# What REST does wrong. The checks must prove less, or fail.
REST_FAULTS = (
    "rest_error=UNKNOWN_EXCEPTION:3@deleted",
    "rest_error=SERVER_UNAVAILABLE:2",
    "rest_error=REQUEST_LIMIT_EXCEEDED:1@deleted",
    "rest_error=CONCURRENT_REQUESTS:2",
    "rest_error=QUERY_TIMEOUT:3@queryAll",
    "rest_error=INVALID_QUERY_LOCATOR:1@page",
    "rest_error=INVALID_FIELD:5@queryAll",
    "rest_error=UNKNOWN_EXCEPTION:6@query",
    "rest_error=INVALID_TYPE@deleted",
    "rest_session=2:3",
    "rest_page=2",
    "rest_page=50",
    "rest_id_limit=10",
    "rest_timeout=6",
    "rest_down=page",
    "rest_down=close",
    "rest_slow=0.2",
    "rest_past_end",
    "open_transaction=50",
    "no_view_all=2@Account",
    "view_all_data",
    "no_view_setup=error",
    "no_view_setup=empty",
    "no_delete_event",
    "not_replicateable",
    "limits_used=90",
    "clock_off=600",
)
# What Snowflake does wrong: see ``local/snowflake/faults.py``.
SNOWFLAKE_FAULTS = ("abort", "refuse", "lose", "end", "delay")
IDLE_SECONDS = 3  # after that, a transaction of a killed sweep no longer blocks another one
DAY = timedelta(days=1)
OUTAGE_HOURS = (73.0, 130.0)
LAST_JUMP = 2 * DAY


@dataclass
class Outcome:
    """The result of a marathon. ``org`` is the time when it begins, and the faults of its org."""

    seed: int
    org: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        verdict = (
            "nothing lost, nothing duplicated" if not self.problems else "; ".join(self.problems)
        )
        return f"seed {self.seed} ({self.org}): {figures}: {verdict}"


class Marathon:
    """One marathon on its own emulators."""

    def __init__(
        self, seed: int, settings: Mapping[str, str], blob: Any, account: Account, minutes: float
    ) -> None:
        self.outcome = Outcome(seed)
        chance = self._chance = random.Random(seed)
        self._always = ",".join(
            [ALWAYS, *(chance.choice(group) for group in HISTORIES if chance.random() < 0.6)]
        )
        self._settings = {
            **settings,
            "MOCK_MODE": "true",
            "MOCK_INTERVAL_SECONDS": str(INTERVAL_SECONDS),
            "IDLE_SECONDS": "0.8",
            "CHECK_HOURS": chance.choice(("1", "6", "24")),
            "MAX_BACKLOG_HOURS": "0",  # the clock of the sync is right, that of the files is not
            "MAX_SILENCE_HOURS": "0",
        }
        self._account = account
        # The views speak of days up to today. When the last check asks, today is over.
        today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        self._last = today + DAY + timedelta(hours=2, seconds=20)
        self._begin = self._last - LAST_JUMP - timedelta(days=6 + 3 * minutes)
        self.outcome.org = f"{self._begin:%Y-%m-%d}, {self._always}"
        self._shift = self._begin - datetime.now(timezone.utc)
        self._trouble = 0.0
        blob.before = self._disturb

    @property
    def _now(self) -> datetime:
        """The time of the collector's machine and of the org."""
        return datetime.now(timezone.utc) + self._shift

    def run(self, seconds: float) -> Outcome:
        """Inject faults for this long, then run without faults and compare."""
        self._account.set(idle_seconds=IDLE_SECONDS)
        # This gives each topic a cursor. Without one, events that expire would leave no gap.
        self._run_in_order({"CHECK_OBJECTS": "none"})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._round()
        self._trouble = 0
        self._account.clear_faults()
        self._account.set(blind="off")
        happened = self._account.happened()
        self.outcome.counts.update({f"Snowflake: {kind}": n for kind, n in happened.items()})
        self._shift = self._last - datetime.now(timezone.utc)
        self._forget_what_was_listed()
        self._run_in_order({"CHECK_OBJECTS": ",".join(OBJECTS)}, times=2)
        self._compare()
        return self.outcome

    def _round(self) -> None:
        chance = self._chance
        hours = chance.choice((0, 0, 1, 2, 5, chance.uniform(5, 40), chance.uniform(5, 40)))
        if chance.random() < 0.1:
            hours = chance.uniform(*OUTAGE_HOURS)
            self.outcome.counts["outages of more than 72 hours"] += 1
        self._shift += min(timedelta(hours=hours), max(self._last - LAST_JUMP - self._now, 0 * DAY))
        self._trouble = chance.choice((0, 0, 0.05, 0.2))
        faults = [*chance.sample(FAULTS, chance.choice((0, 1, 1, 2)))]
        faults += chance.choice(((), ("strict_retention",)))  # an old cursor is lost, or is not
        faults += chance.sample(REST_FAULTS, chance.choice((0, 0, 1, 1, 2)))
        some = {
            "MOCK_FAULTS": ",".join([self._always, chance.choice(KEEPALIVES), *faults]),
            "MAX_FILE_ROWS": chance.choice(("40", "250000")),
            "MAX_CHECK_CALLS": chance.choice(("40", "100000", "100000")),
            "CHECK_OBJECTS": chance.choice(("", ",".join(OBJECTS), ",".join(OBJECTS))),
        }
        polls = [self._start_poll(some) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        self._disturb_snowflake()
        sweeps = [
            self._start_sweep({"MAX_MERGE_ROWS": chance.choice(("100", "1000000"))})
            for _ in range(chance.choice((0, 0, 1, 1, 2)))
        ]
        with self._lock_held() if sweeps and chance.random() < 0.2 else contextlib.nullcontext():
            self._let_run(polls, within=8)
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
        worker = apps.Worker(
            script="invoke_shifted.py",
            environment=lambda _: {"CLOCK_SHIFT_SECONDS": str(self._shift.total_seconds())},
        )
        return apps.start(
            "salesforce_client",
            "TimerPoller",
            {**self._settings, "MAX_RUN_SECONDS": "15", **changes},
            worker,
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

    def _run_in_order(self, changes: Mapping[str, str], times: int = 1) -> None:
        """Run polls and sweeps without faults. The last ones must succeed."""
        from local import apps

        settings = {
            "MOCK_FAULTS": f"{self._always},{KEEPALIVES[0]}",
            "MAX_RUN_SECONDS": "480",
            "MAX_CHECK_CALLS": "100000",
            **changes,
        }
        for _ in range(times):
            polled = apps.finish(self._start_poll(settings))
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

    def _forget_what_was_listed(self) -> None:
        """Let the next checks list everything that Salesforce still lists."""
        from azure.storage.blob import ContainerClient

        storage = self._settings["EVENTS_STORAGE"]
        with ContainerClient.from_connection_string(storage, "cursors") as blobs:
            for name in blobs.list_blob_names():
                _, found, object_name = name.partition("/check/")
                if found and object_name.removesuffix(".json") in OBJECTS:
                    progress = json.loads(blobs.download_blob(name).readall())
                    text = json.dumps({**progress, "whole": True})
                    blobs.upload_blob(name, text.encode(), overwrite=True)

    def _compare(self) -> None:
        from local import comparison, proofs, warehouse

        from salesforce_client.src.app.mock_salesforce.faults import Faults
        from salesforce_client.src.app.mock_salesforce.org import Org

        org = Org(INTERVAL_SECONDS, lambda: self._now, Faults(self._always))
        with warehouse.connect(self._settings) as connection:
            for statement in comparison.view_statements():
                warehouse.query(connection, statement)
            self._compare_events(connection, org)
            self._compare_claims(proofs.claims(connection), org)
            self.outcome.problems += self._wrong_records(connection)

    def _compare_events(self, connection: Any, org: Org) -> None:
        """Compare the deletes, restores and gaps with those that events told of."""
        from local import truth, warehouse

        from salesforce_client.src.app.mock_salesforce.org import RETENTION

        since, until = self._begin - RETENTION, self._now
        difference = truth.difference(connection, org, TOPICS, since, until)
        restores = truth.difference_of_restores(connection, org, TOPICS, since, until)
        sql = "SELECT topic, event_id FROM delete_tracker_rejects"
        rejects = set(warehouse.query(connection, sql)[1])
        gaps = truth.recorded_gaps(connection)
        expired = truth.expired(org, TOPICS, since, until, gaps)
        rejected = {event_id for _, event_id in rejects}

        def unexcused(keys: Iterable[Any]) -> list[Any]:
            events = ((key, key[0].partition(":")[0]) for key in keys)
            return [key for key, event in events if event not in rejected | expired]

        lost, lost_restores = unexcused(difference.missing), unexcused(restores.missing)
        unrecorded, unknown = truth.wrong_gaps(org, TOPICS, since, until, gaps, expired, rejects)
        cursors = sum(gap.reason == "expired_cursor" for gap in gaps)
        self.outcome.counts.update(
            {
                "published": difference.published,
                "in the table": difference.found,
                "only as rejects or in gaps of cursors": len(difference.missing) - len(lost),
                "restores published": restores.published,
                "restores in the table": restores.found,
                "gaps of events": len(gaps) - cursors,
                "gaps of cursors": cursors,
            }
        )
        self._report("lost", lost)
        self._report("duplicated", difference.twice)
        self._report("unknown", difference.unknown)
        self._report("restores lost", lost_restores)
        self._report("restores duplicated", restores.twice)
        self._report("restores unknown", restores.unknown)
        self._report("gaps not recorded", unrecorded)
        self._report("gaps unknown or doubled", unknown)

    def _compare_claims(self, said: Claims, org: Org) -> None:
        """Compare what the views claim with what happened."""
        from local import proofs

        at = max(window.checked_at for window in said.windows)
        reach = (self._last - 15 * DAY + timedelta(hours=2), self._last - timedelta(minutes=35))
        happened = org.changes(OBJECTS, self._begin - 14 * DAY, self._last)
        alive, older = proofs.live_but_confirmed(org, said, *reach, at)
        hidden = proofs.hidden_for_good(org, said, OBJECTS, self._begin - 14 * DAY, reach[1], at)
        verdicts = Counter(verdict for verdict, _ in said.days.values())
        reasons = Counter(reason for _, reason in said.days.values() if reason)
        states = Counter(gap.state for gap in said.gaps)
        self.outcome.counts.update(
            {
                "deletes that happened": sum(one.kind == "delete" for one in happened),
                "recovered": sum(row.source == "check" for row in said.deletes),
                "checks that listed": len(said.windows),
                **{f"days {verdict}": n for verdict, n in sorted(verdicts.items())},
                **{f"days unproven, {reason}": n for reason, n in sorted(reasons.items())},
                **{f"gaps {state}": n for state, n in sorted(states.items())},
                **{f"never in the table, {why}": n for why, n in sorted(hidden.items())},
                "confirmed before a hidden restore that no check reaches": older,
            }
        )
        self._report("missing", proofs.missing_listed(org, said, OBJECTS, *reach, at))
        self._report("false proofs", proofs.false_proofs(org, said, at))
        self._report("shown twice", proofs.doubled(org, said, at))
        self._report("invented", proofs.invented(org, said, at))
        self._report("live but confirmed as deleted", alive)
        self._report("states of gaps", proofs.wrong_gap_states(said))
        unexplained = [why for why in hidden if why in ("proven: other", "repaired: other")]
        if not any(fault in self._always for fault in ("rest_trim=silent", "modstamp_drift")):
            self._report("unexplained on good days", unexplained)

    def _report(self, what: str, found: Sequence[Any]) -> None:
        self.outcome.counts[what] = len(found)
        if found:
            self.outcome.problems.append(f"{len(found)} {what}: {list(found[:5])}")


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
        return Marathon(seed, settings, blob, account, minutes).run(minutes * 60)


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
