"""Why a check proves nothing, and what a person must do. Texts for the log and for ``checks``."""

from __future__ import annotations

from datetime import timedelta
from typing import Optional

from .. import completeness
from ..model.checks import DeletedAnswer

FILTERED = (
    "its channel has a filter expression; if all its deletes are wanted, name the object in"
    " CHECK_OBJECTS"
)
NOT_REPLICATEABLE = "Salesforce keeps no list of its deletes (describe: replicateable)"
NO_SIGHT = (
    "no permission set of SALESFORCE_USERNAME shows View All on the object or View All Data; grant"
    " it, and View Setup and Configuration"
)


def clock_problem(skew: Optional[timedelta]) -> str:
    """Why nothing can be proven. Empty if the clocks agree."""
    if skew is None:
        return (
            "Salesforce's answer does not tell its time, so the clocks cannot be compared; check"
            " whether a proxy removes the header Date"
        )
    if not completeness.is_wrong(skew):
        return ""
    seconds = round(skew.total_seconds())
    return (
        f"this machine's clock and Salesforce's differ by {seconds} seconds; set this machine's"
        " clock"
    )


def of_answer(outcome: str, answer: DeletedAnswer) -> str:
    """Why an answer of getDeleted has this outcome. Empty if it proves the window."""
    if outcome == completeness.NOT_COVERED:
        return f"Salesforce's list begins at {answer.earliest}"
    return NO_SIGHT if outcome == completeness.SIGHT_UNKNOWN else ""
