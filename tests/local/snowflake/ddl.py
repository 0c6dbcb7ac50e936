"""CREATE, ALTER and DROP: they commit, and tables keep NOT NULL and lengths but no keys.

Source: Snowflake documentation, pages "Transactions" (section "DDL"), "CREATE TABLE",
"Constraints": PRIMARY KEY and UNIQUE of a standard table are not enforced, NOT NULL is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from sqlglot import exp

from . import alter, names, passes, reading, results
from .errors import StatementError
from .results import Result
from .versions import Key

if TYPE_CHECKING:
    from .sessions import Session

Ddl = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Comment)
KEYS = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint)


def run(session: Session, statement: exp.Expr) -> Result:
    """Commit the open transaction, then run a statement that changes the catalog."""
    session.commit()
    with session.account.ddl:
        if isinstance(statement, exp.Create):
            return _create(session, statement)
        if isinstance(statement, exp.Drop):
            return _drop(session, statement)
        actions = statement.args.get("actions") or []
        if actions and all(isinstance(one, exp.AlterColumn) for one in actions):
            assert isinstance(statement, exp.Alter)
            return alter.run(session, statement, actions)
        renamed = [one for one in actions if isinstance(one, exp.AlterRename)]
        key = names.key(session, statement.this) if renamed else None
        result = Result.of_cursor(reading.run(session, statement), statement)
        if key:
            alter.rename(session, key, renamed[0])
        return result


def _create(session: Session, statement: exp.Create) -> Result:
    kind = str(statement.args.get("kind") or "").upper()
    if kind == "TABLE" and statement.this.find(exp.Table):
        return _create_table(session, statement)
    if kind == "VIEW":
        return _create_view(session, statement)
    result = Result.of_cursor(reading.run(session, statement), statement)
    if made := statement.find(exp.Table):
        _note(session, kind, made)
    return result


def _note(session: Session, kind: str, made: exp.Table) -> None:
    """Note the owner of an object."""
    if kind == "DATABASE":
        session.account.add_database(names.text(made.this))
        name: tuple[str, ...] = (names.text(made.this),)
    elif kind == "SCHEMA":
        name = (
            names.text(made.args.get("catalog")) or session.database,
            names.text(made.args["db"]),
        )
    else:
        name = names.permanent(session, made)
    if (kind, name) not in session.account.rights.owners:
        session.account.rights.created((kind, name), session.who.role)


def _create_table(session: Session, statement: exp.Create) -> Result:
    """Create a table, with the rows of its query at once if it has one."""
    table = statement.find(exp.Table)
    assert table
    temporary = bool(statement.find(exp.TemporaryProperty))
    key = _key(session, table, temporary=temporary)
    exists = table_exists(session, key)
    if exists and statement.args.get("exists"):
        return results.status(f"{key[2]} already exists, statement succeeded.")
    if exists and not statement.args.get("replace"):
        raise already_exists(key[2])
    statement.set("exists", None)
    lengths = _columns_without_keys(statement)
    query = statement.expression if isinstance(statement.this, exp.Schema) else None
    if query is not None:
        statement.set("expression", None)
    table.replace(names.node(key))
    _write_table(session, statement, key, query)
    session.account.versions.forget(key)
    session.account.views.pop(key, None)
    if temporary:
        session.temporary[key[2]] = (session.database, session.schema)
    else:
        session.account.record_lengths(key, lengths)
        session.account.rights.created(("TABLE", key), session.who.role)
    return results.status(f"Table {key[2]} successfully created.")


def _write_table(
    session: Session, statement: exp.Create, key: Key, query: Optional[exp.Expr]
) -> None:
    """Make the table and its rows in one transaction of DuckDB, so that nobody sees it empty."""
    source = query if query is not None else statement.expression
    read = reading.keys(session, *([] if source is None else [source]))
    with reading.snapshot(session, read, write=True):
        if source is not None:
            reading.rewrite(session, source)
        cursor = session.fake.cursor()
        for part in cursor._transform_explode(statement):
            session.duck.execute(passes.transformed(cursor, part).sql(dialect="duckdb"))
        if query is not None:
            rows = passes.transformed(cursor, query).sql(dialect="duckdb")
            session.duck.execute(f"INSERT INTO {names.sql(key)} {rows}")
        session.duck.execute(f"DELETE FROM {session.account.load_history(session, key)}")


def _key(session: Session, table: exp.Table, *, temporary: bool) -> Key:
    if temporary:
        return (names.TEMPORARY, str(session.number), names.text(table.this))
    return names.permanent(session, table)


def table_exists(session: Session, key: Key) -> bool:
    """Whether a table has this key."""
    if key[0] == names.TEMPORARY:
        return key[2] in session.temporary
    return bool(session.account.kind(key))


def already_exists(name: str) -> StatementError:
    """CREATE without IF NOT EXISTS."""
    return StatementError(
        "002002", "42710", f"SQL compilation error:\nObject '{name}' already exists."
    )


def _columns_without_keys(statement: exp.Create) -> dict[str, int]:
    """Remove PRIMARY KEY and UNIQUE, and return the lengths of texts.

    A column of a PRIMARY KEY is NOT NULL.
    """
    schema = statement.this
    if not isinstance(schema, exp.Schema):
        return {}
    required: set[str] = set()
    kept: list[exp.Expr] = []
    for part in schema.expressions:
        if isinstance(part, exp.ColumnDef):
            kept.append(part)
            continue
        for primary in part.find_all(exp.PrimaryKey):
            required |= {names.text(one.find(exp.Identifier)) for one in primary.expressions}
    schema.set("expressions", kept)
    lengths: dict[str, int] = {}
    for column in kept:
        _without_keys(column, required)
        type = column.args.get("kind")
        if isinstance(type, exp.DataType) and type.this in exp.DataType.TEXT_TYPES:
            size = type.find(exp.DataTypeParam)
            lengths[names.text(column.this)] = int(size.name) if size else alter.LONGEST
    return lengths


def _without_keys(column: exp.Expr, required: set[str]) -> None:
    constraints = column.args.get("constraints") or []
    is_key = names.text(column.this) in required or any(
        isinstance(one.kind, exp.PrimaryKeyColumnConstraint) for one in constraints
    )
    left = [one for one in constraints if not isinstance(one.kind, KEYS)]
    if is_key and not any(isinstance(one.kind, exp.NotNullColumnConstraint) for one in left):
        left.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    column.set("constraints", left)


def _create_view(session: Session, statement: exp.Create) -> Result:
    table = statement.find(exp.Table)
    assert table
    key = _key(session, table, temporary=False)
    query = statement.expression.copy()
    for read in names.read_tables(query):
        read.replace(names.node(names.key(session, read), read.args.get("alias")))
    result = Result.of_cursor(reading.run(session, statement), statement)
    session.account.rights.forget(("TABLE", key))
    session.account.rights.created(("VIEW", key), session.who.role)
    if not isinstance(statement.this, exp.Schema):
        session.account.views[key] = query
    return result


def _drop(session: Session, statement: exp.Drop) -> Result:
    table = statement.find(exp.Table)
    key = names.key(session, table) if table else None
    if table and key and key[0] == names.TEMPORARY:
        table.replace(names.node(key))
    result = Result.of_cursor(reading.run(session, statement), statement)
    if key:
        session.account.versions.forget(key)
        session.account.views.pop(key, None)
        session.account.dropped(str(statement.args.get("kind")).upper(), key)
        if key[0] == names.TEMPORARY:
            session.temporary.pop(key[2], None)
    return result
