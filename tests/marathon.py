#!/usr/bin/env python3
"""Test the promise under random faults: ``python3 tests/marathon.py --minutes 30 --seed 7``.

Polls and sweeps run one at a time or several at once. Salesforce, Blob Storage and Snowflake fail
at random. Most runs are harmed at a random moment: killed, ended by SIGTERM, suspended for some
seconds, or left with a full disk. Snowflake aborts transactions, refuses statements and ROLLBACKs,
and loses answers and sessions. A stranger sometimes holds the lock row or has a lease on a cursor,
and sessions sometimes miss the last commits of others. After an abort from outside, a session
answers in either of two ways: see ``local/snowflake/scope.py``.

The collector and the org begin some weeks ago. Their clocks jump ahead between the runs, sometimes
by more than 72 hours. In a run, the clock of the collector's machine sometimes steps forwards or
backwards, and that of the org does not. Salesforce hides deletes and restores from the events,
merges records, and empties recycle bins.

At the end the marathon switches every fault off and runs clean polls and sweeps. The last checks
list everything that Salesforce still lists. The marathon then compares the tables with what the org
published, and what the views claim with what happened in the org.

A run that fails must end with an error that its app knows.

The seed decides which faults are tried. Their exact moment also depends on the machine, and the
history of the org on the day.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
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
from local import endings, environments, harms  # noqa: E402  (the line above makes them importable)

if TYPE_CHECKING:
    from local.account import Account
    from local.proofs import Claims
    from local.proxy import Proxy

    from salesforce_client.src.app.mock_salesforce.org import Org

INTERVAL_SECONDS = 1800
TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent", "/data/ChangeEvents")
OBJECTS = ("Account", "Contact", "Opportunity", "Case", "CampaignMember")
# What Snowflake does wrong: see ``local/snowflake/faults.py``.
SNOWFLAKE_FAULTS = ("abort", "refuse", "lose", "end", "delay")
IDLE_SECONDS = 3  # after that, a transaction of a killed sweep no longer blocks another one
DAY = timedelta(days=1)
# By so many seconds the clock of the collector's machine steps in a run.
CLOCK_STEPS = (2, 60, 240, 900, 3000)
MOST_WRONG = timedelta(hours=2)  # two steps; the clock is right again in the next run
OUTAGE_HOURS = (73.0, 130.0)
LAST_JUMP = 2 * DAY


@dataclass
class Outcome:
    """The result of a marathon.

    Attributes:
        org: the time when the marathon begins, and the faults of all its polls.
        counts: what happened.
        faults: how many rounds had each other fault of Salesforce.
        problems: what must not be.
    """

    seed: int
    org: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        verdict = (
            "nothing lost, nothing duplicated" if not self.problems else "; ".join(self.problems)
        )
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return f"seed {self.seed} ({self.org}): {figures}: faults of {faults}: {verdict}"


@dataclass
class Servers:
    """The emulators of a marathon, empty at first.

    Attributes:
        settings: of both apps. They lead to Blob Storage through the proxy.
        blob: that proxy.
        storage: leads there directly.
        account: the stand-in for Snowflake.
        folder: for the temporary files of the apps.
    """

    settings: Mapping[str, str]
    blob: Proxy
    storage: str
    account: Account
    folder: Path


class Marathon:
    """One marathon on its own emulators."""

    def __init__(self, seed: int, servers: Servers, minutes: float) -> None:
        from local import marathon_faults

        self.outcome = Outcome(seed)
        chance = self._chance = random.Random(seed)
        self._always = marathon_faults.histories(chance)
        self._settings = {
            **servers.settings,
            "TMPDIR": str(servers.folder),  # killed runs leave their files there
            "IDLE_SECONDS": "0.8",
            "CHECK_HOURS": chance.choice(("1", "6", "24")),
            "MAX_BACKLOG_HOURS": "0",  # the clock of the sync is right, that of the files is not
            "MAX_SILENCE_HOURS": "0",
        }
        self._servers = servers
        self._account = servers.account
        # The views speak of days up to today. When the last check asks, today is over.
        today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        self._last = today + DAY + timedelta(hours=2, seconds=20)
        self._begin = self._last - LAST_JUMP - timedelta(days=6 + 3 * minutes)
        self.outcome.org = f"{self._begin:%Y-%m-%d}, {self._always}"
        self._shift = self._begin - datetime.now(timezone.utc)
        self._trouble = 0.0
        servers.blob.before, servers.blob.after = self._disturb, self._lose_answer

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
        from local import marathon_faults

        chance = self._chance
        self._servers.blob.seen.clear()
        hours = chance.choice((0, 0, 1, 2, 5, chance.uniform(5, 40), chance.uniform(5, 40)))
        if chance.random() < 0.1:
            hours = chance.uniform(*OUTAGE_HOURS)
            self.outcome.counts["outages of more than 72 hours"] += 1
        self._shift += min(timedelta(hours=hours), max(self._last - LAST_JUMP - self._now, 0 * DAY))
        self._trouble = chance.choice((0, 0, 0.05, 0.2))
        faults = marathon_faults.of_a_round(chance)
        self.outcome.faults.update(marathon_faults.names(faults))
        some = {
            "MAX_RUN_SECONDS": "15",
            "MAX_FILE_ROWS": chance.choice(("40", "250000")),
            "MAX_CHECK_CALLS": chance.choice(("40", "100000", "100000")),
            "CHECK_OBJECTS": chance.choice(("", ",".join(OBJECTS), ",".join(OBJECTS))),
        }
        with contextlib.ExitStack() as stack:
            salesforce = stack.enter_context(self._salesforce(faults))
            count = chance.choice((0, 1, 1, 1, 2))
            polls = [
                (self._start_poll({**some, **salesforce}, self._steps()), harms.plan(chance, 8))
                for _ in range(count)
            ]
            self._disturb_snowflake()
            sweeps = [
                (
                    self._start_sweep({"MAX_MERGE_ROWS": chance.choice(("100", "1000000"))}),
                    harms.plan(chance, 6),
                )
                for _ in range(chance.choice((0, 0, 1, 1, 2)))
            ]
            if sweeps and chance.random() < 0.2:
                stack.enter_context(self._lock_held())
            if polls and chance.random() < 0.15:
                stack.enter_context(self._cursor_leased())
            self._let_run([*polls, *sweeps])

    @contextlib.contextmanager
    def _salesforce(self, faults: str) -> Iterator[Mapping[str, str]]:
        """Run the org with these faults. Yield the settings of its clients."""
        from salesforce_client.src.app.mock_salesforce import MockSalesforce

        with MockSalesforce(
            INTERVAL_SECONDS,
            faults=f"{faults},{self._always}",
            key_file=self._servers.folder / "key.pem",
        ) as mock:
            clock = mock.org.now
            mock.org.now = lambda: clock() + self._shift
            yield {**mock.settings, "IDLE_SECONDS": self._settings["IDLE_SECONDS"]}

    def _steps(self) -> str:
        """The steps of the clock in one run, as ``local/invoke_shifted.py`` reads them."""
        chance = self._chance
        steps: list[str] = []
        while chance.random() < 0.2 and len(steps) < 2:
            seconds = chance.choice(CLOCK_STEPS) * chance.choice((-1, 1))
            steps.append(f"{chance.uniform(0, 8):.1f}:{seconds}")
            self.outcome.counts["clock stepped"] += 1
        return ",".join(steps)

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

        with warehouse.lock_row(self._settings) as held:
            self.outcome.counts["lock held" if held else "lock not held"] += 1
            yield

    @contextlib.contextmanager
    def _cursor_leased(self) -> Iterator[None]:
        """Let a stranger have a lease on one of the collector's blobs for the round."""
        from azure.core.exceptions import AzureError
        from azure.storage.blob import ContainerClient

        with ContainerClient.from_connection_string(self._servers.storage, "cursors") as blobs:
            names = sorted(blobs.list_blob_names())
            lease = blobs.get_blob_client(self._chance.choice(names)).acquire_lease(60)
            self.outcome.counts["blobs leased"] += 1
            yield
            with contextlib.suppress(AzureError):  # the lease may be over
                lease.release()

    def _let_run(self, running: Sequence[tuple[harms.Process, Sequence[harms.Step]]]) -> None:
        """Harm the processes as planned, and wait until all of them end."""
        from local import apps

        self.outcome.counts.update(harms.inflict(running))
        for process, _ in running:
            ended = apps.finish(process)
            if wrong := endings.wrong(ended):
                self.outcome.problems.append(f"{wrong}:\n{ended.log[-6000:]}")
            if ended.returncode >= 0:
                failed = ended.returncode == 1
                self.outcome.counts["failed as expected" if failed else "ended"] += 1

    def _start_poll(self, changes: Mapping[str, str], steps: str = "") -> harms.Process:
        from local import apps

        self.outcome.counts["polls"] += 1
        clock = {"CLOCK_SHIFT_SECONDS": str(self._shift.total_seconds()), "CLOCK_STEPS": steps}
        worker = apps.Worker(script="invoke_shifted.py", environment=lambda _: clock)
        return apps.start("salesforce_client", "TimerPoller", {**self._settings, **changes}, worker)

    def _start_sweep(self, changes: Mapping[str, str]) -> harms.Process:
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
        return random.choice((500, 503, 503, 403)), b""

    def _lose_answer(self, _: Any) -> None:
        """Let a share of the answers of Blob Storage be lost, after the request had its effect."""
        if random.random() < self._trouble / 4:
            self.outcome.counts["storage answers lost"] += 1
            raise ConnectionAbortedError

    def _run_in_order(self, changes: Mapping[str, str], times: int = 1) -> None:
        """Run polls and sweeps without faults. The last ones must succeed."""
        from local import apps, marathon_faults

        with self._salesforce(marathon_faults.KEEPALIVES[0]) as salesforce:
            settings = {
                "MAX_RUN_SECONDS": "480",
                "MAX_CHECK_CALLS": "100000",
                **salesforce,
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

        with (
            tempfile.TemporaryDirectory() as folder,
            ContainerClient.from_connection_string(self._servers.storage, "events") as events,
        ):
            return truth.wrong_records(connection, events, Path(folder))

    def _forget_what_was_listed(self) -> None:
        """Let the next checks list everything that Salesforce still lists."""
        from azure.storage.blob import ContainerClient

        with ContainerClient.from_connection_string(self._servers.storage, "cursors") as blobs:
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
        expired = truth.expired(org, TOPICS, since, until, gaps, MOST_WRONG)
        excused = {event_id for _, event_id in rejects}
        excused |= truth.nowhere_left(org, TOPICS, since, until, expired)

        def unexcused(keys: Iterable[Any]) -> list[Any]:
            return [key for key in keys if key[0].partition(":")[0] not in excused]

        lost, lost_restores = unexcused(difference.missing), unexcused(restores.missing)
        unrecorded, unknown = truth.wrong_gaps(org, TOPICS, since, until, gaps, expired | rejects)
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
        # A window ends 30 minutes before what Salesforce covers.
        ends = org.listing.covered(self._last) - timedelta(minutes=35)
        reach = (self._last - 15 * DAY + timedelta(hours=2), ends)
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
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="marathon-"))
        settings = {**snowflake.settings, "EVENTS_STORAGE": emulators.connection_string(blob.port)}
        account = Account(snowflake, settings["SNOWFLAKE_SCHEMA"])
        storage = emulators.connection_string(azurite.port)
        servers = Servers(settings, blob, storage, account, Path(folder))
        return Marathon(seed, servers, minutes).run(minutes * 60)


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
