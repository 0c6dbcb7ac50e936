"""The account: its sessions, and what all of them share."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from fakesnow.instance import FakeSnow
from sqlglot import exp

from . import names
from .errors import StatementError
from .locks import Locks
from .rights import SYSTEM_ROLES, Rights
from .scope import Scope
from .sessions import Session
from .translation import PARSED
from .versions import Key, Versions


@dataclass(frozen=True)
class Login:
    """What a client asks for. Names are as Snowflake stores them."""

    user: str
    database: str
    schema: str
    role: str
    warehouse: str
    parameters: Mapping[str, Any]


class Account:
    """One account on one fakesnow.

    Args:
        threads: how many threads run a statement. None is one for each core.

    Attributes:
        fakesnow: the emulator that runs the SQL.
        versions: which rows each session sees.
        locks: the locks of tables.
        sessions: the open sessions by token.
        views: the query of each view.
        ddl: held while a statement changes the catalog, as DuckDB refuses two at once.
    """

    def __init__(self, threads: int | None) -> None:
        self.fakesnow = FakeSnow()
        self.duck = self.fakesnow.duck_conn.cursor()
        # A checkpoint would give rows new ids.
        self.duck.execute("SET GLOBAL checkpoint_threshold = '1TB'")
        if threads:
            self.duck.execute(f"SET GLOBAL threads = {threads}")
        self.versions = Versions(self.fakesnow.duck_conn.cursor())
        self.duck.execute(PARSED)
        self.locks = Locks()
        self.sessions: dict[str, Session] = {}
        self.views: dict[Key, exp.Expr] = {}
        self.ddl = threading.RLock()
        self.rights = Rights()
        self.scopes: dict[str, Scope] = {}
        self.numbers = itertools.count(1)
        self._known_databases: set[str] = set()

    def scope(self, schema: str) -> Scope:
        """The settings of a schema's sessions."""
        return self.scopes.setdefault(schema.upper(), Scope())

    def log_in(self, login: Login) -> Session:
        """Open a session.

        fakesnow makes a database and a schema that are missing, but not for a role that is held
        to its rights: its session then has no current schema.

        Raises:
            StatementError: the role is unknown (390189), or not granted to the user (390186).
        """
        role = self._role_of(login)
        database, schema = login.database, login.schema
        if role and role not in SYSTEM_ROLES:
            roles = self.rights.with_inherited([role])
            if not self.rights.privileges(roles, ("DATABASE", (database,))):
                database = schema = ""
            elif not self.rights.privileges(roles, ("SCHEMA", (database, schema))):
                schema = ""
        with self.ddl:
            fake = self.fakesnow.connect(database or None, schema or None)
            session = Session(self, fake, next(self.numbers), login, role)
            if database:
                self._known_databases.add(session.database)
        self.sessions[session.token] = session
        return session

    def _role_of(self, login: Login) -> str:
        """The role of a new session. Source: the connector's table of login errors."""
        user = self.rights.users.get(login.user)
        role = login.role or (user.default_role if user else "")
        if role and not self.rights.has_role(role):
            raise StatementError(
                "390189", "08001", f"Role '{role}' specified in the connect string does not exist."
            )
        if user and role not in self.rights.with_inherited(user.roles):
            raise StatementError(
                "390186",
                "08001",
                f"Role '{role}' specified in the connect string is not granted to this user.",
            )
        return role

    def log_out(self, session: Session) -> None:
        """Close a session: its transaction is rolled back."""
        self.sessions.pop(session.token, None)
        session.close()

    def settle(self) -> None:
        """Delete rows for good that no session can see any more."""
        blind = [one for one in list(self.sessions.values()) if one.scope.blind != "off"]
        oldest = min((one.began_at for one in blind), default=self.versions.commits)
        with self.duck.cursor() as duck:
            self.versions.settle(
                oldest,
                lambda key, rows: _execute(duck, f"DELETE FROM {names.sql(key)} WHERE {rows}"),
            )

    def databases(self) -> list[str]:
        """The databases in which a session may have tables."""
        return list(self._known_databases)

    def add_database(self, name: str) -> None:
        """Note a database that a statement made."""
        self._known_databases.add(name)

    def condition(self, key: Key, session: Session, *, latest: bool = False) -> Optional[exp.Expr]:
        """The condition for the rows of a table that a session sees, or None for all."""
        return self.versions.condition(
            key, session, (lambda _: False) if latest else session.is_blind_to
        )

    def lengths(self, key: Key) -> dict[str, int]:
        """The columns of a table that have a length, with it."""
        if key[0] == names.TEMPORARY:
            return {}
        with self.duck.cursor() as duck:
            found = duck.execute(
                "SELECT ext_column_name, ext_character_maximum_length "
                "FROM _fs_global._fs_information_schema._fs_columns_ext "
                "WHERE ext_table_catalog = ? AND ext_table_schema = ? AND ext_table_name = ?",
                list(key),
            ).fetchall()
        return {str(column): int(length) for column, length in found if length}

    def record_lengths(self, key: Key, lengths: Mapping[str, int]) -> None:
        """Record the lengths of a table's texts, instead of those of an earlier table."""
        with self.duck.cursor() as duck:
            table = "_fs_global._fs_information_schema._fs_columns_ext"
            duck.execute(
                f"DELETE FROM {table} WHERE ext_table_catalog = ? AND ext_table_schema = ? "
                "AND ext_table_name = ?",
                list(key),
            )
            rows = [[*key, it, size, min(size * 4, 16777216)] for it, size in lengths.items()]
            if rows:
                values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
                duck.execute(f"INSERT INTO {table} VALUES {values}", list(itertools.chain(*rows)))

    @staticmethod
    def load_history(session: Session, key: Key) -> str:
        """The table of fakesnow with the files that a table has loaded, and the condition for it.

        COPY skips these files.
        """
        database, schema = key[:2]
        if key[0] == names.TEMPORARY:
            database, schema = session.database, session.schema
        history = f'"{database}"._fs_information_schema._fs_load_history'
        return f"{history} WHERE schema_name = '{schema}' AND table_name = '{key[2]}'"

    def kind(self, key: Key) -> str:
        """``TABLE`` or ``VIEW``, or nothing if no object has this name."""
        return next((kind for kind in ("TABLE", "VIEW") if (kind, key) in self.rights.owners), "")

    def has_schema(self, name: tuple[str, ...]) -> bool:
        """Whether a database, or a schema of a database, has this name."""
        with self.duck.cursor() as duck:
            return bool(
                duck.execute(
                    "SELECT 1 FROM system.information_schema.schemata WHERE catalog_name = ? "
                    "AND (schema_name = ? OR ? = '')",
                    [name[0], *([name[1]] * 2 if len(name) > 1 else ["", ""])],
                ).fetchall()
            )

    def dropped(self, kind: str, key: Key) -> None:
        """Forget the grants on an object that was dropped, and on what was in it."""
        if kind in ("SCHEMA", "DATABASE"):
            inside = key[1:] if kind == "SCHEMA" else key[2:]
            for what in list(self.rights.owners):
                if what[1][: len(inside)] == inside:
                    self.rights.forget(what)
        else:
            self.rights.forget((kind, key))


def _execute(duck: Any, sql: str) -> None:
    duck.execute(sql)
