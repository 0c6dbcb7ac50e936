"""A minute of the marathon; ``python3 tests/marathon.py`` runs long ones."""

from __future__ import annotations

import random

import marathon


def test_under_random_faults_and_kills_nothing_is_lost_and_nothing_doubled() -> None:
    """The seed is printed with the outcome."""
    outcome = marathon.run(minutes=1, seed=random.randrange(1_000_000))
    print(outcome)
    assert not outcome.problems, str(outcome)
    assert outcome.counts["killed"] > 3, str(outcome)
