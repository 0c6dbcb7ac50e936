"""What is left of the org's limits."""

from __future__ import annotations

from typing import NamedTuple

# Salesforce's name of the org's allocation ("REST API Developer Guide", "Limits").
DELIVERIES = "DailyDeliveredPlatformEvents"


class OrgLimit(NamedTuple):
    """A limit of the last 24 hours: what the org may use, and what is left of it."""

    most: int
    left: int

    @property
    def is_scarce(self) -> bool:
        """Whether less than a tenth is left."""
        return self.left * 10 < self.most
