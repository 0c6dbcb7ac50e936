"""INSERT, UPDATE, DELETE, MERGE and COPY: what they write, in whichever transaction is open.

Source: Snowflake documentation, pages "INSERT", "UPDATE", "DELETE", "MERGE", "COPY INTO <table>".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlglot import exp

from . import merge, names, reading, rules, stages
from .errors import StatementError
from .results import Result, counts
from .versions import ENDLESS, Change, Key, Rows

if TYPE_CHECKING:
    from .sessions import Session

Dml = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy)
LOCKING = (exp.Update, exp.Delete, exp.Merge)


def target(statement: exp.Expr) -> exp.Table:
    """The table that a statement writes."""
    table = statement.this
    found = table.this if isinstance(table, exp.Schema) else table
    if not isinstance(found, exp.Table):
        raise StatementError("001003", "42000", "SQL compilation error:\nsyntax error: no table")
    return found


def run(session: Session, statement: exp.Expr, key: Key) -> Result:
    """Run a statement that changes the table ``key``. Its lock is already taken."""
    if isinstance(statement, exp.Insert):
        return _insert(session, statement, key)
    if isinstance(statement, exp.Copy):
        return _copy(session, statement, key)
    if isinstance(statement, exp.Update):
        return _update(session, statement, key)
    if isinstance(statement, exp.Delete):
        return _delete(session, statement, key)
    assert isinstance(statement, exp.Merge)
    return merge.run(session, statement, key)


@contextmanager
def appending(session: Session, statement: exp.Expr, key: Key) -> Iterator[None]:
    """Let the block append rows to a table that only this transaction sees.

    The block runs the statement in a snapshot. If it fails, nothing was appended.
    """
    account = session.account
    assert session.transaction
    with account.versions.table(key).append:
        highest = f"SELECT COALESCE(MAX(rowid), -1) FROM {names.sql(key)}"
        before = int(session.duck.execute(highest).fetchall()[0][0])
        change = Change(key, Rows([(before + 1, ENDLESS)]), added=True, session=session)
        read = reading.keys(session, statement)
        try:
            with reading.snapshot(session, read, write=True, adds=change):
                yield
                check_lengths(session, key, before)
            after = int(session.duck.execute(highest).fetchall()[0][0])
        except BaseException:
            account.versions.drop(change)
            raise
        if after == before:
            account.versions.drop(change)
            return
        change.rows = Rows([(before + 1, after)])
        session.transaction.changes.append(change)


def remove(session: Session, key: Key, ids: list[int]) -> None:
    """Hide rows from the session. Its commit deletes them."""
    if ids:
        change = Change(key, session.account.versions.rows(ids), added=False, session=session)
        session.account.versions.add(change)
        assert session.transaction
        session.transaction.changes.append(change)


def check_lengths(session: Session, key: Key, before: int) -> None:
    """Refuse a text that is longer than its column.

    Source: Snowflake documentation, page "String & Binary Data Types": the length is a limit.
    """
    there = names.columns(session, key)
    lengths = {name: most for name, most in session.account.lengths(key).items() if name in there}
    if not lengths:
        return
    longest = ", ".join(f'max(length("{column}"))' for column in lengths)
    found = session.duck.execute(
        f"SELECT {longest} FROM {names.sql(key)} WHERE rowid > {before}"
    ).fetchall()[0]
    for (column, most), length in zip(lengths.items(), found):
        if length is not None and length > most:
            value = session.duck.execute(
                f'SELECT "{column}" FROM {names.sql(key)} '
                f'WHERE rowid > {before} AND length("{column}") > {most} LIMIT 1'
            ).fetchall()[0][0]
            raise StatementError(
                "100078",
                "22000",
                f"DML operation to table {key[2]} failed on column {column} with error: "
                f"String '{value}' is too long and would be truncated",
            )


def _insert(session: Session, statement: exp.Insert, key: Key) -> Result:
    table = target(statement)
    overwrite = bool(statement.args.get("overwrite"))
    statement.set("overwrite", None)
    old: list[int] = []
    with appending(session, statement, key):
        if overwrite:
            alias = exp.TableAlias(this=table.this.copy())
            mine = reading.seen(session, key, alias, latest=True)
            rows = reading.run(session, exp.select(reading.ROW_ID).from_(mine)).fetchall()
            old = [int(row[0]) for row in rows]
        reading.rewrite(session, statement, table)
        table.replace(names.node(key))
        cursor = reading.run(session, statement)
    remove(session, key, old)
    return counts({"number of rows inserted": cursor.rowcount}, exp.Insert)


def _copy(session: Session, statement: exp.Copy, key: Key) -> Result:
    """COPY skips the files that the table has loaded, but not after a rollback."""
    text = statement.sql("snowflake")
    purge = re.search(r"PURGE\s*=\s*TRUE", text, re.IGNORECASE)
    files = stages.files(session, _stage(statement), "READ")[1]
    if purge:
        stages.files(session, _stage(statement), "WRITE")
    if re.search(r"TYPE\s*=\s*'?JSON", text, re.IGNORECASE):
        rules.no_key_twice(files)
    history = session.account.load_history(session, key)
    newest = f"SELECT COALESCE(MAX(rowid), -1) FROM {history.split(' WHERE ')[0]}"
    loaded = session.duck.execute(newest).fetchall()[0][0]
    with appending(session, statement, key):
        cursor = reading.run(session, statement)
        result = Result.of_cursor(cursor, statement)

    def forget() -> None:
        session.duck.execute(f"DELETE FROM {history} AND rowid > {loaded}")

    assert session.transaction
    for change in session.transaction.changes[-1:]:
        change.undo = forget
    return result


def _stage(statement: exp.Copy) -> str:
    """The place of a COPY's files. A place in quotes loses them, as fakesnow takes none."""
    source = statement.args["files"][0]
    place = source.this
    if isinstance(place, exp.Literal) and place.name.startswith("@"):
        source.set("this", exp.Var(this=place.name))
    return str(source.this.name)


