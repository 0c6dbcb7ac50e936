"""A short marathon. ``python3 tests/marathon.py`` runs longer ones."""

from __future__ import annotations

import random

import marathon


def test_random_faults_and_kills_lose_nothing_and_prove_nothing_false() -> None:
    """``delete_tracker`` holds what the org published, and the views claim what happened in it. The
    test prints the seed and the result.
    """
    outcome = marathon.run(minutes=0.25, seed=random.randrange(1_000_000))
    print(outcome)
    assert not outcome.problems, str(outcome)
    assert outcome.counts["killed"] > 0, str(outcome)
    assert outcome.counts["recovered"] > 10, str(outcome)
    assert outcome.counts["days proven"] + outcome.counts["days repaired"] > 10, str(outcome)
