"""MERGE as INSERT … SELECT and row ids, because fakesnow's MERGE commits what came before it.

Source: Snowflake documentation, page "MERGE".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import dml, names, reading
from .errors import StatementError
from .results import Result, counts
from .versions import Key

if TYPE_CHECKING:
    from .sessions import Session

CANDIDATES = "_MERGE"
OPERATION = "_OP"


def run(session: Session, statement: exp.Merge, key: Key) -> Result:
    """Run a MERGE into the table ``key``."""
    whens = statement.args["whens"].expressions
    with dml.appending(session, statement, key):
        reading.rewrite(session, statement, dml.target(statement))
        if len(whens) == 1 and not whens[0].args.get("matched"):
            inserted = _insert_new(session, statement, key, whens[0])
            return counts({"number of rows inserted": inserted}, exp.Merge)
        done, removed = _by_candidates(session, statement, key, whens)
    dml.remove(session, key, removed)
    return counts(done, exp.Merge)


def _alias(statement: exp.Merge) -> exp.TableAlias:
    table = dml.target(statement)
    return (table.args.get("alias") or exp.TableAlias(this=table.this)).copy()


def _twice(session: Session, target: exp.Subquery, row: int) -> StatementError:
    """The refusal of a MERGE that matches a row twice. Its text has the values of the row.

    Source: answers of live accounts in public issue trackers.
    """
    rows = exp.select("*").from_(target).where(exp.column(reading.ROW_ID).eq(row))
    (_, *values), *_ = reading.run(session, rows).fetchall()
    text = f"Duplicate row detected during DML action\nRow Values: {values}"
    return StatementError("100090", "42P18", text)


def _insert_new(session: Session, statement: exp.Merge, key: Key, when: exp.When) -> int:
    """Insert the rows of the source that match no row of the target."""
    target = reading.seen(session, key, _alias(statement), latest=False)
    matches = exp.select("1").from_(target).where(statement.args["on"].copy())
    fields, values = _values(session, key, when)
    source = statement.args["using"].copy()
    rows = exp.select(*values).from_(source).where(exp.not_(exp.Exists(this=matches)))
    if condition := when.args.get("condition"):
        rows = rows.where(condition.copy())
    return dml.append(session, key, fields, rows)


def _values(session: Session, key: Key, when: exp.When) -> tuple[list[str], list[exp.Expr]]:
    then = when.args["then"]
    values = [value.copy() for value in then.expression.expressions]
    if then.this is None:
        return names.columns(session, key), values
    return [
        names.text(one.this if isinstance(one, exp.Column) else one)
        for one in then.this.expressions
    ], values


def _by_candidates(
    session: Session, statement: exp.Merge, key: Key, whens: list[exp.When]
) -> tuple[dict[str, int], list[int]]:
    source_alias = statement.args["using"].alias_or_name
    target_alias = _alias(statement)
    row_id = exp.Column(this=exp.to_identifier(reading.ROW_ID), table=target_alias.this.copy())
    _make_candidates(session, statement, key, whens, row_id, source_alias)
    done: dict[str, int] = {}
    removed: list[int] = []
    columns = names.columns(session, key)
    for number, when in enumerate(whens):
        then = when.args["then"]
        of_clause = (
            f'FROM {CANDIDATES} AS "{source_alias}" WHERE "{source_alias}".{OPERATION} = {number}'
        )
        candidates: Any = exp.maybe_parse(
            f"SELECT {reading.ROW_ID} {of_clause}", dialect="snowflake"
        )
        if isinstance(then, exp.Insert):
            fields, values = _values(session, key, when)
            rows = candidates.select(*values, append=False)
            _count(done, "inserted", dml.append(session, key, fields, rows))
            continue
        ids = [int(row[0]) for row in reading.run(session, candidates.copy()).fetchall()]
        if len(set(ids)) != len(ids):
            twice = next(one for one in ids if ids.count(one) > 1)
            raise _twice(session, reading.seen(session, key, target_alias, latest=False), twice)
        removed += ids
        if isinstance(then, exp.Update):
            target = reading.seen(session, key, target_alias.copy(), latest=False)
            values_by_name = {names.text(one.this.this): one.expression for one in then.expressions}
            selected = [
                values_by_name.get(
                    name,
                    exp.Column(
                        this=exp.to_identifier(name, quoted=True), table=target_alias.this.copy()
                    ),
                )
                for name in columns
            ]
            on = exp.EQ(
                this=row_id.copy(), expression=exp.column(reading.ROW_ID, table=source_alias)
            )
            rows = candidates.select(*selected, append=False).join(target, on=on)
            dml.append(session, key, columns, rows)
            _count(done, "updated", len(ids))
        else:
            _count(done, "deleted", len(ids))
    session.duck.execute(f"DROP TABLE {CANDIDATES}")
    order = ("inserted", "updated", "deleted")
    return {f"number of rows {one}": done[one] for one in order if one in done}, removed


def _count(done: dict[str, int], what: str, rows: int) -> None:
    done[what] = done.get(what, 0) + rows


def _make_candidates(
    session: Session,
    statement: exp.Merge,
    key: Key,
    whens: list[exp.When],
    row_id: exp.Column,
    source_alias: str,
) -> None:
    """Join source and target once, and note which clause each row belongs to."""
    operation = exp.Case()
    for number, when in enumerate(whens):
        matched = exp.Is(this=row_id.copy(), expression=exp.Null())
        condition: Any = exp.not_(matched) if when.args.get("matched") else matched
        if extra := when.args.get("condition"):
            condition = exp.and_(condition, extra.copy())
        operation = operation.when(condition, exp.Literal.number(number))
    target = reading.seen(session, key, _alias(statement), latest=False)
    rows = (
        exp.select(row_id.copy(), exp.alias_(operation, OPERATION), f'"{source_alias}".*')
        .from_(statement.args["using"].copy())
        .join(target, on=statement.args["on"].copy(), join_type="left")
    )
    made = reading.transformed(session, rows)
    session.duck.execute(f"CREATE OR REPLACE TEMPORARY TABLE {CANDIDATES} AS {made}")
