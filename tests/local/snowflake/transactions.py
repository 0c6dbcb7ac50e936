"""An open transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .versions import Change

if TYPE_CHECKING:
    from .sessions import Session


@dataclass(eq=False)
class Transaction:
    """An open transaction.

    Attributes:
        session: whose it is.
        changes: what its statements wrote.
        running: whether one of its statements is running.
        aborted: whether it was ended from outside while a statement was running.
        last_active: when its last statement ended.
    """

    session: Session
    number: int
    changes: list[Change] = field(default_factory=list)
    running: bool = False
    aborted: bool = False
    last_active: float = field(default_factory=time.monotonic)
