"""What the tables tell a person: sweeps, open reasons, freshness, verdicts, and one record's rows.

Views are asked too. They may be missing: the sync itself needs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ..errors import WarehouseRefusedError
from ..model import LoadRecord, TopicPoll
from . import reading
from .columns import existing
from .move import Held, held
from .names import TABLES, Identifier
from .session import Session
from .snowflake_errors import NOT_FOR_THE_ROLE

UNKNOWN = "unknown"  # whether a gap is closed, if no view tells it


class Reason(NamedTuple):
    """Why the table may be incomplete. The names are those of ``--json``.

    Attributes:
        what: ``gap``, ``reject`` or ``refused file``.
        id: with ``what``, the key in ``_acknowledged``.
        source: the topic, or the name of the event file.
        state: ``open``, ``lost`` or ``unknown``.
    """

    what: str
    id: str
    source: str
    why: str
    known_since: datetime | None
    state: str


class Open(NamedTuple):
    """The reasons that nobody has acknowledged.

    Attributes:
        reasons: at most 1000, the oldest first.
        number: how many there are.
        by_view: whether the view could be read. Without it, gaps that checks have closed are among
            the reasons.
    """

    reasons: list[Reason]
    number: int
    by_view: bool


class Known(NamedTuple):
    """A reason, and whether somebody has acknowledged it."""

    what: str
    id: str
    source: str
    why: str
    known_since: datetime | None
    acknowledged_why: str | None
    acknowledged_who: str | None
    acknowledged_at: datetime | None


class Place(NamedTuple):
    """A row about one record. ``event_file`` is None if the table does not know it."""

    what: str
    id: str
    object_name: str | None
    happened_at: datetime | None
    told_by: str | None
    event_file: str | None


class Overview:
    """Reads the tables and views of one target.

    Args:
        session: an open session.
        names: the result of ``names_of``.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier]) -> None:
        self._session = session
        self._names = names

    def user(self) -> str:
        """The name of the Snowflake user."""
        ((user, _, _),) = self._session.rows("who")
        return str(user)

    def missing_tables(self) -> list[str]:
        """The names of our tables that do not exist, or on which the role has no right."""
        there = existing(self._session, self._names)
        return [self._names[part].name for part in TABLES if part not in there]

    def records(self, first: str, last: str) -> list[LoadRecord]:
        """The load records of the event files whose names are from ``first`` to ``last``."""
        return reading.records(self._session, first, last)

    def last_sweeps(self) -> list[tuple[Any, ...]]:
        """The last sweeps, newest first: id, time, files, rows inserted, files refused."""
        return self._session.rows("last_sweeps")

    def newest_poll(self) -> list[TopicPoll]:
        """The topics of the newest poll that the table knows."""
        return reading.newest_poll(self._session)

    def newest_file(self) -> str:
        """The newest name of an event file that has a load record. Empty if there is none."""
        return reading.newest_file(self._session)

    def file_names(self) -> list[str]:
        """The names of all event files that have a load record."""
        return [str(name) for (name,) in self._session.rows("oldest_first")]

    def held(self, origin: Mapping[str, Identifier]) -> list[Held]:
        """The tables of this target and of another one, by its names."""
        return list(held(self._session, self._names, origin))

    def open_reasons(self) -> Open:
        """The reasons that nobody has acknowledged."""
        found = self._of_view("open_reasons")
        if found is not None:
            return Open([Reason(*row[:-1]) for row in found], _number(found), True)
        rows = self._session.rows("reasons", condition="a.id IS NULL")
        known = (Known(*row[:-1]) for row in rows)
        reasons = [Reason(*it[:5], UNKNOWN if it.what == "gap" else "open") for it in known]
        return Open(reasons, _number(rows), False)

    def freshness(self) -> Sequence[tuple[Any, ...]] | None:
        """The view ``_freshness``. None if it cannot be read."""
        return self._of_view("fresh")

    def verdicts(self) -> Sequence[tuple[Any, ...]] | None:
        """The days of ``_completeness``, by object, verdict and reason. None as above."""
        return self._of_view("verdicts")

    def rows_of_record(self, ids: tuple[str, str]) -> list[Place]:
        """The rows about a record, in the order of their times.

        Args:
            ids: its id with 15 and with 18 characters.
        """
        return [Place(*row) for row in self._session.rows("rows_of_record", [*ids, *ids, *ids])]

    def erased_at(self, record_id: str) -> datetime | None:
        """When the data of this record were erased. None if they were not."""
        ((erased_at,),) = self._session.rows("erased_at", [record_id])
        return erased_at if isinstance(erased_at, datetime) else None

    def reasons_of(self, identifier: str) -> list[Known]:
        """The reasons with this id, acknowledged or not. Usually it is one, or none."""
        rows = self._session.rows("reasons", [identifier], condition="r.id = %s")
        return [Known(*row[:-1]) for row in rows]

    def acknowledge(self, reason: Known, why: str, who: str) -> Known:
        """Note that a reason needs no more attention. Returns what the table says then.

        If another person was faster, the first note stays.
        """
        with self._session.transaction():
            self._session.change("acknowledge", [reason.what, reason.id, why, who])
        return next(
            it for it in self.reasons_of(reason.id) if it.what == reason.what and it.acknowledged_at
        )

    def _of_view(self, statement: str) -> list[tuple[Any, ...]] | None:
        try:
            return self._session.rows(statement)
        except WarehouseRefusedError as error:
            if error.number in NOT_FOR_THE_ROLE:
                return None
            raise


def _number(rows: Sequence[Sequence[Any]]) -> int:
    """How many rows there are without the limit. The last column of each has it."""
    return int(rows[0][-1]) if rows else 0
