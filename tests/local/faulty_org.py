"""A mock Salesforce with faults, as the tests of the collector's behaviours poll it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
HOURLY = 3600.0
EVENT, ACCOUNT, CHANGES = DEFAULT_TOPICS
Rows = Callable[..., list[dict[str, Any]]]


class Org:
    """A mock Salesforce and the settings of a collector that polls it."""

    def __init__(self, mock: MockSalesforce, settings: Mapping[str, str]) -> None:
        self.mock = mock
        self._settings = {**settings, **mock.settings, "IDLE_SECONDS": "1", "MAX_RUN_SECONDS": "20"}

    def poll(self, **changes: str) -> Report:
        """Run one poll. ``changes`` are settings that differ for it."""
        return run({**self._settings, **changes})

    def published(
        self, since: datetime = NOW - RETENTION, topics: tuple[str, ...] = DEFAULT_TOPICS
    ) -> list[str]:
        """The keys of all deletes that were published after ``since``."""
        return sorted(it.key for it in self.mock.org.deletes(topics, since, self.mock.org.now()))

    def published_events(self) -> list[str]:
        """The ids of all platform events."""
        return sorted(key.partition(":")[0] for key in self.published(topics=(EVENT,)))

    def set_clock(self, moment: datetime) -> None:
        """Set the org's clock to a fixed time."""
        self.mock.org.now = lambda: moment


def keys(deletes: list[dict[str, Any]]) -> list[str]:
    """The keys of rows of deletes."""
    return sorted(row["event_id"] for row in deletes)


def event_ids(some: list[dict[str, Any]]) -> list[str]:
    """The event ids of rows of deletes or of rejected events."""
    return sorted(row["event_id"].partition(":")[0] for row in some)