def _matching(
    session: Session, statement: exp.Expr, key: Key, others: list[exp.Expr], *, latest: bool
) -> exp.Select:
    """The rows that an UPDATE or a DELETE changes, without a list of columns."""
    table = target(statement)
    alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
    mine = reading.seen(session, key, alias.copy(), latest=latest)
    select = exp.select().from_(mine)
    for other in others:
        select = select.join(other, join_type="cross")
    if where := statement.args.get("where"):
        select = select.where(where.this)
    return select


def _of(statement: exp.Expr, column: str) -> exp.Column:
    table = target(statement)
    alias = table.args.get("alias")
    owner = (alias.this if alias else table.this).copy()
    return exp.Column(this=exp.to_identifier(column, quoted=True), table=owner)


def _sources(session: Session, statement: exp.Expr) -> list[exp.Expr]:
    """The tables of FROM or USING, as the session sees them."""
    table = target(statement)
    reading.rewrite(session, statement, table)
    using = statement.args.get("using") or []
    if from_ := statement.args.get("from_") or statement.args.get("from"):
        using = [from_.this, *(join.this for join in from_.this.args.get("joins") or [])]
    return [one.copy() for one in using]


def _update(session: Session, statement: exp.Update, key: Key) -> Result:
    """UPDATE appends the new rows and hides the old ones. SET reads the old values.

    It works on the latest version of its table, also in a session that is blind to it.
    """
    session.has_seen(key)
    with appending(session, statement, key):
        others = _sources(session, statement)
        matching = _matching(session, statement, key, others, latest=True)
        ids = _ids(session, statement, matching)
        values = {names.text(one.this.this): one.expression for one in statement.expressions}
        columns = names.columns(session, key)
        selected = [
            exp.alias_(values.get(name, _of(statement, name)), name, quoted=True)
            for name in columns
        ]
        if unknown := set(values) - set(columns):
            raise StatementError(
                "000904", "42000", f"SQL compilation error:\ninvalid identifier '{unknown.pop()}'"
            )
        rows = matching.select(*selected)
        if others:
            row_id = _of(statement, reading.ROW_ID).sql("snowflake")
            rows = rows.qualify(
                f"ROW_NUMBER() OVER (PARTITION BY {row_id} ORDER BY {row_id}) = 1",
                dialect="snowflake",
            )
        append(session, key, columns, rows)
    remove(session, key, ids)
    changed = {"number of rows updated": len(ids), "number of multi-joined rows updated": 0}
    return counts(changed, exp.Update)


def append(session: Session, key: Key, columns: list[str], rows: exp.Expr) -> int:
    """Insert the rows of a query into the columns of a table. Return how many."""
    fields = [exp.to_identifier(column, quoted=True) for column in columns]
    into = exp.Schema(this=names.node(key), expressions=fields)
    return int(reading.run(session, exp.Insert(this=into, expression=rows)).rowcount)


def _ids(session: Session, statement: exp.Expr, matching: exp.Select) -> list[int]:
    query = matching.copy().select(_of(statement, reading.ROW_ID)).distinct()
    return [int(row[0]) for row in reading.run(session, query).fetchall()]


def _delete(session: Session, statement: exp.Delete, key: Key) -> Result:
    with reading.snapshot(session, reading.keys(session, statement), write=False):
        others = _sources(session, statement)
        matching = _matching(session, statement, key, others, latest=False)
        ids = _ids(session, statement, matching)
    remove(session, key, ids)
    return counts({"number of rows deleted": len(ids)}, exp.Delete)
