"""A marathon of one minute. ``python3 tests/marathon.py`` runs longer ones."""

from __future__ import annotations

import random

import marathon


def test_random_faults_and_kills_lose_nothing_and_duplicate_nothing() -> None:
    """``delete_tracker`` holds what the org published. The test prints the seed and the result."""
    outcome = marathon.run(minutes=1, seed=random.randrange(1_000_000))
    print(outcome)
    assert not outcome.problems, str(outcome)
    assert outcome.counts["killed"] > 3, str(outcome)
