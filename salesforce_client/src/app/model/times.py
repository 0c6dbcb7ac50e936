"""Times as text, ``2026-01-31T23:59:59.123Z``."""

from __future__ import annotations

from datetime import datetime, timezone

# The clocks of two machines differ by less.
CLOCKS_DIFFER_BY_SECONDS = 5 * 60


def timestamp(moment: datetime) -> str:
    """The moment as text, in the form that this app uses. The moment must have a time zone."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present time as text, in the form that this app uses."""
    return timestamp(datetime.now(timezone.utc))


def is_ahead(age_seconds: float) -> bool:
    """Whether a time of this age is so far in the future that a clock or the time is wrong."""
    return age_seconds < -CLOCKS_DIFFER_BY_SECONDS


def moment_of(text: str) -> datetime:
    """Read a time that is written as text.

    Raises:
        ValueError: the text is not a time with a time zone.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
