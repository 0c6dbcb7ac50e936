"""Harms running processes: kills them, ends them, suspends them, or fills their disk.

The plan is drawn before anything happens, so a seed decides it.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import disk

# How often each harm comes. A process may meet several.
CHANCES = {"killed": 0.45, "terminated": 0.12, "suspended": 0.25, "disk full": 0.15}
SUSPENDED_SECONDS = (1.0, 7.0)
FULL_SECONDS = (0.5, 5.0)
ROOM = (0, 0, 3_000, 20_000, 60_000)  # bytes that a file may have on a full disk
Process = subprocess.Popen[str]


class Step(NamedTuple):
    """What happens to a process ``after`` so many seconds. It counts as ``name``, if not empty."""

    after: float
    name: str
    do: Callable[[Process], None]


def plan(chance: random.Random, within: float) -> list[Step]:
    """Draw what happens to one process within about so many seconds."""
    steps = []
    if chance.random() < CHANCES["suspended"]:
        begin, seconds = chance.uniform(0.2, within), chance.uniform(*SUSPENDED_SECONDS)
        steps.append(Step(begin, "suspended", lambda it: it.send_signal(signal.SIGSTOP)))
        steps.append(Step(begin + seconds, "", lambda it: it.send_signal(signal.SIGCONT)))
    if chance.random() < CHANCES["disk full"]:
        begin, seconds, room = (
            chance.uniform(0.2, within),
            chance.uniform(*FULL_SECONDS),
            chance.choice(ROOM),
        )
        steps.append(Step(begin, "disk full", lambda it: disk.fill(it.pid, room)))
        steps.append(Step(begin + seconds, "", lambda it: disk.empty(it.pid)))
    drawn = chance.random()
    if drawn < CHANCES["killed"]:
        steps.append(Step(chance.uniform(0.2, within), "killed", lambda it: it.kill()))
    elif drawn < CHANCES["killed"] + CHANCES["terminated"]:
        steps.append(Step(chance.uniform(0.2, within), "terminated", lambda it: it.terminate()))
    return steps


def inflict(plans: Sequence[tuple[Process, Sequence[Step]]]) -> Counter[str]:
    """Follow the plans of some running processes. Return how often each harm happened."""
    happened: Counter[str] = Counter()
    began = time.monotonic()
    steps = [(process, step) for process, steps in plans for step in steps]
    for process, step in sorted(steps, key=lambda it: it[1].after):
        left = began + step.after - time.monotonic()
        if left > 0 and process.poll() is None:
            time.sleep(left)
        if process.poll() is None:
            step.do(process)
            happened[step.name] += bool(step.name)
    return +happened
