"""A short marathon, and what it is made of. ``python3 tests/marathon.py`` runs longer ones."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import marathon
import pytest
from local import disk, endings, harms, marathon_faults, warehouse
from local.account import Account
from local.apps import Invocation

from salesforce_client.src.app.mock_salesforce.faults import FAULTS, Faults

COLLECTOR = "__app__.src.app.errors"
TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in main\n    raise_it()\n'


def test_random_faults_and_kills_lose_nothing_and_prove_nothing_false() -> None:
    """``delete_tracker`` holds what the org published, and the views claim what happened in it. The
    test prints the seed and the result.
    """
    outcome = marathon.run(minutes=0.25, seed=random.randrange(1_000_000))
    print(outcome)
    assert not outcome.problems, str(outcome)
    assert outcome.counts["polls"] > 2, str(outcome)
    assert outcome.counts["recovered"] > 10, str(outcome)
    assert outcome.counts["days proven"] + outcome.counts["days repaired"] > 10, str(outcome)


def test_a_marathon_draws_every_fault_of_the_mock() -> None:
    """A fault that it leaves out has a reason. Every drawn fault is one that the mock knows."""
    drawn: set[str] = set()
    for seed in range(400):
        chance = random.Random(seed)
        faults = f"{marathon_faults.of_a_round(chance)},{marathon_faults.histories(chance)}"
        Faults(faults)
        drawn.update(marathon_faults.names(faults))
    assert drawn | marathon_faults.LEFT_OUT.keys() == FAULTS.keys()
    assert not drawn & marathon_faults.LEFT_OUT.keys()


@pytest.mark.parametrize(
    ("returncode", "log", "wrong"),
    [
        (0, f"ERROR snowflake.connector failed\n{TRACE}OSError\nINFO root org=1\n", ""),
        (-signal.SIGKILL, TRACE, ""),
        (-signal.SIGTERM, "", ""),
        (1, f"{TRACE}{COLLECTOR}.GapError: lost.\n  - more\n", ""),
        (1, f"{TRACE}KeyError: 'x'\n\nDuring …:\n\n{TRACE}{COLLECTOR}.GapError: lost\n", ""),
        (1, f"{TRACE}{COLLECTOR}.RunFailedError: 1:\n  - /event/E: GapError: a gap\n", ""),
        (1, f"{TRACE}__app__.src.errors.TableError\n", ""),
        (1, "", "a run ended with the unknown error without a traceback"),
        (1, f"{TRACE}KeyError: 'x'\n", "a run ended with the unknown error KeyError"),
        (1, f"{TRACE}sqlite3.OperationalError: full\n", "the unknown error OperationalError"),
        (1, f"{TRACE}{COLLECTOR}.RunFailedError: 1:\n  - /event/E: KeyError: x\n", "['KeyError']"),
        (1, f"WARNING x polls=lost reason=OSError: x\n{TRACE}GapError\n", "['OSError']"),
        (1, "INFO x topic=/event/E state=failed error=OSError\n", "['OSError']"),
        (0, "ERROR topic=/event/E unexpected failure\n", "'unexpected failure' in its log"),
        (-signal.SIGKILL, "killed after 120 s", "'killed after' in its log"),
        (-signal.SIGSEGV, "", "exit code -11"),
    ],
)
def test_only_errors_that_an_app_knows_may_end_a_run(returncode: int, log: str, wrong: str) -> None:
    """A run may also be ended from outside. Every other end is a finding of the marathon."""
    found = endings.wrong(Invocation(returncode, log))
    assert (wrong in found) if wrong else (found == "")


@pytest.mark.parametrize(("do", "held"), [("refuse", False), ("lose", False), ("delay", True)])
@pytest.mark.parametrize("words", ["BEGIN", "UPDATE"])
def test_a_stranger_at_the_lock_row_meets_faults_too(
    snowflake_settings: Mapping[str, str], account: Account, words: str, do: str, held: bool
) -> None:
    """They do not end the marathon. It counts that the row was not held."""
    with warehouse.connect(snowflake_settings) as connection:
        warehouse.query(connection, "CREATE TABLE delete_tracker_lock (id INTEGER)")
    account.fault(do, words)
    with warehouse.lock_row(snowflake_settings) as allowed:
        assert allowed is held
    assert account.happened() == {do: 1}


def process(program: str) -> harms.Process:
    return subprocess.Popen(
        [sys.executable, "-c", program], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_a_suspended_process_goes_on_later_and_a_killed_one_does_not() -> None:
    """The harms that happened are counted. A step that comes too late for its process is not."""
    ticking = process("import time\nfor _ in range(60): print(time.monotonic()); time.sleep(.05)")
    brief, hanging = process("pass"), process("import time; time.sleep(60)")
    happened = harms.inflict(
        [
            (
                ticking,
                [
                    harms.Step(0.8, "suspended", lambda it: it.send_signal(signal.SIGSTOP)),
                    harms.Step(2.0, "", lambda it: it.send_signal(signal.SIGCONT)),
                ],
            ),
            (hanging, [harms.Step(0.5, "killed", lambda it: it.kill())]),
            (brief, [harms.Step(2.5, "killed", lambda it: it.kill())]),
        ]
    )
    assert happened == {"suspended": 1, "killed": 1}
    ticks = [float(line) for line in ticking.communicate()[0].split()]
    assert ticking.returncode == 0
    assert max(later - sooner for sooner, later in zip(ticks, ticks[1:])) > 0.9
    for ended, code in ((hanging, -signal.SIGKILL), (brief, 0)):
        ended.communicate()
        assert ended.returncode == code


def test_a_full_disk_refuses_what_a_process_writes_until_it_has_room_again(
    tmp_path: Path,
) -> None:
    """The error is an OSError, as that of a full disk."""
    file = tmp_path / "file"
    program = (
        "import pathlib\n"
        "for _ in range(3):\n"
        "    input()\n"
        f"    try: pathlib.Path(r'{file}').write_text('x' * 5000); print('ok', flush=True)\n"
        "    except OSError: print('full', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writing:
        assert writing.stdin
        assert writing.stdout
        told = []
        limits: list[Callable[[int], None] | None] = [None, partial(disk.fill, size=0), disk.empty]
        for limit in limits:
            if limit:
                limit(writing.pid)
            writing.stdin.write("\n")
            writing.stdin.flush()
            told.append(writing.stdout.readline().strip())
    assert told == ["ok", "full", "ok"]
