"""The comparison of delete_tracker with the lists of the checks, in a guarded transaction.

``sql/relations.sql`` says how a listed delete and a row of its record are related. The views in
``docs/setup/snowflake/3_views.sql`` have the same text. What Salesforce lists and no event told of
becomes a recovered delete: a row of delete_tracker with the topic ``check``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ..errors import BooksDifferError
from ..model import Compared, Due
from .guard import ENDED_FROM_OUTSIDE, Guarded
from .names import Identifier
from .session import SQL, Session

# With the checks that are not compared yet, those of the days before them are compared again.
# Salesforce lists a delete for 15 days.
BEFORE = timedelta(days=16)


class Comparison(Guarded):
    """The steps of one comparison, in the order in which the loader takes them.

    Args:
        session: a new session, in which nothing else happens.
        names: the result of ``names_of``.
        up_to: the name of an event file. Checks in newer files wait, because their deletes may be
            in a file that is pending.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier], up_to: str) -> None:
        super().__init__(session, names)
        self._up_to = up_to

    def due(self) -> Due:
        """The checks that can be compared, and those that wait for older files."""
        ((ready, waiting, oldest_check, oldest_restore),) = self._session.rows(
            "to_compare", [self._up_to] * 3
        )
        # A restore may tell two deletes of a record apart that were one before.
        since = [
            *([oldest_check - BEFORE] if oldest_check else []),
            *([oldest_restore] if oldest_restore else []),
        ]
        return Due(int(ready), int(waiting), min(since, default=None))

    def write(self, due: Due, *, id_fills_itself: bool) -> Compared:
        """Insert the recovered deletes, and note which checks are compared.

        Args:
            due: what to compare. It is not empty.
            id_fills_itself: as ``Tables.prepare`` returns it.

        Raises:
            BooksDifferError: other rows are in the tables than must be.
        """
        assert due.since
        new = self._count(due.since)
        inserted = 0
        if new:
            inserted = self._session.change(
                "insert_recovered",
                [*self._values(due.since), self.token],
                new_recovered=self._new_recovered(),
                listed_once=SQL["listed_once"].format(**self._names),
                **self.numbers("r.event_id", id_fills_itself=id_fills_itself),
            )
        if inserted != new:
            raise BooksDifferError(
                f"the comparison inserted {inserted} rows, but {new} were new: {ENDED_FROM_OUTSIDE}"
            )
        compared = 0
        if due.ready:
            compared = self._session.change("set_compared", [self.token, self._up_to])
        if compared != due.ready:
            raise BooksDifferError(
                f"{compared} of {due.ready} checks were noted as compared: {ENDED_FROM_OUTSIDE}"
            )
        return Compared(compared, inserted, due.waiting)

    def check(self, due: Due) -> None:
        """Look after COMMIT whether anything is left to do.

        Raises:
            BooksDifferError: the rows are not there. Snowflake accepts a COMMIT also if it has
                ended the transaction before.
        """
        assert due.since
        left, new = self.due().ready, self._count(due.since)
        if left or new:
            raise BooksDifferError(
                f"after COMMIT, {left} checks are not compared and {new} recovered deletes are "
                f"missing: {ENDED_FROM_OUTSIDE}"
            )

    def _count(self, since: datetime) -> int:
        """How many recovered deletes are not in the table."""
        ((new,),) = self._session.rows(
            "count_recovered", self._values(since), new_recovered=self._new_recovered()
        )
        return int(new)

    def _values(self, since: datetime) -> list[str]:
        """The values of ``new_recovered``."""
        return [self._up_to, self._up_to, since.isoformat(" ", "milliseconds")]

    def _new_recovered(self) -> str:
        """The query for the recovered deletes that are not in the table."""
        relations = SQL["relations"].format(
            **self._names,
            comparable="(c.compared_at IS NOT NULL OR c.event_file <= %s)",
            scope="WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)\n",
        )
        statuses = SQL["statuses"].format(relations=f"({relations})")
        return SQL["new_recovered"].format(**self._names, statuses=statuses)
