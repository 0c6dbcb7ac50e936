"""Copies the rows of another target in the same account, in a guarded transaction.

No event file has the rows of ``_erased`` and ``_acknowledged``, nor those of event files that are
gone. ``delete_tracker`` does not say from which file a row is. So the rows of all tables are copied
that are not there yet. Then a full sweep looks whether all rows of the event files are there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import BooksDifferError
from .columns import columns_of
from .companions import COMPANIONS, DELETES, NOTHING, WIDTH
from .guard import ENDED_FROM_OUTSIDE, Guarded
from .names import Identifier
from .session import SQL, Session

# The columns that identify a row, by table, in the order in which the tables are copied. The erased
# records come first, so that none of their rows is copied. A load record comes before the rows of
# its file: if the old target is swept meanwhile, no record arrives without its rows.
KEYS: Mapping[str, tuple[str, ...]] = {
    "erased": ("record_sha256", "erased_at"),
    "loads": ("event_file", "sha256"),
    **{
        one.part: (*(name for name, _ in one.constants), *one.key) for one in (DELETES, *COMPANIONS)
    },
}
ERASABLE = {one.part for one in (DELETES, *COMPANIONS) if one.erasable}


class Held(NamedTuple):
    """One table in both targets.

    Attributes:
        table: its name in the new target.
        old: its rows in the old target.
        new: its rows in the new target.
        unmoved: rows of the old target that the new one does not have. Rows of erased records do
            not count.
    """

    table: str
    old: int
    new: int
    unmoved: int


class Move(Guarded):
    """The steps of one attempt to copy the rows, in the order in which the loader takes them.

    Args:
        session: a new session, in which nothing else happens.
        names: the result of ``names_of`` for the new target.
        origin: the result of ``names_of`` for the old target.
    """

    def __init__(
        self,
        session: Session,
        names: Mapping[str, Identifier],
        origin: Mapping[str, Identifier],
    ) -> None:
        super().__init__(session, names)
        self._origin = origin

    def write(self, *, id_fills_itself: bool) -> dict[str, int]:
        """Copy the rows that are not there. Returns their numbers, by table.

        Raises:
            BooksDifferError: not all rows are there then.
        """
        copied = {}
        for part in KEYS:
            clauses = clauses_of(part, self._names, self._origin)
            fills_itself = id_fills_itself or part != "table"
            numbers = self.numbers("o.id", id_fills_itself=fills_itself)
            copied[part] = self._session.change(
                f"copy_{part}",
                [self.token],
                template="copy_rows",
                id=_line(numbers["id"]),
                number=_line(numbers["number"]),
                **clauses,
            )
        self.check()
        return copied

    def check(self) -> None:
        """Look whether every row is there, before and after COMMIT.

        Raises:
            BooksDifferError: rows are missing. Snowflake accepts a COMMIT also if it has ended the
                transaction before. Or somebody has written into the old tables meanwhile.
        """
        for one in held(self._session, self._names, self._origin):
            if one.unmoved:
                raise BooksDifferError(
                    f"{one.unmoved} rows of the old table were not copied into {one.table}: "
                    f"{ENDED_FROM_OUTSIDE}"
                )


def held(
    session: Session, names: Mapping[str, Identifier], origin: Mapping[str, Identifier]
) -> Iterator[Held]:
    """Each table in both targets, in the order in which they are copied."""
    for part in KEYS:
        ((old, new, unmoved),) = session.rows(
            f"count_unmoved_{part}", template="count_unmoved", **clauses_of(part, names, origin)
        )
        yield Held(names[part].name, int(old), int(new), int(unmoved))


def clauses_of(
    part: str, names: Mapping[str, Identifier], origin: Mapping[str, Identifier]
) -> dict[str, Any]:
    """The values of the placeholders of ``copy_rows`` and ``count_unmoved``, for one table."""

    def old(table: str) -> str:
        return ".".join(str(origin[name]) for name in ("database", "schema", table))

    columns = {it.name: it for it in columns_of(part) if (part, it.name) != ("table", "id")}
    key = KEYS[part]
    same = []
    for name in key:
        nothing = NOTHING[columns[name].kind]
        same.append(f"COALESCE(t.{name}, {nothing})\n        = COALESCE(o.{name}, {nothing})")
    erasable = part in ERASABLE
    erased = SQL["erased_in_either"].format(**names, erased_old=old("erased"))
    is_new = "t.is_there IS NULL"
    unmoved = SQL["unmoved"].format(
        to=names[part],
        key=", ".join(key),
        same_key="\n    AND ".join(same),
        erased_join=f"{erased}\n" if erasable else "",
        is_new=f"{is_new} AND e.record_sha256 IS NULL" if erasable else is_new,
    )
    return {
        "to": names[part],
        "origin": old(part),
        "columns": textwrap.fill(", ".join(columns), WIDTH, subsequent_indent="    "),
        "selected": ",\n    ".join(f"o.{name} AS {name}" for name in columns),
        "unmoved": unmoved,
    }


def _line(text: str) -> str:
    """A part of a statement in a line of its own, if there is one."""
    return f"\n    {text.strip()}" if text else ""
