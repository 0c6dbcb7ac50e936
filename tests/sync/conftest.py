"""What tests of the sync share: event files, a sweep in this process, queries, and fakes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import emulators, warehouse
from local.event_files import delete
from local.in_memory import World
from local.set_up import FILES, Session, own_names, sessions, set_up_by, statements

from delete_sync.src.report import Report
from delete_sync.src.run import run
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
PASSWORD = "correct-horse-9"
Put = Callable[..., str]
Sweep = Callable[..., Report]
Query = Callable[[str], "list[tuple[Any, ...]]"]


@pytest.fixture
def put(events: ContainerClient, tmp_path: Path) -> Put:
    """Upload an event file of these rows, as the collector does. Returns its name.

    A text stands for a delete with this key.
    """
    if not events.exists():
        events.create_container()
    numbers = iter(range(100_000))

    def once(*rows: Any, content: bytes | None = None, metadata: bool = True) -> str:
        number = next(numbers)
        if content is None:
            file = EventFile(tmp_path / f"{number}.db", BEGUN_AT)
            file.add([delete(row) if isinstance(row, str) else row for row in rows])
            file.close()
            content = file.path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        name = blob_name(BEGUN_AT, number)
        events.upload_blob(name, content, metadata={"sha256": digest} if metadata else None)
        return name

    return once


@pytest.fixture
def sweep(blob_settings: Mapping[str, str], snowflake_settings: Mapping[str, str]) -> Sweep:
    """Run a sweep. The event files are old, so nothing may count as silent or overdue."""
    quiet = {"MAX_SILENCE_HOURS": "0", "MAX_BACKLOG_HOURS": "0"}
    return lambda **changes: run({**blob_settings, **snowflake_settings, **quiet, **changes})


@pytest.fixture
def query(connection: Any) -> Query:
    """Ask the warehouse as an analyst does."""
    return lambda sql: warehouse.query(connection, sql)[1]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty container. The machine's temporary directory is ``tmp_path``."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return World(tmp_path)


@dataclass
class Place:
    """A set-up as the docs say, in which the sync is the service user.

    Attributes:
        settings: of the sync.
        admin: an administrator's session.
    """

    settings: dict[str, str]
    admin: Session
    schema: str

    def run(self, statements: str) -> None:
        """Run an administrator's statements, which have the names of the docs."""
        for statement in own_names(statements, self.schema).split(";"):
            if statement.strip():
                self.admin(statement)
        self.admin("COMMIT")

    def beside(self) -> dict[str, str]:
        """Set up another schema for the command ``move``. Returns the settings with its role."""
        schema = f"{self.schema}_NEW"
        for name in FILES:
            for statement in statements(name, self.schema):
                self.admin(statement.replace(f"audit.{self.schema}", f"audit.{schema}"))
        for statement in statements("move.sql", self.schema):
            self.admin(statement)
        self.run(f"USE ROLE ACCOUNTADMIN; USE SCHEMA audit.{self.schema}")
        role = self.name("delete_tracker_mover")
        return {**self.settings, "SNOWFLAKE_SCHEMA": schema, "SNOWFLAKE_ROLE": role}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask as an administrator."""
        return self.admin(sql)

    def name(self, text: str) -> str:
        """A text with the own names of roles, in upper case as Snowflake has them."""
        return own_names(text, self.schema)


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    snowflake: emulators.Server,
    snowflake_settings: Mapping[str, str],
    blob_settings: Mapping[str, str],
) -> Iterator[Place]:
    """The set-up files were run. The views were made only with the mark ``views``."""
    files = FILES if request.node.get_closest_marker("views") else FILES[:2]
    schema = snowflake_settings["SNOWFLAKE_SCHEMA"].upper()
    user = {
        "SNOWFLAKE_USER": f"delete_sync_svc_{schema}",
        "SNOWFLAKE_WAREHOUSE": f"delete_sync_wh_{schema}",
        "SNOWFLAKE_PASSWORD": PASSWORD,
        "MAX_SILENCE_HOURS": "0",
        "MAX_BACKLOG_HOURS": "0",
    }
    with sessions(snowflake, schema) as connect:
        admin = set_up_by(connect(), schema, files)
        admin("USE ROLE ACCOUNTADMIN")
        admin("COMMIT")
        yield Place({**blob_settings, **snowflake_settings, **user}, admin, schema)
