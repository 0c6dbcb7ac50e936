"""What a test sets for the sessions of its own schema, as all tests share one server."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from .faults import Faults

IDLE_SECONDS = 300.0


@dataclass
class Scope:
    """Settings, faults and the record of one schema's sessions.

    Attributes:
        reading: what a session answers after its transaction was ended from outside. ``silent``: a
            new transaction begins at the next DML. ``error``: 000615 until ROLLBACK.
        idle_seconds: a transaction that is idle for so long and blocks another is aborted.
        blind: ``off``, ``always`` or ``random``: whether a session does not see what others
            committed after its login.
        parameters: set for the account.
        chance: decides if ``blind`` is ``random``.
        faults: what a test lets go wrong.
        sent: every statement so far.
    """

    reading: str = "silent"
    idle_seconds: float = IDLE_SECONDS
    blind: str = "off"
    parameters: dict[str, str] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    faults: Faults = field(default_factory=Faults)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def log(self, session: int, role: str, sql: str) -> dict[str, Any]:
        """Record a statement that begins. Its outcome follows."""
        entry = {"session": session, "role": role, "sql": sql, "outcome": "running"}
        self.sent.append(entry)
        return entry
