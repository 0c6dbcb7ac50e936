"""Functions that Snowflake has and fakesnow lacks or runs differently, in DuckDB's words."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any

import fakesnow.macros
import fakesnow.transforms
import sqlglot
from sqlglot import exp

from . import access
from .passes import unchanged

if TYPE_CHECKING:
    from .sessions import Session

TIMESTAMPS = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ)
FORMATS = (
    ("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"),
    ("FF3", "%g"), ("FF", "%f"),
)  # fmt: skip
# fakesnow reads a number of seconds in the session's time zone. Snowflake reads it in UTC.
fakesnow.macros.FS_TO_TIMESTAMP = Template(
    fakesnow.macros.FS_TO_TIMESTAMP.template.replace(
        "cast(to_timestamp(", "timezone('UTC', to_timestamp("
    ).replace(" as TIMESTAMP)\n", ")\n")
)
# fakesnow makes the argument of SUM a float. Snowflake's SUM of integers is an integer.
fakesnow.transforms.numeric_agg_implicit_cast = unchanged


def translate(session: Session, statement: exp.Expr) -> exp.Expr:
    """Change a statement so that fakesnow runs it as Snowflake does in this session."""
    if session.parameter("QUOTED_IDENTIFIERS_IGNORE_CASE").upper() == "TRUE":
        statement = statement.transform(_any_case)
    given = session.parameter("TIMESTAMP_INPUT_FORMAT").upper()
    if given not in ("", "AUTO"):
        statement = statement.transform(lambda node: _in_format(node, given))
    return (
        statement.transform(_tries, copy=False)
        .transform(_json, copy=False)
        .transform(_texts, copy=False)
        .transform(lambda node: _columns(session, node), copy=False)
    )


def _any_case(node: exp.Expr) -> exp.Expr:
    """QUOTED_IDENTIFIERS_IGNORE_CASE: quotes do not keep small letters. Source: "Parameters"."""
    if isinstance(node, exp.Identifier) and node.quoted:
        return exp.to_identifier(node.name.upper(), quoted=True)
    return node


def _in_format(node: exp.Expr, given: str) -> exp.Expr:
    """TIMESTAMP_INPUT_FORMAT: texts are read in this format only. Source: page "Parameters".

    The stand-in recognises a text by a literal or a cast to VARCHAR.
    """
    if isinstance(node, exp.Anonymous) and node.name.upper().endswith("TO_TIMESTAMP_NTZ"):
        text = node.expressions[0] if len(node.expressions) == 1 else None
    elif isinstance(node, exp.UnixToTime) or (
        isinstance(node, exp.Cast) and node.to.this in TIMESTAMPS
    ):
        text = node.this
    else:
        return node
    is_text = isinstance(text, exp.Literal) and text.is_string
    is_text = is_text or (isinstance(text, exp.Cast) and text.to.this in exp.DataType.TEXT_TYPES)
    if text is None or not is_text:
        return node
    pattern = given
    for words, directive in FORMATS:
        pattern = pattern.replace(words, directive)
    read = exp.Anonymous(this="STRPTIME", expressions=[text, exp.Literal.string(pattern)])
    tries = isinstance(node, exp.TryCast) or node.name.upper().startswith("TRY_")
    return _tried(read) if tries else read


def _tries(node: exp.Expr) -> exp.Expr:
    """TRY_CAST and TRY_TO_… give NULL for a value that cannot be converted.

    Source: Snowflake documentation, pages "TRY_CAST" and "TRY_TO_TIMESTAMP".
    """
    if isinstance(node, exp.TryCast):
        return _tried(exp.Cast(this=node.this, to=node.args["to"]))
    if isinstance(node, exp.Anonymous) and node.name.upper().startswith("TRY_TO_TIMESTAMP"):
        return _tried(exp.Anonymous(this=node.name[len("TRY_") :], expressions=node.expressions))
    return node


def _texts(node: exp.Expr) -> exp.Expr:
    """TO_VARCHAR of a time writes it in the given format. Source: page "TO_CHAR, TO_VARCHAR".

    The stand-in takes each format with a letter for the format of a time.
    """
    if isinstance(node, exp.ToChar) and isinstance(node.args.get("format"), exp.Literal):
        pattern = str(node.args["format"].name)
        if any(letter.isalpha() for letter in pattern):
            for words, directive in FORMATS:
                pattern = pattern.replace(words, directive)
            return exp.Anonymous(
                this="STRFTIME", expressions=[node.this, exp.Literal.string(pattern)]
            )
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


def _columns(session: Session, node: exp.Expr) -> exp.Expr:
    """The view COLUMNS tells lengths and identities as Snowflake does. Source: its page.

    It has only tables that the role has a right to.
    """
    if (
        isinstance(node, exp.Table)
        and node.name.upper() == "COLUMNS"
        and node.db.upper() == "INFORMATION_SCHEMA"
    ):
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("columns"))
        query: Any = sqlglot.parse_one(COLUMNS, read="snowflake")
        for table in query.find_all(exp.Table):
            table.set("catalog", node.args.get("catalog"))
        if session.who.is_held:
            query = query.where(_told(session), dialect="snowflake")
        return exp.Subquery(this=query, alias=alias.copy())
    return node


def _told(session: Session) -> str:
    told = [
        ".".join(key)
        for kind in ("TABLE", "VIEW")
        for key in session.account.rights.objects(kind)
        if access.visible(session, (kind, key))
    ]
    listed = ", ".join(f"'{one}'" for one in ["", *told])
    return f"table_catalog || '.' || table_schema || '.' || table_name IN ({listed})"


def _tried(node: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="TRY", expressions=[node])
