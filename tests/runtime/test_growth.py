"""Many runs of an app in one process. ``tests/benchmarks/growth.py`` has more of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from local import apps
from local.account import Account
from local.growth import grown

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path[:0] = [str(BENCHMARKS)]
import growth  # noqa: E402  (found through the line above)

POLLS, WARM_UP = 30, {"polls": 10, "sweeps": 2}
# By all runs after those. The memory of a process, which includes what was freed, grows in steps
# of 8 MB at first, so only the benchmark judges it. Snowflake's connector keeps nine objects for
# each login.
BOUNDS = {"heap": 0.1, "blocks": 1_000, "objects": 10, "threads": 0, "descriptors": 0, "files": 0}
OF_LOGINS = {"blocks": 500, "objects": 300}


def test_a_process_keeps_nothing_of_its_runs(
    settings: Mapping[str, str], account: Account, microsoft: apps.Worker
) -> None:
    """A poll in five reads everything again and meets faults. Most of these polls fail."""
    runs = growth.measure(microsoft, POLLS, settings, account, interval_seconds=600)
    for name, told in runs.items():
        print("\n".join(growth.table({name: told}, every=17)))
        assert told[-1].succeeded, told[-1].message
        more = growth.growth_of(told, WARM_UP[name])
        for kind, most in OF_LOGINS.items() if name == "sweeps" else ():
            more[kind] -= most
        assert [kind for kind, bound in BOUNDS.items() if more[kind] > bound] == [], name
    assert [one.succeeded for one in runs["polls"]].count(False) > 2
    assert all(one.succeeded for one in runs["sweeps"])  # a refused statement is tried again


@pytest.mark.parametrize(
    ("values", "least", "most"),
    [
        ([5.0] * 100, 0, 0),
        ([5.0, 50.0] * 50, -1, 1),
        ([5.0] * 20 + [9.0] * 80, 0, 0),
        ([0.02 * number for number in range(200)], 3.9, 4.1),
        ([number // 50 for number in range(400)], 7, 9),
    ],
    ids=["none", "up and down", "one step", "a leak", "a leak in steps"],
)
def test_growth_is_what_goes_on(values: list[float], least: float, most: float) -> None:
    """Noise does not hide it."""
    chance = random.Random(1)
    noisy = [value + chance.gauss(0, 0.0001) for value in values]
    assert least - 0.01 <= grown(noisy) <= most + 0.01
