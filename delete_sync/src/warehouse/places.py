"""Where the tables may name a record, and how a statement asks for it.

A statement has the record as ``r``: ``sql/records_to_erase.sql`` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .names import Identifier

MARK = "'erased'"
WAYS = ("r.short_id", "r.upper_id", "r.lower_id")
READ_AS = {"payload": "{}::VARCHAR"}  # columns that are no text


class Place(NamedTuple):
    """A table that may name a record.

    Attributes:
        part: which of our tables it is.
        key: the columns that identify a row.
        columns: those that may name a record of another row, and what they have: a ``value``, a
            ``text``, a ``payload``, or bytes as ``hex``.
        rights: what erasing needs on the table.
        has_record: whether a row belongs to a record, so that it can be removed as a whole.
    """

    part: str
    key: str
    columns: Mapping[str, str]
    rights: tuple[str, ...] = ("SELECT", "UPDATE")
    has_record: bool = False

    def conditions(self, name: Identifier) -> dict[str, str]:
        """When a column names the record ``r``."""
        found = {column: naming(how, name, column) for column, how in self.columns.items()}
        if self.part == "rejects":  # ``r`` may also be the key of a reject that names no record
            for column in ("payload", "event_id"):
                cleared = CLEARED[self.columns[column]]
                found[column] = (
                    f"({found[column]}\n    OR {name}.reject_id = r.reject_id"
                    f" AND COALESCE({name}.{column}, '') <> {cleared})"
                )
        return found


CLEARED = {"value": "NULL", "text": MARK, "hex": "''"}
OWN_ROWS = ("SELECT", "UPDATE", "DELETE")
REJECTS = Place("rejects", "reject_id", {"payload": "hex", "event_id": "text", "error": "text"})
PLACES = (
    Place(
        *("table", "event_id, record_id"),
        {"deleted_by": "value", "owner_id": "value", "payload": "payload"},
        *(OWN_ROWS, True),
    ),
    Place(
        *("listed", "check_id, record_id, deleted_date"),
        {"deleted_by": "value", "owner_id": "value", "merged_into": "value", "payload": "payload"},
        *(OWN_ROWS, True),
    ),
    Place("restores", "restore_id, record_id", {"restored_by": "value"}, OWN_ROWS, True),
    REJECTS,
    Place("loads", "event_file, sha256, token", {"error": "text"}),
    Place("polls", "poll_id", {"error": "text"}),
    Place("checks", "check_id", {"error": "text"}),
    Place("acknowledged", "id, kind", {"why": "text"}),
)
# What the command needs, by the name in ``names_of``.
RIGHTS: Mapping[str, tuple[str, ...]] = {
    **{place.part: place.rights for place in PLACES},
    "erased": ("SELECT", "INSERT"),
    "lock": ("SELECT", "UPDATE"),
}


def naming(how: str, table: Identifier | str, column: str) -> str:
    """The condition that a column names the record ``r``, in any of its ways.

    A system may have changed the case of 18 characters: see ``record_ids``.

    Args:
        how: what the column has, as ``Place`` says.
        table: its name, or that of the query.
        column: its name.
    """
    if how == "hex":  # the bytes of a rejected event. Its key may name the record too
        found = "\n    OR ".join(f"CONTAINS({table}.{column}, HEX_ENCODE({way}))" for way in WAYS)
        return f"({found} OR {naming('text', table, 'event_id')})"
    text = READ_AS.get(how, "{}").format(f"{table}.{column}")
    found = "\n    OR ".join(f"CONTAINS({text}, {way})" for way in WAYS)
    return f"({found})"


def own_rows(table: Identifier | str) -> str:
    """The condition that a row belongs to the record ``r``."""
    return naming("value", table, "record_id")
