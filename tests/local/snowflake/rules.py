"""What Snowflake refuses although fakesnow accepts it, in the text of a statement or in a file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import names
from .errors import StatementError

if TYPE_CHECKING:
    from .sessions import Session

SEMI_STRUCTURED = (exp.ParseJSON, exp.ToVariant, exp.StarMap, exp.Struct, exp.Array)
CHECKED_BYTES = 2_000_000  # larger files are not searched for a key that is twice in an object


def check(session: Session, statement: exp.Expr) -> None:
    """Refuse a statement for what it says.

    Raises:
        StatementError: see the functions of this module.
    """
    no_json_in_values(statement)
    no_literal_with_key_twice(statement)
    if session.parameter("DEFAULT_DDL_COLLATION"):
        no_in_with_collation(statement)
        no_like_with_collation(statement)


def no_json_in_values(statement: exp.Expr) -> None:
    """VALUES takes no semi-structured values: 002014.

    Source: transcripts of live sessions; page "INSERT" advises INSERT … SELECT.
    """
    for values in statement.find_all(exp.Values):
        if found := values.find(*SEMI_STRUCTURED):
            raise StatementError(
                "002014",
                "22000",
                "SQL compilation error:\n"
                f"Invalid expression [{found.sql('snowflake')}] in VALUES clause",
            )


def no_in_with_collation(statement: exp.Expr) -> None:
    """IN does not support arguments with a collation.

    Every text column that is created while DEFAULT_DDL_COLLATION is set has one. The stand-in takes
    each column for such a column; a cast of a VARIANT has no collation. The number is not
    documented.
    Source: pages "[NOT] IN" and "Parameters".
    """
    for one in statement.find_all(exp.In):
        if _of_user_table(statement) and any(map(_has_collation, (one.this, *one.expressions))):
            raise StatementError(
                "000002", "0A000", "Unsupported feature 'IN with a collated argument'."
            )


def no_like_with_collation(statement: exp.Expr) -> None:
    """LIKE does not support a collation with a language. See ``no_in_with_collation``.

    Source: pages "[NOT] LIKE" and "Collation support".
    """
    for one in statement.find_all(exp.Like, exp.ILike):
        if _of_user_table(statement) and any(map(_has_collation, (one.this, one.expression))):
            raise StatementError(
                "000002", "0A000", "Unsupported feature 'LIKE with a collated argument'."
            )


def _has_collation(value: exp.Expr) -> bool:
    """Whether a column is in a value. What is read from a VARIANT is cast and has no collation."""
    if isinstance(value, (exp.Cast, exp.Select)):
        return False
    return isinstance(value, exp.Column) or any(map(_has_collation, value.iter_expressions()))


def _of_user_table(statement: exp.Expr) -> bool:
    return any(True for _ in names.read_tables(statement))


def no_key_twice(files: Iterable[Path]) -> None:
    """JSON with a key twice in an object is refused: 100069.

    Source: page "COPY INTO <table>", ALLOW_DUPLICATE = FALSE; transcripts of live sessions. Files
    with more than ``CHECKED_BYTES`` are not read, because that would take as long as the COPY.
    """
    for file in files:
        if file.stat().st_size > CHECKED_BYTES:
            continue
        data = file.read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for number, line in enumerate(text.splitlines(), 1):
            try:
                json.loads(line, object_pairs_hook=_once)
            except KeyTwiceError as error:
                raise parsing(f"{error}, file {file.name}, line {number}") from None
            except ValueError:
                return  # the COPY itself tells


class KeyTwiceError(ValueError):
    """An object has a key twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise KeyTwiceError(f"duplicate object attribute '{key}'")
        found[key] = value
    return found


def no_literal_with_key_twice(statement: exp.Expr) -> None:
    """PARSE_JSON of a literal refuses a key twice, in an inner object too: 100069."""
    for call in statement.find_all(exp.ParseJSON):
        if isinstance(call.this, exp.Literal) and not call.args.get("safe"):
            try:
                json.loads(call.this.name, object_pairs_hook=_once)
            except KeyTwiceError as error:
                raise parsing(str(error)) from None
            except ValueError:
                continue  # DuckDB tells


def parsing(detail: str) -> StatementError:
    """The refusal of JSON. Source: transcripts of live sessions."""
    return StatementError("100069", "22P02", f"Error parsing JSON: {detail}")
