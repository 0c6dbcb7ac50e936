"""The event files of the container, and what the load records say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from ..adapters import App
from ..console import USAGE, StoppedError
from ..freshness import begun_at
from ..model import EventBlob, LoadRecord, LocalFile, by_file
from ..pending import state_of
from ..warehouse.overview import Overview

NAME = re.compile(r"events_\d{8}T\d{6}Z\.db")


class Listed(NamedTuple):
    """An event file, and whether it is ``pending``, ``loaded`` or ``refused``."""

    blob: EventBlob
    state: str
    records: Sequence[LoadRecord]

    @property
    def age_seconds(self) -> float:
        """How long ago the file was begun, by the time in its name."""
        return (datetime.now(timezone.utc) - begun_at(self.blob.name)).total_seconds()


def listed(app: App, overview: Overview | None) -> Iterator[Listed]:
    """All event files of the container, in the order of their names.

    Args:
        app: the app.
        overview: the load records. None if there is no table for them yet.
    """
    for page in app.events().pages():
        records = overview.records(page[0].name, page[-1].name) if overview else []
        named = by_file(records)
        for blob in page:
            own = named.get(blob.name, [])
            yield Listed(blob, state_of(blob, own, app.reads), own)


def named(app: App, names: Sequence[str]) -> list[EventBlob]:
    """The event files with these names.

    Raises:
        StoppedError: the container does not have one of them.
    """
    events, found = app.events(), []
    for name in dict.fromkeys(names):
        blob = events.find(name) if NAME.fullmatch(name) else None
        if blob is None:
            raise StoppedError(
                f"{name} is no event file in container {app.settings.events_container}: name one"
                " such as events_20260201T000000Z.db. Nothing was done",
                USAGE,
            )
        found.append(blob)
    return found


def remove(file: LocalFile) -> None:
    """Remove a downloaded file, so that the next ones have room."""
    Path(file.path).unlink(missing_ok=True)


def shown(value: object) -> object:
    """A value for a table: what a terminal would obey, or break a line at, is replaced."""
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(value.split()))


def moment(value: object) -> str | None:
    """A time of the tables, which is UTC, as text."""
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    return None if value is None else str(value)
