"""Queries Snowflake's stand-in as an analyst would."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import snowflake.connector

from .environments import REPOSITORY

SET_UP = REPOSITORY / "docs/setup/snowflake"
Rows = list[tuple[Any, ...]]
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
        platform_detection_timeout_seconds=0.0,
    )
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def lock_row(settings: Mapping[str, str]) -> Iterator[bool]:
    """Hold the lock row in an idle transaction. Yield whether Snowflake allowed it."""
    with connect(settings) as stranger:
        try:
            query(stranger, "BEGIN")
            query(stranger, "UPDATE delete_tracker_lock SET id = id")
            held = True
        except snowflake.connector.Error:
            held = False
        yield held


def query(connection: Any, sql: str) -> tuple[list[str], Rows]:
    """Return the column names in lower case, and all rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [column.name.lower() for column in cursor.description], list(cursor.fetchall())


def statements(name: str) -> list[str]:
    """The statements of a file of the set-up."""
    text = re.sub(r"^\s*--.*$", "", (SET_UP / name).read_text(), flags=re.MULTILINE)
    return [one.strip() for one in text.split(";") if one.strip()]


def executable(name: str) -> list[str]:
    """The statements without ``USE``, for a session that is already in its schema."""
    return [one for one in statements(name) if not one.startswith("USE ")]


def run(connection: Any, name: str) -> list[Rows]:
    """Run a file of the set-up. Returns the rows of each statement."""
    return [query(connection, one)[1] for one in executable(name)]
