"""Sessions of the real connector with the stand-in for Snowflake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from local import emulators
from local.account import Account
from local.set_up import Connect, Session, sessions, set_up_by, statements

__all__ = ["Connect", "Session", "statements"]


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
    with sessions(snowflake, schema) as once:
        yield once


@pytest.fixture
def set_up(connect: Connect, schema: str) -> Session:
    """An administrator's session that has run all files."""
    return set_up_by(connect(), schema)


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
