"""A target in the stand-in that a test fills with rows, compares, and reads through the views.

A test inserts the rows of many records, objects and days at once, so that one comparison judges all
of them. The comparison is the sync's own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from delete_sync.src.budget import Budget
from delete_sync.src.model import Compared
from delete_sync.src.warehouse.load import Loader
from delete_sync.src.warehouse.names import Identifier, names_of
from delete_sync.src.warehouse.session import Session

from . import warehouse
from .interleavings import parameters

VIEWS = Path(__file__).resolve().parent.parent.parent / "docs/setup/snowflake/3_views.sql"
FILE = "events_20260201T000000Z.db"
ALL = "events_99999999T999999Z.db"  # newer than the name of every event file
Row = Mapping[str, Any]


class Target:
    """The tables of one schema, as the sync creates them, and the views of the set-up.

    Args:
        settings: of the stand-in, with a schema of its own.
        connection: an analyst's session.

    Attributes:
        loader: the sync's own.
        first: what the first comparison did.
    """

    first: Compared

    def __init__(self, settings: Mapping[str, str], connection: Any) -> None:
        self._connection = connection
        self.loader = loader(settings)
        self.loader.prepare()

    def create_views(self) -> None:
        """Run the file of the views."""
        for statement in view_statements():
            self.query(statement)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as an analyst."""
        return warehouse.query(self._connection, sql)[1]

    def add(self, part: str, rows: Sequence[Row]) -> None:
        """Insert rows into ``delete_tracker`` or ``delete_tracker_<part>``. All have the same keys.

        A time is a datetime, and an object is JSON.
        """
        table = f"delete_tracker_{part}" if part else "delete_tracker"
        for first in range(0, len(rows), 500):
            some = rows[first : first + 500]
            columns = ", ".join(
                read_as(name, f"column{number}", some) for number, name in enumerate(some[0], 1)
            )
            values = ", ".join(
                f"({', '.join(literal(value) for value in row.values())})" for row in some
            )
            self.query(
                f"INSERT INTO {table} ({', '.join(some[0])}) SELECT {columns} FROM VALUES {values}"
            )

    def compare(self, up_to: str = ALL) -> Compared:
        """Compare as a sweep does. Checks in event files newer than this one wait."""
        self.loader.prepare()
        return self.loader.compare(up_to)

    def empty(self) -> None:
        """Remove all rows but the lock's."""
        for part in ("", "_checks", "_listed", "_restores", "_polls", "_gaps", "_erased"):
            self.query(f"DELETE FROM delete_tracker{part}")


def loader(settings: Mapping[str, str]) -> Loader:
    """The sync's loader for this schema."""
    names = names_of(
        Identifier("DELETE_TRACKER"),
        Identifier(settings["SNOWFLAKE_DATABASE"].upper()),
        Identifier(settings["SNOWFLAKE_SCHEMA"].upper()),
    )
    connect = functools.partial(
        Session, parameters(settings), names, sweep_id="s", budget=Budget.of(3600, 3600)
    )
    return Loader(connect, names, sweep_id="s", reader_version=2, pause=lambda _: None)


@contextlib.contextmanager
def target(settings: Mapping[str, str]) -> Iterator[Target]:
    """A target in a new schema."""
    own = {**settings, "SNOWFLAKE_SCHEMA": f"s_{uuid.uuid4().hex[:12]}"}
    with warehouse.connect(own) as connection:
        made = Target(own, connection)
        try:
            yield made
        finally:
            made.loader.close()


def view_statements() -> list[str]:
    """The statements of the file of the views, without ``USE``."""
    text = re.sub(r"^\s*--.*$", "", VIEWS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [
        one.strip() for one in text.split(";") if one.strip() and not one.strip().startswith("USE ")
    ]


def literal(value: Any) -> str:
    """A value in SQL. VALUES takes no JSON and no cast, so a time and an object are texts."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"'{value.isoformat(' ', 'milliseconds')}'"
    if isinstance(value, dict):
        return f"'{json.dumps(value)}'"
    return str(value) if isinstance(value, int) else f"'{value}'"


def read_as(name: str, column: str, rows: Sequence[Row]) -> str:
    """How a column of VALUES is read."""
    kinds = {type(row[name]) for row in rows}
    if datetime in kinds:
        return f"{column}::VARCHAR::TIMESTAMP_NTZ"
    return f"PARSE_JSON({column})" if dict in kinds else column


def record_id(number: int) -> str:
    """A record id of 18 characters. Small letters have no influence on the last three."""
    return f"001{number:012d}AAA"


def told(
    object_name: str | None,
    record: str | None,
    when: datetime,
    *,
    topic: str = "/data/Objects__chn",
    ingested_at: datetime | None = None,
    dated_from: str | None = None,
) -> dict[str, Any]:
    """A row of an event. It is received five minutes after the delete."""
    return {
        "id": 0,
        "event_id": uuid.uuid4().hex,
        "topic": topic,
        "object_name": object_name,
        "record_id": record,
        "deleted_date": when,
        "payload": {"_tracker": {"deleted_date_from": dated_from} if dated_from else {}},
        "ingested_at": ingested_at or when + timedelta(minutes=5),
    }


def restored(record: str, when: datetime, found_by: str = "event") -> dict[str, Any]:
    """A restore."""
    return {
        "restore_id": uuid.uuid4().hex,
        "topic": "check" if found_by == "check" else "/data/Objects__chn",
        "record_id": record,
        "restored_date": when,
        "found_by": found_by,
        "loaded_at": when,
    }


def checked(
    check_id: str,
    object_name: str,
    window_from: datetime | None,
    window_to: datetime | None,
    checked_at: datetime,
    *,
    outcome: str = "listed",
    event_file: str = FILE,
) -> dict[str, Any]:
    """A check."""
    return {
        "check_id": check_id,
        "event_file": event_file,
        "object_name": object_name,
        "window_from": window_from,
        "window_to": window_to,
        "outcome": outcome,
        "checked_at": checked_at,
    }


def listed(
    check_id: str,
    object_name: str,
    record: str | None,
    when: datetime | None,
    *,
    listed_by: str = "both",
    state: str = "unknown",
    deleted_by: str | None = None,
) -> dict[str, Any]:
    """An entry of a list."""
    return {
        "check_id": check_id,
        "object_name": object_name,
        "record_id": record,
        "deleted_date": when,
        "deleted_by": deleted_by,
        "owner_id": None,
        "listed_by": listed_by,
        "state": state,
        "payload": {"check": check_id},
    }
