"""The plan of the mock's history: which change happens in which event, and what the faults add.

The history repeats a rhythm of steps. Each fault that changes the history appends steps to it, or
changes what becomes of the deleted records. So a history follows from its plan and from n alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from .faults import Faults

BIN_DAYS = 15
READABLE_HOURS = 24.0  # how long queryAll still returns a purged record


class Step(NamedTuple):
    """One step of the rhythm.

    Attributes:
        entity: the object.
        change: the change type of the event. ``EVENT`` is a delete that a platform event reports.
            ``MERGE`` is a delete of the losers. ``DELETE_UNDELETE`` deletes and restores in one
            transaction. ``WILDCARD`` and ``GAP_OVERFLOW`` delete records that the event does not
            name.
        most: maximum of records.
        of: the step changes records of the step so many steps before it. 0: records of its own.
        into: the winner of a merge is the record of the step so many steps before this one.
    """

    entity: str
    change: str
    most: int = 1
    of: int = 0
    into: int = 0


Rhythm = tuple[Step, ...]
BIG_DELETE = Step("Account", "DELETE", 20)
RHYTHM: Rhythm = (
    Step("Opportunity", "EVENT"),
    Step("Account", "CREATE"),
    Step("Account", "DELETE"),
    Step("Contact", "DELETE"),
    Step("Case", "EVENT"),
    Step("Account", "UPDATE"),
    BIG_DELETE,
    Step("Contact", "UPDATE"),
    Step("Opportunity", "EVENT"),
    Step("Account", "DELETE"),
    Step("Account", "UNDELETE", of=8),
    Step("Contact", "DELETE", 3),
)
BLOCKS: dict[str, Rhythm] = {  # the steps that a fault appends
    "rare_changes": (
        Step("Account", "GAP_DELETE", 3),
        Step("Contact", "GAP_OVERFLOW"),
        Step("Account", "SNAPSHOT"),
        Step("Account", "WILDCARD"),
        Step("Contact", "GAP_UPDATE"),
    ),
    "redelete": (
        Step("Account", "DELETE", 3),
        Step("Contact", "DELETE"),
        Step("Account", "UNDELETE", 2, of=2),
        Step("Account", "DELETE", of=3),
        Step("Contact", "GAP_UNDELETE", of=3),
        Step("Contact", "DELETE", of=4),
        Step("Account", "UNDELETE", of=6),
        Step("Account", "DELETE", of=7),
    ),
    "merge": (
        Step("Account", "CREATE"),
        Step("Account", "CREATE"),
        Step("Account", "MERGE", 2, into=1),
        Step("Account", "UPDATE", of=2),
        Step("Account", "MERGE", of=3, into=4),  # the winner becomes a loser: a chain
        Step("Account", "UPDATE", of=5),
        Step("Contact", "CREATE"),
        Step("Contact", "MERGE", into=1),
        Step("Contact", "UPDATE", of=2),
    ),
    "one_transaction": (
        Step("Account", "DELETE_UNDELETE"),
        Step("Contact", "DELETE_UNDELETE"),
    ),
    "hard_delete": (
        Step("CampaignMember", "EVENT"),
        Step("CampaignMember", "EVENT"),
    ),
}
RESTORES = ("UNDELETE", "GAP_UNDELETE")
HIDEABLE = {  # kinds of the fault ``hide``, each with the changes of which it hides some
    "update_delete": ("DELETE",),
    "no_right": ("DELETE", "GAP_DELETE"),
    "cascade": ("EVENT",),
    "lost": ("DELETE", "GAP_DELETE", "EVENT"),
    "restore": RESTORES,
}


@dataclass(frozen=True)
class Plan:
    """What a history is computed from.

    Attributes:
        interval: the time between two events.
        rhythm: the steps that the history repeats.
        hide: kinds of ``HIDEABLE``, each with n: one in n of its changes is hidden.
        filtered: the object of which the channel of all changes lacks one in two deletes.
        drift: the SystemModstamp of one in so many deleted records moves. 0: of none.
        long: one in so many transactions is long. 0: none.
        long_minutes: how long before its end such a transaction dates its deletes.
        empty_hours: all recycle bins are emptied every so many hours. 0: never.
        readable_hours: how long queryAll returns a purged record.
        mass_delete: one in so many big deletes is a mass delete. 0: none.
    """

    interval: timedelta
    rhythm: Rhythm = RHYTHM
    hide: tuple[tuple[str, int], ...] = ()
    filtered: str = ""
    drift: int = 0
    long: int = 0
    long_minutes: float = 0
    empty_hours: float = 0
    readable_hours: float = READABLE_HOURS
    mass_delete: int = 0


def plan_of(interval_seconds: float, faults: Faults) -> Plan:
    """Return the plan of a history with these faults."""
    blocks = [steps for name, steps in BLOCKS.items() if faults.on(name)]
    long, _, minutes = (faults.value("long_transaction") or "").partition(":")
    empty, _, readable = (faults.value("empty_bin") or "").partition(":")
    hidden = [part.partition(":") for part in (faults.value("hide") or "").split("+") if part]
    return Plan(
        timedelta(seconds=interval_seconds),
        sum(blocks, RHYTHM),
        tuple((kind.strip(), int(share or 3)) for kind, _, share in hidden),
        faults.value("filtered_channel") or "",
        int(faults.number("modstamp_drift") or 0),
        int(long or 0),
        float(minutes or 8),
        float(empty or 0),
        float(readable or READABLE_HOURS),
        int(faults.number("mass_delete") or 0),
    )
