"""The statements about roles, users, warehouses and grants.

Source: Snowflake documentation, pages "CREATE ROLE", "CREATE USER", "CREATE WAREHOUSE",
"GRANT ROLE", "GRANT <privileges>", "REVOKE <privileges>", "USE ROLE", "USE SECONDARY ROLES".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import results
from .errors import StatementError, insufficient, missing
from .results import Result
from .rights import Name, Object, User

if TYPE_CHECKING:
    from .sessions import Session

FLAGS = re.IGNORECASE | re.DOTALL
NAME = r'(?:"[^"]*"|[\w$]+)(?:\.(?:"[^"]*"|[\w$]+))*'
KINDS = {"TABLES": "TABLE", "VIEWS": "VIEW", "STAGES": "STAGE", "SCHEMAS": "SCHEMA"}
# Who may do what for the whole account, if no role of one's own was granted the right to it.
MAKERS = {
    "ROLE": ("USERADMIN", "SECURITYADMIN", "ACCOUNTADMIN"),
    "USER": ("USERADMIN", "SECURITYADMIN", "ACCOUNTADMIN"),
    "WAREHOUSE": ("SYSADMIN", "ACCOUNTADMIN"),
}
GRANTERS = ("SECURITYADMIN", "ACCOUNTADMIN")


def parts(text: str) -> Name:
    """The parts of a name, in upper case unless they have quotes."""
    return tuple(
        one[1:-1] if one.startswith('"') else one.upper()
        for one in re.findall(r'"[^"]*"|[^."\s]+', text)
    )


def full(session: Session, kind: str, text: str) -> Name:
    """The full name of an object. An unqualified one is in the current schema."""
    given = parts(text)
    if kind in ("TABLE", "VIEW", "STAGE"):
        return ((session.database, session.schema)[: 3 - len(given)] + given)[-3:]
    if kind == "SCHEMA":
        return given if len(given) == 2 else (session.database, *given)
    return given


def create(session: Session, sql: str) -> Result:
    """CREATE ROLE, USER or WAREHOUSE."""
    found = re.match(
        rf"\s*CREATE\s+(OR\s+REPLACE\s+)?(ROLE|USER|WAREHOUSE)\s+"
        rf"(IF\s+NOT\s+EXISTS\s+)?({NAME})(.*)",
        sql,
        FLAGS,
    )
    assert found
    kind, name, rights = found[2].upper(), parts(found[4])[0], session.account.rights
    _only(session, MAKERS[kind], f"create a {kind.lower()}")
    known = {"ROLE": rights.has_role, "USER": rights.users.__contains__}.get(
        kind, rights.warehouses.__contains__
    )
    if known(name) and not found[1]:
        if found[3]:
            return results.status(f"{name} already exists, statement succeeded.")
        raise StatementError("002002", "42710", f"Object '{name}' already exists.")
    if kind == "ROLE":
        rights.make_role(name)
    elif kind == "USER":
        rights.users[name] = _user(found[5])
    else:
        rights.warehouses.add(name)
    rights.created((kind, (name,)), session.who.role)
    return results.status(f"{kind.title()} {name} successfully created.")


def _user(options: str) -> User:
    def option(name: str) -> str:
        found = re.search(rf"\b{name}\s*=\s*(\([^)]*\)|'[^']*'|{NAME})", options, FLAGS)
        return found[1] if found else ""

    return User(
        "".join(parts(option("DEFAULT_ROLE").strip("'"))),
        "".join(parts(option("DEFAULT_WAREHOUSE").strip("'"))),
        option("DEFAULT_SECONDARY_ROLES").replace(" ", "") != "()",
    )


def drop(session: Session, sql: str) -> Result:
    """DROP ROLE, USER or WAREHOUSE."""
    found = re.match(rf"\s*DROP\s+(ROLE|USER|WAREHOUSE)\s+(IF\s+EXISTS\s+)?({NAME})", sql, FLAGS)
    assert found
    kind, name, rights = found[1].upper(), parts(found[3])[0], session.account.rights
    _only(session, MAKERS[kind], f"drop a {kind.lower()}")
    if kind == "ROLE":
        rights.drop_role(name)
    elif kind == "USER":
        rights.users.pop(name, None)
    else:
        rights.warehouses.discard(name)
    rights.forget((kind, (name,)))
    return results.status(f"{name} successfully dropped.")


def grant_role(session: Session, sql: str) -> Result:
    """GRANT ROLE … TO ROLE or USER."""
    found = re.match(
        rf"\s*GRANT\s+ROLE\s+({NAME})\s+TO\s+(ROLE|USER)\s+({NAME})\s*;?\s*", sql, FLAGS
    )
    assert found
    _only(session, GRANTERS, "grant a role")
    role, to, rights = parts(found[1])[0], parts(found[3])[0], session.account.rights
    if not rights.has_role(role):
        raise missing("Role", role)
    if found[2].upper() == "USER":
        if to not in rights.users:
            raise missing("User", to)
        rights.users[to].roles.add(role)
    elif not rights.has_role(to):
        raise missing("Role", to)
    else:
        rights.grant_role(role, to)
    return results.status()


PRIVILEGES = re.compile(
    r"\s*(GRANT|REVOKE)\s+(.+?)\s+ON\s+((?:ALL|FUTURE)\s+(\w+)\s+IN\s+)?(\w+)\s+"
    rf"({NAME})\s+(?:TO|FROM)\s+(?:ROLE\s+)?({NAME})(\s+.*)?;?\s*",
    FLAGS,
)


def privileges(session: Session, sql: str) -> Result:
    """GRANT or REVOKE privileges on one object, or on all or future ones of a schema."""
    found = PRIVILEGES.fullmatch(sql)
    if not found:
        raise StatementError("001003", "42000", "SQL compilation error:\nsyntax error in GRANT")
    granted = {" ".join(one.split()).upper() for one in found[2].split(",")}
    role, rights = parts(found[7])[0], session.account.rights
    if not rights.has_role(role):
        raise missing("Role", role)
    name = full(session, found[5].upper(), found[6])
    if found[3]:
        kind = KINDS[found[4].upper()]
        _must_exist(session, (found[5].upper(), name))
        _only(session, GRANTERS, "grant privileges")
        if found[3].upper().startswith("FUTURE"):
            rights.grant_future(role, granted, kind, name)
            return results.status()
        objects: list[Object] = [
            (kind, one) for one in rights.objects(kind) if one[: len(name)] == name
        ]
    else:
        objects = [(found[5].upper(), name)]
    for one in objects:
        _grant(session, found[1].upper(), granted, one, role)
    return results.status()


def _grant(session: Session, verb: str, granted: set[str], what: Object, role: str) -> None:
    rights = session.account.rights
    _must_exist(session, what)
    if "OWNERSHIP" not in rights.privileges(session.who.roles(), what):
        _only(session, GRANTERS, "grant privileges")
    if verb == "REVOKE":
        rights.revoke(role, granted, what)
    elif "OWNERSHIP" in granted:
        rights.owners[what] = role
    elif "WRITE" in granted and "READ" not in granted | rights.privileges([role], what):
        # The number is not documented. That READ comes first is: page "Access control privileges".
        raise StatementError("003001", "42501", "READ on the stage must be granted before WRITE.")
    else:
        rights.grant(role, granted, what)


def _must_exist(session: Session, what: Object) -> None:
    kind, name = what
    if kind == "WAREHOUSE":
        there = name[0] in session.account.rights.warehouses
    elif kind in ("TABLE", "VIEW", "STAGE"):
        there = what in session.account.rights.owners
    else:
        there = session.account.has_schema(name)
    if not there:
        raise missing(kind.title(), ".".join(name))


def _only(session: Session, roles: tuple[str, ...], what: str) -> None:
    """Refuse a session whose role is none of these. A session without a role may do all."""
    if session.who.role and not set(roles) & session.who.roles():
        raise insufficient("account", what)


def use_role(session: Session, sql: str) -> Result:
    """USE ROLE: of a user that CREATE USER made, only its own roles."""
    role, rights = parts(sql.split()[2].rstrip(";"))[0], session.account.rights
    if not rights.has_role(role):
        raise StatementError(
            "002043", "02000", f"SQL compilation error:\nRole '{role}' does not exist"
        )
    user = rights.users.get(session.who.user)
    if user and role not in rights.with_inherited(user.roles):
        raise StatementError(
            "003013",
            "42501",
            f"SQL access control error:\nRequested role '{role}' is not assigned to the executing "
            "user. Specify another role to activate.",
        )
    session.who.role = role
    return results.status()


def use_secondary_roles(session: Session, sql: str) -> Result:
    """USE SECONDARY ROLES ALL or NONE."""
    session.who.secondary_roles = sql.split()[3].rstrip(";").upper() == "ALL"
    return results.status()


def use_warehouse(session: Session, sql: str) -> Result:
    """USE WAREHOUSE."""
    session.who.warehouse = parts(sql.split()[2].rstrip(";"))[0]
    if session.who.is_held and not session.who.has_warehouse():
        session.who.warehouse = ""
        raise StatementError(
            "002043", "02000", "SQL compilation error:\nObject does not exist, or no right to it."
        )
    return results.status()


COMMANDS: tuple[tuple[str, Callable[..., Result]], ...] = (
    (r"\s*CREATE\s+(OR\s+REPLACE\s+)?(ROLE|USER|WAREHOUSE)\s.*", create),
    (r"\s*DROP\s+(ROLE|USER|WAREHOUSE)\s.*", drop),
    (r"\s*GRANT\s+ROLE\s.*", grant_role),
    (r"\s*(GRANT|REVOKE)\s.*", privileges),
    (r"\s*USE\s+ROLE\s.*", use_role),
    (r"\s*USE\s+SECONDARY\s+ROLES\s.*", use_secondary_roles),
    (r"\s*USE\s+WAREHOUSE\s.*", use_warehouse),
)
