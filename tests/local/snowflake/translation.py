"""Functions that Snowflake has and fakesnow lacks or runs differently, in DuckDB's words."""

from __future__ import annotations

import fakesnow.transforms
import sqlglot
from sqlglot import exp

# fakesnow makes the argument of SUM a float. Snowflake's SUM of integers is an integer.
fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


def translate(statement: exp.Expr) -> exp.Expr:
    """Change a statement so that fakesnow runs it as Snowflake does."""
    return statement.transform(_tries).transform(_json).transform(_columns)


def _tries(node: exp.Expr) -> exp.Expr:
    """TRY_CAST and TRY_TO_… give NULL for a value that cannot be converted.

    Source: Snowflake documentation, pages "TRY_CAST" and "TRY_TO_TIMESTAMP".
    """
    if isinstance(node, exp.TryCast):
        return _tried(exp.Cast(this=node.this, to=node.args["to"]))
    if isinstance(node, exp.Anonymous) and node.name.upper().startswith("TRY_TO_TIMESTAMP"):
        return _tried(exp.Anonymous(this=node.name[len("TRY_") :], expressions=node.expressions))
    return node


# What PARSE_JSON reads: NULL for an empty text. It finds a key that is twice in the outer object;
# ``rules.py`` looks into inner objects too, but only of a literal.
PARSED = """CREATE MACRO _stand_in.main.parsed(x) AS CASE
    WHEN trim(x) = '' THEN NULL
    WHEN json_valid(x) AND json_type(x) = 'OBJECT'
        AND len(json_keys(x)) <> len(list_distinct(json_keys(x)))
        THEN error('Error parsing JSON: duplicate object attribute')
    ELSE x END"""


def _json(node: exp.Expr) -> exp.Expr:
    """PARSE_JSON gives NULL for an empty text, and refuses a key twice. Source: its page."""
    if isinstance(node, exp.ParseJSON) and not node.args.get("safe") and node.this:
        checked = exp.Anonymous(this="_stand_in.main.parsed", expressions=[node.this])
        return exp.ParseJSON(this=checked)
    return node


COLUMNS = """SELECT * REPLACE (
    CASE WHEN column_default LIKE 'nextval%' THEN NULL ELSE column_default END AS column_default,
    CASE WHEN column_default LIKE 'nextval%' THEN 'YES' ELSE 'NO' END AS is_identity,
    CASE WHEN data_type = 'TEXT' THEN COALESCE(character_maximum_length, 16777216) END
        AS character_maximum_length
) FROM information_schema.columns"""


def _columns(node: exp.Expr) -> exp.Expr:
    """The view COLUMNS tells lengths and identities as Snowflake does. Source: its page."""
    if (
        isinstance(node, exp.Table)
        and node.name.upper() == "COLUMNS"
        and node.db.upper() == "INFORMATION_SCHEMA"
    ):
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("columns"))
        query = sqlglot.parse_one(COLUMNS, read="snowflake")
        for table in query.find_all(exp.Table):
            table.set("catalog", node.args.get("catalog"))
        return exp.Subquery(this=query, alias=alias.copy())
    return node


def _tried(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="TRY", expressions=[node])
