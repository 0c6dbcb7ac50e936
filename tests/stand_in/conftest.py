"""Sessions of the real connector with the stand-in for Snowflake."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from local import emulators
from local.account import Account
from snowflake.connector import connect as open_session
from snowflake.connector.errors import Error

Connect = Callable[..., Any]
SQL = Path(__file__).resolve().parent.parent.parent / "docs/setup/snowflake"
FILES = ("1_tables.sql", "2_access.sql", "3_views.sql")


@pytest.fixture
def schema(snowflake_settings: Mapping[str, str]) -> str:
    """The name of the test's own schema."""
    return snowflake_settings["SNOWFLAKE_SCHEMA"].upper()


@pytest.fixture
def account(snowflake: emulators.Server, schema: str) -> Account:
    return Account(snowflake, schema)


@pytest.fixture
def connect(snowflake: emulators.Server, schema: str) -> Iterator[Connect]:
    """Open a session in the test's schema, with AUTOCOMMIT off. It is closed at the end."""
    with contextlib.ExitStack() as stack:

        def once(**changes: Any) -> Session:
            given = {
                "account": "local",
                "user": "local",
                "password": "local",
                "host": "127.0.0.1",
                "port": snowflake.port,
                "protocol": "http",
                "database": "AUDIT",
                "schema": schema,
                "autocommit": False,
                "login_timeout": 20,
                "network_timeout": 60,
                **changes,
            }
            session = Session(open_session(**given))
            stack.callback(session.close)
            return session

        yield once


class Session:
    """A session of the connector, with less to write."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __call__(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def refused(self, sql: str) -> str:
        """Run a statement that must be refused, and return the number."""
        with pytest.raises(Error) as raised:
            self(sql)
        return f"{raised.value.errno:06d}"

    def one(self, sql: str) -> Any:
        """The only value of a result."""
        ((value,),) = self(sql)
        return value

    def close(self) -> None:
        """Close the session."""
        self.connection.close()


def statements(name: str, schema: str) -> Iterator[str]:
    """The statements of a file, in the test's own schema and with names of its own for roles."""
    text = re.sub(r"^\s*--.*$", "", (SQL / name).read_text(), flags=re.MULTILINE)
    for old, new in (
        (r"\baudit\.salesforce\b", f"audit.{schema}"),
        (r'"<analysts>"', f"analysts_{schema}"),
        (
            r"\b(delete_sync_loader|delete_tracker_reader|delete_sync_svc|delete_sync_wh)\b",
            rf"\1_{schema}",
        ),
    ):
        text = re.sub(old, new, text)
    yield from (one.strip() for one in text.split(";") if one.strip())


@pytest.fixture
def set_up(connect: Connect, schema: str) -> Session:
    """An administrator's session that has run all files."""
    administrator: Session = connect()
    administrator(f"CREATE ROLE analysts_{schema}")
    for name in FILES:
        for statement in statements(name, schema):
            administrator(statement)
    return administrator


@pytest.fixture
def reader(set_up: Session, connect: Connect, schema: str) -> Session:
    """A session of an analyst, with a warehouse of their own."""
    role = f"delete_tracker_reader_{schema}"
    for statement in (
        "USE ROLE ACCOUNTADMIN",
        f"CREATE WAREHOUSE analysis_{schema}",
        f"GRANT USAGE ON WAREHOUSE analysis_{schema} TO ROLE {role}",
    ):
        set_up(statement)
    session: Session = connect(role=role.upper(), warehouse=f"ANALYSIS_{schema}")
    return session
