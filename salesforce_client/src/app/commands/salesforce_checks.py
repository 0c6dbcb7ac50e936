"""The doctor's checks of Salesforce: each topic, as a poll uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Optional, Union

from ..adapters import App
from ..console import duration
from ..errors import ReplayIdRejectedError
from ..model.positions import Position, Preset, StoredCursor
from ..model.times import is_ahead
from ..salesforce.pubsub import PubSub
from .findings import Finding, failure, looked, ok, warning

# Salesforce refuses a stream within a second or two. Then it may be silent for minutes.
LISTEN_SECONDS = 3.0


def topic(
    app: App, source: PubSub, name: str, stored: Optional[StoredCursor], seconds: float
) -> Iterator[Finding]:
    """A topic exists, its schema can be read, and a stream from its cursor is not refused.

    The stream may deliver up to 100 events, which count against the org's allocation.
    """
    about = f"topic {name}"
    schema_id = ""

    def look() -> Optional[Finding]:
        nonlocal schema_id
        schema_id = source.schema_id(name)
        return None

    found = looked(about, look, "exists, and the user may subscribe")
    yield found
    if found.status != "ok":
        return
    if schema_id:
        yield looked(f"schema of {name}", _schema(app, source, name, schema_id), "can be read")
    yield looked(f"stream of {name}", _stream(source, name, stored, seconds), "is accepted")


def _schema(app: App, source: PubSub, name: str, schema_id: str) -> Callable[[], Optional[Finding]]:
    def look() -> Optional[Finding]:
        schema_json = source.schema(schema_id)
        if name.startswith("/event/"):
            app.check_fields(name, schema_id, schema_json)
        return None

    return look


def _stream(
    source: PubSub, name: str, stored: Optional[StoredCursor], seconds: float
) -> Callable[[], Optional[Finding]]:
    position = stored.cursor.position if stored and stored.cursor else None
    start: Union[Position, Preset] = position or Preset.LATEST

    def look() -> Optional[Finding]:
        try:
            with source.subscribe(name, start) as stream:
                stream.next(seconds)
        except ReplayIdRejectedError as error:
            return failure(
                f"stream of {name}",
                f"Salesforce does not accept the cursor: {error}",
                "the next poll records a gap: see GapError in docs/operations.md",
            )
        return None

    return look


def cursor(name: str, stored: StoredCursor, age_seconds: Optional[int], preset: str) -> Finding:
    """The cursor of a topic can be read, is young enough, and is not of the future.

    Args:
        name: the topic.
        stored: what is stored for it.
        age_seconds: the age of its position. None if that is not known.
        preset: the setting SALESFORCE_REPLAY_PRESET.
    """
    about = f"cursor of {name}"
    if stored.unreadable is not None:
        return failure(
            about,
            "the blob is not a cursor",
            "the next poll records a gap: see GapError in docs/operations.md",
        )
    if stored.cursor is None:
        if preset == Preset.LATEST.value:
            return warning(
                about,
                "there is none, and SALESFORCE_REPLAY_PRESET is LATEST: events before the first"
                " poll are not read",
                "set it to EARLIEST, unless that is meant",
            )
        return ok(about, "there is none: the first poll begins at the oldest event")
    return ok(about, "can be read") if age_seconds is None else _by_age(about, age_seconds)


def _by_age(about: str, age_seconds: int) -> Finding:
    if is_ahead(age_seconds):
        return failure(
            about,
            f"its time is {duration(-age_seconds)} in the future: this machine's clock is wrong, or"
            " the cursor is damaged",
            "set this machine's clock; if it is right, run the command poll, which stores a new"
            " position",
        )
    hours = max(age_seconds, 0) / 3600
    told = f"{hours:.0f} hours old"
    if hours > 72:
        return failure(
            about,
            f"{told}: Salesforce accepts it for 72 hours",
            "the next poll records a gap: see GapError in docs/operations.md",
        )
    if hours > 48:
        return warning(about, f"{told}: Salesforce accepts it for 72 hours", "run the command poll")
    return ok(about, told)
