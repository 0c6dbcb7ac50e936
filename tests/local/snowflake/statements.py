"""Runs one statement of a session: parses it, applies the rules, and lets fakesnow do the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fakesnow.dialect import parse_one
from fakesnow.statement_type import statement_type_id
from sqlglot import exp

from . import access, commands, ddl, dml, names, reading, rules
from .errors import StatementError, translate
from .results import Result
from .translation import translate as translate_for

if TYPE_CHECKING:
    from .sessions import Session


def execute(session: Session, sql: str, bindings: Sequence[Any] = ()) -> Result:
    """Run a statement, with the fault that a test wants for it.

    Args:
        session: who sends it. It runs one statement at a time.
        sql: the text.
        bindings: the values of its question marks.

    Raises:
        StatementError: it is refused.
    """
    sent = session.scope.log(session.number, session.who.role, sql)
    try:
        result = session.scope.faults.around(
            session, sql, lambda: _execute_alone(session, sql, bindings)
        )
    except StatementError as error:
        sent["outcome"] = error.number
        raise
    sent["outcome"] = "ok"
    return result


def _execute_alone(session: Session, sql: str, bindings: Sequence[Any]) -> Result:
    """Run a statement while no other one of its session runs."""
    with session.busy:
        session.begins_statement()
        try:
            result = _execute(session, sql, bindings)
        except Exception as error:
            session.ends_statement()
            raise translate(error) from error
        if session.ends_statement():
            raise StatementError("000604", "57014", "SQL execution canceled")
        return result


def _execute(session: Session, sql: str, bindings: Sequence[Any]) -> Result:
    if commands.ROLLBACK.fullmatch(sql):
        return commands.run_rollback(session)
    session.refuse_if_failed()
    if command := commands.find(sql):
        return command(session, sql)
    statement = bound(parse_one(sql), bindings)
    rules.check(session, statement)
    statement = translate_for(session, commands.with_values(session, statement))
    session.fake.cursor().check_db_and_schema(statement)
    access.check(session, statement)
    if isinstance(statement, dml.Dml):
        return _change(session, statement)
    if isinstance(statement, ddl.Ddl):
        return ddl.run(session, statement)
    return _read(session, statement)


def describe(session: Session, sql: str) -> Result:
    """Describe the columns of a query. Other statements are not run, and have no columns.

    A client asks for it before it sends values for question marks.
    """
    statement = parse_one(sql)
    if not isinstance(statement, exp.Query):
        return Result(rows=[], type_id=statement_type_id(statement))
    nothing = [None] * len(list(statement.find_all(exp.Placeholder)))
    found = execute(session, f"SELECT * FROM ({sql}) LIMIT 0", nothing)
    return Result(found.rowtype, rows=[], type_id=statement_type_id(statement))


def bound(statement: exp.Expr, bindings: Sequence[Any]) -> exp.Expr:
    """Put values in the place of question marks."""
    values = iter(bindings)
    for placeholder in list(statement.find_all(exp.Placeholder, bfs=False)) if bindings else ():
        placeholder.replace(exp.convert(next(values)))
    return statement


def _read(session: Session, statement: exp.Expr) -> Result:
    if not isinstance(statement, exp.Query):
        return Result.of_cursor(reading.run(session, statement), statement)
    with reading.snapshot(session, reading.keys(session, statement), write=False):
        reading.rewrite(session, statement)
        return Result.of_cursor(reading.run(session, statement), statement)


def _change(session: Session, statement: exp.Expr) -> Result:
    """Run DML in the open transaction, or in one of its own.

    A failed statement leaves the transaction open, with what it had. With AUTOCOMMIT off, a
    transaction begins at the first DML.
    Source: Snowflake documentation, page "Transactions".
    """
    key = names.key(session, dml.target(statement))
    alone = session.autocommit and session.transaction is None
    transaction = session.begin()
    try:
        if isinstance(statement, dml.LOCKING) and key[0] != names.TEMPORARY:
            session.lock(key)
        result = dml.run(session, statement, key)
    except BaseException:
        if alone:
            session.roll_back()
        raise
    if alone and not transaction.aborted:
        session.commit()
    return result
