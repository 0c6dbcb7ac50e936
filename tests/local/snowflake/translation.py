"""Functions that Snowflake has and fakesnow lacks or runs differently, in DuckDB's words."""

from __future__ import annotations

import fakesnow.transforms
from sqlglot import exp

# fakesnow makes the argument of SUM a float. Snowflake's SUM of integers is an integer.
fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


def translate(statement: exp.Expr) -> exp.Expr:
    """Change a statement so that fakesnow runs it as Snowflake does."""
    return statement.transform(_tries)


def _tries(node: exp.Expr) -> exp.Expr:
    """TRY_CAST and TRY_TO_… give NULL for a value that cannot be converted.

    Source: Snowflake documentation, pages "TRY_CAST" and "TRY_TO_TIMESTAMP".
    """
    if isinstance(node, exp.TryCast):
        return _tried(exp.Cast(this=node.this, to=node.args["to"]))
    if isinstance(node, exp.Anonymous) and node.name.upper().startswith("TRY_TO_TIMESTAMP"):
        return _tried(exp.Anonymous(this=node.name[len("TRY_") :], expressions=node.expressions))
    return node


def _tried(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="TRY", expressions=[node])
