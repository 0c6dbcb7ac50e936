"""The guarded transaction: how it begins, and what its statements have in common.

Two sweeps may run at the same time. The lock row orders their transactions: a transaction begins
with an update of that row, and Snowflake lets a second one wait. Each transaction writes a new
token into the row. Every later statement of the transaction changes nothing if the row has another
token, because then Snowflake or an administrator has ended the transaction meanwhile.

Source: Snowflake documentation, page "Transactions".
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from ..errors import BooksDifferError, LostTurnError
from .names import Identifier
from .session import Session
from .tables import Tables

ENDED_FROM_OUTSIDE = (
    "Snowflake or somebody else has ended the transaction, or changed the tables meanwhile"
)


class Guarded:
    """What each guarded transaction does. The subclasses add their own statements.

    Args:
        session: a new session, in which nothing else happens.
        names: the result of ``names_of``.

    Attributes:
        token: names the transaction in the lock row.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier]) -> None:
        self.token = uuid.uuid4().hex
        self._session = session
        self._names = names

    def take_lock(self, seen_token: str) -> None:
        """Begin the transaction with the lock row. It waits while another one has the row.

        Args:
            seen_token: the token of the row when it was last read, before this session began.

        Raises:
            LostTurnError: another sweep has committed since, and this session may not see its rows.
            TableError: the lock table has not exactly one row.
            BooksDifferError: the transaction was ended from outside.
        """
        locked = self._session.change("take_lock", [self.token])
        if locked != 1:
            raise Tables(self._session, self._names).lock_error(locked)
        previous = [str(row[0]) for row in self._session.rows("previous_token", [self.token])]
        if not previous:
            raise BooksDifferError(f"the lock row has lost its token: {ENDED_FROM_OUTSIDE}")
        if previous != [seen_token]:
            raise LostTurnError("another sweep has changed the tables meanwhile")

    def numbers(self, order: str, *, id_fills_itself: bool) -> dict[str, str]:
        """What a statement writes into ``id``, as the values of its placeholders.

        Args:
            order: the column by which new rows are numbered.
            id_fills_itself: the statement leaves ``id`` out.
        """
        if id_fills_itself:
            return {"number": "", "id": "", "s_id": ""}
        ((last_id,),) = self._session.rows("last_id")
        number = f"{int(last_id)} + ROW_NUMBER() OVER (ORDER BY {order}) AS id,\n        "
        return {"number": number, "id": "id, ", "s_id": "s.id, "}
