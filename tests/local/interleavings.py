"""Two sweeps at once, one statement at a time, in an order that a seed decides.

The loaders are the sync's own, with its own statements, over the stand-in. Between any two
statements, the schedule may let the other sweep go on, end a transaction from outside, lose the
answer to COMMIT or ROLLBACK, or let ROLLBACK fail.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delete_sync.src.budget import Budget
from delete_sync.src.errors import SyncError, WarehouseUnavailableError
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.model import Batch, EventBlob, Figures
from delete_sync.src.warehouse.load import Loader
from delete_sync.src.warehouse.names import Identifier, names_of
from delete_sync.src.warehouse.session import Session
from delete_sync.src.warehouse.staging import BatchWriter
from local import warehouse
from local.account import Account

# The statements that lock a table until the end of their transaction.
LOCKED = {"take_lock": "lock", "merge": "table", "replace_loads": "loads"}
KEYS = [f"k{number}" for number in range(8)]
Names = Mapping[str, Identifier]


@dataclass(frozen=True)
class Faults:
    """How often something goes wrong, as a share of the statements."""

    aborts: float
    lost_commits: float
    failed_rollbacks: float


@dataclass
class Result:
    """What a run did wrong. All numbers are 0 if the rules hold."""

    doubled: int = 0
    false_claims: int = 0
    green_but_not_loaded: int = 0
    records_twice: int = 0
    wrong_counts: int = 0
    outcomes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether a promise was broken."""
        return bool(
            self.doubled
            or self.false_claims
            or self.green_but_not_loaded
            or self.records_twice
            or self.wrong_counts
        )


class Rows:
    """An event file with a delete for each of these keys."""

    def __init__(self, name: str, keys: Sequence[str]) -> None:
        self._name, self._keys = name, keys

    def figures(self) -> Figures:
        """Only deletes."""
        moment = "2026-02-01T00:00:00.000"
        return Figures(len(self._keys), 0, 0, moment, moment)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """All at once."""
        line = (
            '{{"kind": "delete", "event_file": "{}", "event_id": "{}", "topic": "t", '
            '"deleted_date": "2026-02-01T00:00:00.000", "payload": {{}}, '
            '"ingested_at": "2026-02-01T00:00:00.000"}}\n'
        )
        text = "".join(line.format(self._name, key) for key in self._keys)
        yield len(self._keys), text.encode()


class Turns:
    """Lets one thread run at a time, and chooses the next one among those that can go on."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.holders: dict[str, object] = {}  # the session that has the lock of a table
        self._condition = threading.Condition()
        # The lock that a thread wants, and for whom. Threads count from 0: what the system calls
        # them differs by run, and the same seed must choose the same one.
        self._waiting: dict[int, tuple[str, object]] = {}
        self._me = threading.local()
        self._turn: int | None = None
        self._alive = 0
        self._failures: list[BaseException] = []

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs until all of them end."""
        threads = [
            threading.Thread(target=self._job, args=numbered, daemon=True)
            for numbered in enumerate(jobs)
        ]
        self._alive = len(threads)
        for thread in threads:
            thread.start()
        while True:
            with self._condition:
                assert self._condition.wait_for(
                    lambda: self._turn is None and len(self._waiting) == self._alive, timeout=60
                ), "a sweep is stuck"
                if not self._alive:
                    break
                ready = sorted(
                    thread
                    for thread, (lock, session) in self._waiting.items()
                    if self.holders.get(lock) in (None, session)
                )
                assert ready, "both sweeps wait for each other"
                self._turn = self.chance.choice(ready)
                del self._waiting[self._turn]
                self._condition.notify_all()
        if self._failures:
            raise self._failures[0]

    def wait(self, lock: str = "", session: object = None) -> None:
        """Wait for this thread's turn, and until no other session has the lock."""
        me = self._me.number
        with self._condition:
            self._waiting[me] = (lock, session)
            if self._turn == me:
                self._turn = None
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._turn == me)

    def free(self, session: object) -> None:
        """The session's transaction has ended."""
        self.holders = {name: one for name, one in self.holders.items() if one is not session}

    def _job(self, number: int, job: Callable[[], None]) -> None:
        self._me.number = number
        self.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001  (``run`` raises it)
            self._failures.append(error)
        finally:
            with self._condition:
                self._alive -= 1
                self._turn = None
                self._condition.notify_all()


