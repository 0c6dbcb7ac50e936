"""ALTER TABLE … ALTER COLUMN: what Snowflake allows of it.

Source: Snowflake documentation, page "ALTER TABLE … ALTER COLUMN". The numbers of the refusals are
not documented.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from . import names, results
from .errors import StatementError, missing
from .results import Result
from .versions import Key

if TYPE_CHECKING:
    from .sessions import Session

LONGEST = 16_777_216
FAMILIES = {
    "NUMBER": ("DECIMAL", "BIGINT", "INT", "NUMERIC", "HUGEINT", "SMALLINT", "TINYINT"),
    "TEXT": ("VARCHAR", "TEXT", "CHAR", "STRING"),
    "TIMESTAMP_NTZ": ("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"),
    "VARIANT": ("JSON", "VARIANT"),
    "FLOAT": ("DOUBLE", "FLOAT", "REAL"),
}


def run(session: Session, statement: exp.Alter, actions: list[exp.AlterColumn]) -> Result:
    """Change columns of a table."""
    table = statement.this
    key = names.key(session, table)
    if not session.account.kind(key):
        raise missing("Table", ".".join(key))
    for action in actions:
        _change(session, key, action)
    return results.status()


def rename(session: Session, old: Key, action: exp.AlterRename) -> None:
    """Note the new name of a table. Its grants and lengths stay. Source: page "ALTER TABLE"."""
    new = names.permanent(session, action.this)
    account = session.account
    account.record_lengths(new, account.lengths(old))
    account.record_lengths(old, {})
    account.versions.forget(old)
    account.rights.rename((account.kind(old), old), new)


def _change(session: Session, key: Key, action: exp.AlterColumn) -> None:
    column = names.text(action.this)
    if action.args.get("default") is not None:
        raise _refused(f"column {column}: a new default is not supported")
    if (new := action.args.get("dtype")) is not None:
        _change_type(session, key, column, new)
        return
    change = "DROP NOT NULL" if action.args.get("drop") else "SET NOT NULL"
    if action.args.get("allow_null") is None:
        change = "DROP DEFAULT"
    session.duck.execute(f'ALTER TABLE {names.sql(key)} ALTER COLUMN "{column}" {change}')


def _change_type(session: Session, key: Key, column: str, new: exp.DataType) -> None:
    """A text may only grow, the precision of a NUMBER may change, all else is refused."""
    old = _type(session, key, column)
    family = _family(new.this.name)
    if family != _family(old):
        raise _refused(f"cannot change column {column} from type {old} to {family}")
    if family == "TEXT":
        size = new.find(exp.DataTypeParam)
        length = int(size.name) if size else LONGEST
        lengths = session.account.lengths(key)
        if length < lengths.get(column, LONGEST):
            raise _refused(
                f"cannot change column {column} from type VARCHAR({lengths.get(column, LONGEST)}) "
                f"to VARCHAR({length}) because reducing the length is not supported"
            )
        session.account.record_lengths(key, {**lengths, column: length})
    elif family == "NUMBER" and _scale(new.sql("duckdb")) != _scale(old):
        raise _refused(f"cannot change the scale of column {column}")


def _type(session: Session, key: Key, column: str) -> str:
    found = session.duck.execute(
        "SELECT data_type FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? "
        "AND table_name = ? AND column_name = ?",
        [*key, column],
    ).fetchall()
    if not found:
        raise StatementError(
            "000904", "42000", f"SQL compilation error:\ninvalid identifier '{column}'"
        )
    return str(found[0][0])


def _family(type: str) -> str:
    base = re.sub(r"\(.*", "", type).upper()
    return next((name for name, members in FAMILIES.items() if base in members), base)


def _scale(type: str) -> int:
    found = re.search(r"\(\d+\s*,\s*(\d+)\)", type)
    return int(found[1]) if found else 0


def _refused(why: str) -> StatementError:
    return StatementError("002108", "22000", f"SQL compilation error:\n{why}.")
