"""Rewrites what a statement reads, so that a session sees its own rows and committed ones only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

from sqlglot import exp

from . import names, passes
from .versions import Change, Key

if TYPE_CHECKING:
    from .sessions import Session

ROW_ID = "_RID"


@contextmanager
def snapshot(
    session: Session, keys: Iterable[Key], *, write: bool, adds: Optional[Change] = None
) -> Iterator[None]:
    """Let the statements of the block read one state of the database.

    DuckDB takes its snapshot when a transaction first reads. Under one lock, the session also notes
    which rows of each table it sees. So a COMMIT or ROLLBACK of another session either happened
    before the whole block, or does not concern it.

    Args:
        session: who reads.
        keys: the tables that the block reads.
        write: whether the block writes.
        adds: the rows that the block will add.
    """
    account = session.account
    with account.versions.lock:
        session.sight = {
            (key, latest): account.condition(key, session, latest=latest)
            for key in keys
            for latest in (False, True)
        }
        session.duck.execute("BEGIN")
        for database in account.databases():
            history = f'"{database}"._fs_information_schema._fs_load_history'
            session.duck.execute(f"SELECT 1 FROM {history} LIMIT 0")
        if adds:
            account.versions.add(adds)
    try:
        yield
    except BaseException:
        session.duck.execute("ROLLBACK")
        raise
    session.duck.execute("COMMIT" if write else "ROLLBACK")


def keys(session: Session, *statements: exp.Expr) -> set[Key]:
    """The tables that statements read, also those of the views that they read."""
    found: set[Key] = set()
    waiting = list(statements)
    while waiting:
        for table in names.read_tables(waiting.pop()):
            key = names.key(session, table)
            if key not in found:
                found.add(key)
                waiting += [session.account.views[key]] if key in session.account.views else []
    return found


def rewrite(session: Session, statement: exp.Expr, target: Optional[exp.Table] = None) -> None:
    """Let each table in a statement mean the rows that the session sees.

    Args:
        session: who reads.
        statement: changed in place.
        target: a table that the statement writes and that stays as it is.
    """
    expand_views(session, statement)
    for table in names.read_tables(statement):
        if table is target:
            continue
        key = names.key(session, table)
        condition = session.sight[key, False]
        if condition is None:
            if key[0] == names.TEMPORARY:
                table.set("db", None)
                table.set("catalog", None)
            continue
        table.replace(_subquery(key, condition, _alias(table), row_ids=False))


def seen(session: Session, key: Key, alias: exp.TableAlias, *, latest: bool) -> exp.Subquery:
    """The rows of a table that a session sees, with their row ids in the column ``_RID``.

    With ``latest``, also those that a blind session would not see.
    """
    condition = session.sight[key, latest]
    return _subquery(key, condition, alias, row_ids=True)


def _subquery(
    key: Key, condition: Optional[exp.Expr], alias: exp.TableAlias, *, row_ids: bool
) -> exp.Subquery:
    row_id = [exp.alias_(exp.column("rowid"), ROW_ID)] if row_ids else []
    select = exp.select(*row_id, exp.Star()).from_(names.node(key))
    if condition is not None:
        select = select.where(condition)
    return exp.Subquery(this=select, alias=alias)


def _alias(table: exp.Table) -> exp.TableAlias:
    given = table.args.get("alias")
    return given.copy() if given else exp.TableAlias(this=table.this.copy())


def expand_views(session: Session, statement: exp.Expr) -> None:
    """Replace each view by its query, if a session may not see all rows of a table in it."""
    for _ in range(10):  # a view of views
        found = False
        for table in names.read_tables(statement):
            query = session.account.views.get(names.key(session, table))
            if query is not None and _hides(session, query):
                table.replace(exp.Subquery(this=query.copy(), alias=_alias(table)))
                found = True
        if not found:
            return


def _hides(session: Session, query: exp.Expr) -> bool:
    """Whether a session may not see all rows of a table that a query reads, also in views."""
    return any(session.sight[key, False] is not None for key in keys(session, query))


def run(session: Session, statement: exp.Expr) -> Any:
    """Let fakesnow transform and run a statement. Return its cursor."""
    cursor = session.fake.cursor()
    for part in cursor._transform_explode(statement):
        cursor._execute(passes.transformed(cursor, part), None)
    return cursor


def transformed(session: Session, query: exp.Expr) -> str:
    """The text of a query for DuckDB."""
    return str(passes.transformed(session.fake.cursor(), query).sql(dialect="duckdb"))
