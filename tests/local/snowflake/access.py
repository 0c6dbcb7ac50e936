"""Holds the statements of a session to the rights of its role.

Source: Snowflake documentation, page "Access control privileges", and the page of each statement.
A role without any right to an object is told that it does not exist (002003). A role with another
right to it is told that its privileges are insufficient (003001).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import dml, names
from .errors import StatementError, insufficient, missing
from .rights import Object
from .versions import Key

if TYPE_CHECKING:
    from .sessions import Session


def check(session: Session, statement: exp.Expr) -> None:
    """Refuse a statement for which the session's role lacks a right.

    Raises:
        StatementError: 000606 no warehouse, 002003, 003001.
    """
    if isinstance(statement, (exp.Query, *dml.Dml)):
        exist(session, statement)
    if not session.who.is_held:
        return
    if isinstance(statement, (exp.Query, *dml.Dml)):
        _warehouse(session)
        _read_and_write(session, statement)
    elif isinstance(statement, exp.Create):
        _create(session, statement)
    else:
        _change(session, statement)


def _change(session: Session, statement: exp.Expr) -> None:
    if isinstance(statement, exp.TruncateTable):
        for truncated in statement.expressions:
            _need(session, names.key(session, truncated), "TRUNCATE")
    table = statement.find(exp.Table)
    if isinstance(statement, (exp.Drop, exp.Alter, exp.Comment)) and table:
        _need(session, names.key(session, table), "OWNERSHIP")


def _warehouse(session: Session) -> None:
    """Login succeeds without a warehouse, and the first query fails. Source: page "Warehouses"."""
    if not session.who.has_warehouse():
        raise StatementError(
            "000606",
            "57P03",
            "No active warehouse selected in the current session. Select an active warehouse "
            "with the 'use warehouse' command.",
        )


def exist(session: Session, statement: exp.Expr) -> None:
    """Refuse the name of a table that does not exist. Names differ by their case."""
    for table in names.read_tables(statement):
        key = names.key(session, table)
        if key[0] != names.TEMPORARY and not session.account.kind(key):
            raise missing("Object", ".".join(key))


def _read_and_write(session: Session, statement: exp.Expr) -> None:
    target = dml.target(statement) if isinstance(statement, dml.Dml) else None
    for table in names.read_tables(statement):
        if table is not target:
            _need(session, names.key(session, table), "SELECT")
    if target is not None:
        key = names.key(session, target)
        for privilege in _written(statement):
            _need(session, key, privilege)


def _written(statement: exp.Expr) -> list[str]:
    """What a statement needs on its target.

    That UPDATE and DELETE need SELECT too is not documented, but they read the table.
    """
    if isinstance(statement, exp.Update):
        return ["SELECT", "UPDATE"]
    if isinstance(statement, exp.Delete):
        return ["SELECT", "DELETE"]
    if isinstance(statement, exp.Merge):
        kinds = {_kind(when) for when in statement.args["whens"].expressions}
        return ["SELECT", *sorted(kinds)]
    return ["INSERT"]


def _kind(when: exp.When) -> str:
    then = when.args["then"]
    if isinstance(then, exp.Insert):
        return "INSERT"
    return "UPDATE" if isinstance(then, exp.Update) else "DELETE"


def _need(session: Session, key: Key, privilege: str) -> None:
    """A temporary table needs no right."""
    if key[0] == names.TEMPORARY:
        return
    kind = session.account.kind(key)
    if not kind:
        raise missing("Object", ".".join(key))
    need(session, (kind, key), privilege)


def need(session: Session, what: Object, *privileges: str) -> None:
    """Refuse a session that lacks a privilege on an object, or USAGE of its database and schema."""
    if not session.who.is_held:
        return
    kind, name = what
    rights, roles = session.account.rights, session.who.roles()
    for outer in (("DATABASE", name[:1]), ("SCHEMA", name[:2])):
        if len(outer[1]) < len(name) and not rights.privileges(roles, outer):
            raise missing(kind.title(), ".".join(name))
    held = rights.privileges(roles, what)
    if not held:
        raise missing(kind.title(), ".".join(name))
    if "OWNERSHIP" not in held and not {*privileges, "ALL", "ALL PRIVILEGES"} & held:
        raise insufficient(kind.lower(), name[-1])


def visible(session: Session, what: Object) -> bool:
    """Whether SHOW and the information schema tell a session of an object."""
    if not session.who.is_held:
        return True
    return bool(session.account.rights.privileges(session.who.roles(), what))


def _create(session: Session, statement: exp.Create) -> None:
    """CREATE needs the right to it on the schema, even if the object exists.

    A temporary table needs none, but OWNERSHIP of a permanent table with its name.
    Source: release note BCR-427.
    """
    table = statement.find(exp.Table)
    kind = str(statement.args.get("kind") or "").upper()
    if table is None or kind not in ("TABLE", "VIEW", "STAGE"):
        raise insufficient("account", "create")
    key = names.permanent(session, table)
    there = session.account.kind(key)
    if statement.find(exp.TemporaryProperty):
        if there:
            need(session, (there, key), "OWNERSHIP")
        return
    need(session, ("SCHEMA", key[:2]), f"CREATE {kind}")
    if there and statement.args.get("replace"):
        need(session, (there, key), "OWNERSHIP")
    if statement.expression is not None:
        for read in names.read_tables(statement.expression):
            _need(session, names.key(session, read), "SELECT")