class Troubled(Session):
    """A session that waits for its turn before each statement, and to which things happen."""

    turns: Turns
    faults: Faults
    account: Account

    def __init__(self, *args: Any, turns: Turns, faults: Faults, account: Account, **more: Any):
        self.turns, self.faults, self.account = turns, faults, account
        turns.wait()
        super().__init__(*args, **more)

    def rows(
        self, statement: str, values: Sequence[Any] | None = None, **parts: Any
    ) -> list[tuple[Any, ...]]:
        """Run a statement when it is this thread's turn."""
        lock = LOCKED.get(statement, "")
        self.turns.wait(lock, self)
        self._perhaps_abort()
        found = super().rows(statement, values, **parts)
        if lock:
            self.turns.holders[lock] = self
        return found

    def commit(self) -> None:
        """Commit. The answer may be lost."""
        self.turns.wait()
        self._perhaps_abort()
        super().commit()
        self.turns.free(self)
        if self.turns.chance.random() < self.faults.lost_commits:
            raise WarehouseUnavailableError("the answer to COMMIT was lost")

    def rollback(self) -> None:
        """Roll back, or fail and leave the transaction open."""
        self.turns.wait()
        if self.turns.chance.random() < self.faults.failed_rollbacks:
            raise WarehouseUnavailableError("ROLLBACK failed")
        super().rollback()
        self.turns.free(self)

    def close(self) -> None:
        """End the session."""
        super().close()
        self.turns.free(self)

    def _perhaps_abort(self) -> None:
        if self.turns.chance.random() < self.faults.aborts:
            self.account.abort(self.number)
            self.turns.free(self)

    @property
    def number(self) -> int:
        """The number of this session on the stand-in."""
        return int(self._connection.session_id)


def run(
    seed: int,
    settings: Mapping[str, str],
    account: Account,
    folder: Path,
    faults: Faults | None = None,
) -> Result:
    """Let two loaders load the same five files, in random batches, and look at the tables."""
    chance = random.Random(seed)
    faults = faults or Faults(
        chance.choice((0, 0.05, 0.2)), chance.choice((0, 0.1)), chance.choice((0, 0.5))
    )
    names = names_of(
        Identifier("DELETE_TRACKER"),
        Identifier(settings["SNOWFLAKE_DATABASE"].upper()),
        Identifier(settings["SNOWFLAKE_SCHEMA"].upper()),
    )
    files = {
        f"events_20260201T00000{number}Z.db": [
            chance.choice(KEYS) for _ in range(chance.randrange(1, 4))
        ]
        for number in range(5)
    }
    turns = Turns(chance)
    result = Result()

    def connect() -> Session:
        return Troubled(
            parameters(settings),
            names,
            sweep_id="s",
            budget=Budget.of(600, 600),
            turns=turns,
            faults=faults,
            account=account,
        )

    def sweeper(which: str, batches: Sequence[Batch]) -> None:
        loader = Loader(
            connect, names, sweep_id="s", reader_version=FORMAT_VERSION, pause=lambda _: None
        )
        try:
            loader.prepare()
            for batch in batches:
                loader.load(batch, again=False)
            result.outcomes.append("ok")
        except SyncError as error:
            result.outcomes.append(f"{type(error).__name__}: {error}")
        finally:
            loader.close()

    jobs = []
    for which in "AB":
        place = Path(tempfile.mkdtemp(prefix=f"{seed}{which}-", dir=folder))
        batches = list(batches_of(files, chance, place))
        jobs.append(lambda which=which, batches=batches: sweeper(which, batches))
    turns.run(jobs)
    look(settings, files, result)
    return result


def parameters(settings: Mapping[str, str]) -> dict[str, Any]:
    """The connector's parameters for the stand-in."""
    return {
        "account": settings["SNOWFLAKE_ACCOUNT"],
        "user": settings["SNOWFLAKE_USER"],
        "password": settings["SNOWFLAKE_PASSWORD"],
        "host": settings["SNOWFLAKE_HOST"],
        "port": int(settings["SNOWFLAKE_PORT"]),
        "protocol": settings["SNOWFLAKE_PROTOCOL"],
        "warehouse": settings["SNOWFLAKE_WAREHOUSE"],
        "database": settings["SNOWFLAKE_DATABASE"].upper(),
        "schema": settings["SNOWFLAKE_SCHEMA"].upper(),
    }


def batches_of(
    files: Mapping[str, Sequence[str]], chance: random.Random, folder: Path
) -> Iterator[Batch]:
    """The files in their order, cut into batches of one to three."""
    left = list(files)
    while left:
        count = chance.randrange(1, 4)
        some, left = left[:count], left[count:]
        place = folder / str(len(left))
        place.mkdir(parents=True)
        writer = BatchWriter(place, "s", FORMAT_VERSION)
        for name in some:
            digest = hashlib.sha256(name.encode()).hexdigest()
            writer.add(Rows(name, files[name]), EventBlob(name, 1, "etag", digest), digest)
        yield writer.finish()


def look(settings: Mapping[str, str], files: Mapping[str, Sequence[str]], result: Result) -> None:
    """Compare the tables with the files."""
    with warehouse.connect(settings) as connection:
        keys = [
            key for (key,) in warehouse.query(connection, "SELECT event_id FROM delete_tracker")[1]
        ]
        counts = "SELECT event_file, rows_inserted FROM delete_tracker_loads"
        records: list[Any] = warehouse.query(connection, counts)[1]
    recorded = [name for name, _ in records]
    result.doubled = len(keys) - len(set(keys))
    result.records_twice = len(recorded) - len(set(recorded))
    result.false_claims = sum(not set(files[name]) <= set(keys) for name in recorded)
    result.green_but_not_loaded = "ok" in result.outcomes and len(set(files) - set(recorded))
    result.wrong_counts = set(recorded) == set(files) and sum(
        int(rows) for _, rows in records
    ) != len(keys)
