"""Refusals with Snowflake's numbers and SQLSTATEs, also for what DuckDB refuses in its own words.

The numbers are those that Snowflake's documentation, its drivers and transcripts of live sessions
name. A number that none of them names says so where it is raised.
"""

from __future__ import annotations

import re

import duckdb
import snowflake.connector.errors


class StatementError(Exception):
    """A statement that is refused, or a login.

    Attributes:
        number: six digits, as in the ``code`` of an answer.
        sqlstate: five characters.
        message: the text of the answer.
    """

    def __init__(self, number: str, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.sqlstate = sqlstate
        self.message = message


# Words in DuckDB's text about a value, and the number with which Snowflake refuses that value.
VALUES = (
    (r"duplicate object attribute|Error parsing JSON", "100069", "22P02"),
    (r"to BOOL", "100037", "22018"),
    (r"Could not cast value .* to DECIMAL", "100039", "22003"),
    (r"(?:to type|as) (?:class )?DATE|[Ii]nvalid date|date field", "100040", "22007"),
    (r"timestamp|TIMESTAMP|according to format", "100035", "22007"),
    (r"[Mm]alformed JSON|JSON", "100069", "22P02"),
    (r"out of range|Overflow|overflow", "100039", "22003"),
    (r"Could not convert|Could not cast|Conversion", "100038", "22018"),
)


def translate(error: Exception) -> StatementError:
    """Return the refusal with which Snowflake would answer instead of this exception.

    An exception that is not known becomes 000603, Snowflake's internal error, because an HTTP 500
    would be tried again by the client.
    """
    if isinstance(error, StatementError):
        return error
    cause = error.__cause__ if isinstance(error.__cause__, duckdb.Error) else error
    text = str(cause.args[0] if cause.args else cause)
    if isinstance(cause, duckdb.Error):
        return _of_duckdb(cause, text)
    if isinstance(error, snowflake.connector.errors.Error) and error.errno is not None:
        return StatementError(f"{error.errno:06d}", error.sqlstate or "42000", str(error.msg))
    if isinstance(error, NotImplementedError):
        return StatementError("000002", "0A000", f"Unsupported feature: {text}")
    return StatementError("000603", "XX000", f"{type(error).__name__}: {text}")


def _of_duckdb(error: duckdb.Error, text: str) -> StatementError:
    if null := re.search(r"NOT NULL constraint failed: (?:\w+\.)*(\w+)\.(\w+)", text):
        return null_value(null[1], null[2])
    if isinstance(error, duckdb.InterruptException):
        return StatementError("000604", "57014", "SQL execution canceled")
    if isinstance(error, duckdb.ParserException):
        return StatementError("001003", "42000", f"SQL compilation error:\n{text}")
    if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
        return _of_catalog(text) if text.startswith("Catalog") else _of_binder(text)
    return _of_value(text)


def _of_value(text: str) -> StatementError:
    for words, number, sqlstate in VALUES:
        if re.search(words, text):
            return StatementError(number, sqlstate, text)
    return StatementError("000603", "XX000", text)


def _of_catalog(text: str) -> StatementError:
    if "already exists" in text:
        return StatementError("002002", "42710", f"SQL compilation error:\n{text}")
    if "Function" in text:
        return StatementError("002140", "42601", f"SQL compilation error:\n{text}")
    return StatementError("002003", "42S02", f"SQL compilation error:\n{text}")


def _of_binder(text: str) -> StatementError:
    if "Duplicate struct entry name" in text:
        return StatementError("100103", "22000", text)
    if "Ambiguous reference" in text:
        return StatementError("002028", "42601", f"SQL compilation error:\n{text}")
    if re.search(r"[Rr]eferenced (column|table)|does not have a column", text):
        name = re.search(r'"([^"]+)"', text)
        return StatementError(
            "000904",
            "42000",
            f"SQL compilation error:\ninvalid identifier '{name[1] if name else '?'}'\n{text}",
        )
    if "values for" in text or "columns but" in text:
        return StatementError("002020", "42601", f"SQL compilation error:\n{text}")
    return StatementError("001007", "22023", f"SQL compilation error:\n{text}")


def null_value(table: str, column: str) -> StatementError:
    """NULL in a column that is NOT NULL. Source: transcripts of live sessions."""
    return StatementError(
        "100072",
        "22000",
        f"DML operation to table {table} failed on column {column} with error: "
        "NULL result in a non-nullable column",
    )


def missing(kind: str, name: str) -> StatementError:
    """No such object, or no right to it: Snowflake does not tell which."""
    return StatementError(
        "002003",
        "02000",
        f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.",
    )


def gone() -> StatementError:
    """The session was closed, or never was. Source: the connector's ``network.py``."""
    return StatementError("390111", "08001", "Session no longer exists. New login required.")


def insufficient(kind: str, name: str) -> StatementError:
    """The role has some right, but not this one."""
    return StatementError(
        "003001",
        "42501",
        f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'.",
    )
