"""What a sweep needs in Snowflake, looked at piece by piece. No row is changed.

A right is looked at with a statement that needs it and finds no row. Each such statement is rolled
back. The role's own rights count: secondary roles are switched off.
Source: Snowflake documentation, pages "Access control privileges" and "USE SECONDARY ROLES".
"""

from __future__ import annotations

import contextlib
import gzip
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import WarehouseRefusedError
from ..model import Batch
from .attempt import Attempt
from .columns import Found, columns_of, differences, existing
from .names import Identifier
from .reading import duplicates
from .session import Session
from .snowflake_errors import NOT_FOR_THE_ROLE
from .tables import Tables

# What the statements of a sweep need, by the name in ``names_of``.
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "table": ("SELECT", "INSERT"),
    "loads": ("SELECT", "INSERT", "DELETE"),
    "gaps": ("SELECT", "INSERT"),
    "rejects": ("SELECT", "INSERT"),
    "polls": ("SELECT", "INSERT"),
    "restores": ("SELECT", "INSERT"),
    "checks": ("SELECT", "INSERT", "UPDATE"),
    "listed": ("SELECT", "INSERT"),
    "erased": ("SELECT",),
    "acknowledged": ("SELECT", "INSERT"),
    "lock": ("SELECT", "UPDATE"),
}
NOWHERE = "no_such_folder"  # on the stage


class Who(NamedTuple):
    """Who the session is, and where. A name is None if the session has none."""

    user: str
    role: str | None
    warehouse: str | None
    database: str | None
    schema: str | None


class Books(NamedTuple):
    """Rows, and what the load records say of them.

    Attributes:
        rows_there: rows of ``delete_tracker`` that events told of.
        rows_loaded: as many were inserted, as the load records say.
        rows_removed: as many of them were removed since, because their record was erased.
        newest_reader: the newest format version of a sync that wrote a load record.
    """

    rows_there: int
    rows_loaded: int
    rows_removed: int
    newest_reader: int | None


class Inspection:
    """Looks at one target.

    Args:
        session: a new session.
        names: the result of ``names_of``.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier]) -> None:
        self._session = session
        self._names = names
        session.rows("secondary_roles_off")

    def name(self, part: str) -> str:
        """The name of a table or of the stage, as the catalogue has it."""
        return self._names[part].name

    def who(self) -> Who:
        """Who the session is, and where."""
        ((user, role, warehouse),) = self._session.rows("who")
        ((database, schema),) = self._session.rows("current_schema")
        return Who(str(user), role, warehouse, database, schema)

    def columns(self) -> dict[str, dict[str, Found]]:
        """The columns of those of our tables that there are for the role, by part and name."""
        return existing(self._session, self._names)

    def problems(self, part: str, found: Mapping[str, Found]) -> list[str]:
        """How a table differs from what the sync writes, with the statements to run."""
        return list(differences(part, self._names[part], self._names["loads"], found))

    def lacking(
        self, part: str, found: Mapping[str, Found], needed: Mapping[str, Sequence[str]] = RIGHTS
    ) -> list[str]:
        """The rights on a table that are needed and that the role does not have."""
        ours = [column.name for column in columns_of(part) if column.name.upper() in found]
        return [
            right
            for right in needed[part]
            if not self._may(f"probe_{right.lower()}", column=ours[-1], probed=self._names[part])
        ]

    def lock_token(self) -> str:
        """The token of the only row of the lock table. See ``Tables.token`` for the errors."""
        return Tables(self._session, self._names).token()

    def stage_is_there(self) -> bool:
        """Whether the role sees the stage."""
        shown = self._session.rows("stages")
        return self._names["stage"].name in {str(row[1]) for row in shown}

    def lacking_on_stage(self) -> list[str]:
        """The rights on the stage that a sweep needs and the role does not have."""
        probes = {"READ": "list", "WRITE": "remove"}
        return [right for right, probe in probes.items() if not self._may(probe, path=NOWHERE)]

    def try_upload(self, folder: Path) -> None:
        """Upload a line to the stage and copy it into a temporary table, as a sweep does.

        COPY removes it from the stage, and the end of the session removes the table.

        Args:
            folder: for the file.
        """
        path = f"doctor/{uuid.uuid4().hex}"
        with gzip.open(folder / "rows_0.gz", "wb") as file:
            file.write(b'{"kind":"trial"}\n')
        try:
            Attempt(self._session, self._names, Batch((), folder / "rows_*.gz", 1)).stage(path)
        except BaseException:
            with contextlib.suppress(WarehouseRefusedError):
                self._session.rows("remove", path=path)
            raise

    def books(self) -> Books:
        """Rows, and what the load records say of them."""
        ((there, loaded, removed, reader),) = self._session.rows("books")
        return Books(int(there), int(loaded), int(removed), None if reader is None else int(reader))

    def duplicates(self) -> list[str]:
        """Keys that are in the table more than once, at most 100."""
        return duplicates(self._session)

    def _may(self, probe: str, **parts: Any) -> bool:
        with self._rolled_back():
            try:
                self._session.rows(probe, **parts)
            except WarehouseRefusedError as error:
                if error.number in NOT_FOR_THE_ROLE:
                    return False
                raise
        return True

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._session.rollback()
