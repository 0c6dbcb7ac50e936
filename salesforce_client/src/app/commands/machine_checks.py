"""The doctor's checks of the settings and of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..adapters import App
from ..settings_sources import Gathered
from .findings import Finding, failure, ok, warning

# A poll needs this time to be sure that a topic has no more events: Salesforce sends an empty
# response after up to 270 seconds of silence.
ENOUGH_SECONDS = 400
CLOCK_FAILS, CLOCK_WARNS = 120, 30
WHOLE = "/data/ChangeEvents"


def settings(app: App, gathered: Gathered) -> Iterator[Finding]:
    """Where the settings come from, and those that are allowed and probably not meant."""
    yield ok("settings", f"read from {gathered.told}")
    if app.mocked:
        yield warning(
            "MOCK_MODE", "the org is invented: no real delete is read", "set MOCK_MODE=false"
        )
    elif app.settings.max_run_seconds < ENOUGH_SECONDS:
        yield warning(
            "MAX_RUN_SECONDS",
            f"{app.settings.max_run_seconds:g} s may not be enough to reach the end of a quiet"
            " topic",
            f"set it to at least {ENOUGH_SECONDS}",
        )
    yield from overlaps(app.settings.topics)


def overlaps(topics: Sequence[str]) -> Iterator[Finding]:
    """Topics that deliver the same events. The rows are the same, but each delivery counts."""
    single = [it for it in topics if re.fullmatch(r"/data/\w+ChangeEvent", it)]
    if WHOLE in topics and single:
        yield warning(
            "topics",
            f"{WHOLE} also delivers what {', '.join(single)} delivers if the object is selected for"
            " Change Data Capture, and both count against the org's allocation",
            "remove one of them from SALESFORCE_TOPICS",
        )


def clock(ahead_seconds: float) -> Finding:
    """Whether this machine's clock is right. A JWT is valid for minutes only."""
    told = (
        f"{abs(ahead_seconds):.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} Salesforce's"
    )
    cure = "set this machine's clock, for example with NTP"
    if abs(ahead_seconds) > CLOCK_FAILS:
        return failure("clock", told, cure)
    return warning("clock", told, cure) if abs(ahead_seconds) > CLOCK_WARNS else ok("clock", told)
