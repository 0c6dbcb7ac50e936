"""Names of tables: which object a name in a statement means in a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from sqlglot import exp

from .versions import Key

if TYPE_CHECKING:
    from .sessions import Session

TEMPORARY = "temp"


def text(identifier: Any) -> str:
    """An identifier as Snowflake stores it: in upper case unless it has quotes."""
    if not isinstance(identifier, exp.Identifier):
        return str(identifier or "").upper()
    return str(identifier.this) if identifier.quoted else str(identifier.this).upper()


def key(session: Session, table: exp.Table) -> Key:
    """The table that a name means in this session.

    A temporary table hides a permanent one of the same name.
    Source: Snowflake documentation, page "Working with Temporary and Transient Tables".
    """
    database, schema, name = permanent(session, table)
    if session.temporary.get(name) == (database, schema):
        return (TEMPORARY, str(session.number), name)
    return (database, schema, name)


def permanent(session: Session, table: exp.Table) -> Key:
    """The permanent table that a name means, even if a temporary one hides it."""
    return (
        text(table.args.get("catalog")) or session.database,
        text(table.args.get("db")) or session.schema,
        text(table.this),
    )


def sql(key: Key) -> str:
    """The full name of a table in DuckDB."""
    parts = (TEMPORARY, "main", key[2]) if key[0] == TEMPORARY else key
    return ".".join(f'"{part}"' for part in parts)


def node(key: Key, alias: Optional[exp.TableAlias] = None) -> exp.Table:
    """The full name of a table, as a part of a statement.

    A temporary table has no schema in DuckDB, and fakesnow wants no ``main``.
    """
    name = exp.to_identifier(key[2], quoted=True)
    if key[0] == TEMPORARY:
        return exp.Table(this=name, alias=alias)
    return exp.Table(
        this=name,
        db=exp.to_identifier(key[1], quoted=True),
        catalog=exp.to_identifier(key[0], quoted=True),
        alias=alias,
    )


def read_tables(statement: exp.Expr) -> Iterator[exp.Table]:
    """The names of tables and views in a statement, without those of common table expressions."""
    local = {text(cte.args["alias"].this) for cte in statement.find_all(exp.CTE)}
    for table in list(statement.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier):
            continue
        if not table.args.get("db") and text(table.this) in local:
            continue
        if text(table.args.get("db")) == "INFORMATION_SCHEMA":
            continue
        yield table


def columns(session: Session, key: Key) -> list[str]:
    """The columns of a table, in order."""
    session.duck.execute(f"SELECT * FROM {sql(key)} LIMIT 0")
    return [str(one[0]) for one in session.duck.description]
