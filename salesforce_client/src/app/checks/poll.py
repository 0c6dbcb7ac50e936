"""What the checks of all objects of a poll have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ..model.times import timestamp


class Poll(NamedTuple):
    """What the checks of all objects have in common.

    Attributes:
        org_id: 18 characters.
        api_version: of the REST API.
        began: when the poll began.
        hours: the setting CHECK_HOURS.
        clock: returns this machine's time.
    """

    org_id: str
    api_version: str
    began: datetime
    hours: float
    clock: Callable[[], datetime]

    @property
    def began_at(self) -> str:
        """When the poll began, as text."""
        return timestamp(self.began)
