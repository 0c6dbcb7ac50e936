"""Sessions of the real connector with the stand-in, and the set-up files of the docs run there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import connect as open_session
from snowflake.connector.errors import Error

from . import emulators

Connect = Callable[..., Any]
SQL = Path(__file__).resolve().parent.parent.parent / "docs/setup/snowflake"
FILES = ("1_tables.sql", "2_access.sql", "3_views.sql")


@contextlib.contextmanager
def sessions(server: emulators.Server, schema: str) -> Iterator[Connect]:
    """Open sessions in a schema, with AUTOCOMMIT off. They are closed at the end."""
    with contextlib.ExitStack() as stack:

        def once(**changes: Any) -> Session:
            given = {
                "account": "local",
                "user": "local",
                "password": "local",
                "host": "127.0.0.1",
                "port": server.port,
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
    """The statements of a set-up file, as ``own_names`` changes them."""
    text = re.sub(r"^\s*--.*$", "", (SQL / name).read_text(), flags=re.MULTILINE)
    yield from (one.strip() for one in own_names(text, schema).split(";") if one.strip())


def own_names(text: str, schema: str) -> str:
    """Statements with the test's own schema and with names of its own for roles."""
    for old, new in (
        (r"\baudit\.salesforce\b", f"audit.{schema}"),
        (r'"<analysts>"', f"analysts_{schema}"),
        (r'"<operator>"', f"delete_sync_svc_{schema}"),
        (r'"<new schema>"', f"{schema}_NEW"),
        (
            r"\b(delete_sync_(?:loader|svc|wh)"
            r"|delete_tracker_(?:reader|mover|eraser|dashboard|dashboard_wh))\b",
            rf"\1_{schema}",
        ),
    ):
        text = re.sub(old, new, text)
    return text


def set_up_by(administrator: Session, schema: str, files: Sequence[str] = FILES) -> Session:
    """Run the set-up files in an administrator's session, and return it."""
    administrator(f"CREATE ROLE analysts_{schema}")
    for name in files:
        for statement in statements(name, schema):
            administrator(statement)
    return administrator
