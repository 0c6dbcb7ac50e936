"""Queries Snowflake's stand-in as an analyst would: connect, query, print."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import snowflake.connector

Rows = list[tuple[Any, ...]]
WIDEST = 23
COLUMNS = """(
    id {id}, event_id VARCHAR(255), topic VARCHAR(255), object_name VARCHAR(255),
    record_id VARCHAR(255), deleted_by VARCHAR(255), deleted_date TIMESTAMP_NTZ,
    owner_id VARCHAR(255), payload VARIANT, ingested_at TIMESTAMP_NTZ)"""


@contextlib.contextmanager
def connect(settings: Mapping[str, str]) -> Iterator[Any]:
    """Open a session with the settings of ``emulators.snowflake``."""
    connection = snowflake.connector.connect(
        account=settings["SNOWFLAKE_ACCOUNT"],
        user=settings["SNOWFLAKE_USER"],
        password=settings["SNOWFLAKE_PASSWORD"],
        host=settings["SNOWFLAKE_HOST"],
        port=int(settings["SNOWFLAKE_PORT"]),
        protocol=settings["SNOWFLAKE_PROTOCOL"],
        database=settings["SNOWFLAKE_DATABASE"].upper(),
        schema=settings["SNOWFLAKE_SCHEMA"].upper(),
        login_timeout=20,
        network_timeout=60,
    )
    try:
        yield connection
    finally:
        connection.close()


def query(connection: Any, sql: str) -> tuple[list[str], Rows]:
    """Return the column names in lower case, and all rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [column.name.lower() for column in cursor.description], list(cursor.fetchall())


def as_table(columns: Sequence[str], rows: Rows) -> str:
    """Format rows for the terminal, indented by two. Values beyond ``WIDEST`` are cut."""
    cells = [[_cut(str(value).replace("\n", " ")) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells)]
    lines = [columns, ["─" * width for width in widths], *cells]
    return "\n".join(
        "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)) for line in lines
    )


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
