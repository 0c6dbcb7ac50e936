"""A stand-in for Snowflake that is filled once, and sessions of the dashboard's role."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from local import dashboard, emulators, warehouse
from local.dashboard import Shown
from local.set_up import sessions, set_up_by

DAYS = 10


@dataclass(frozen=True)
class Account:
    """A schema that all set-up files made, and the login of the dashboard's role."""

    settings: Mapping[str, str]
    now: datetime

    def visit(self, page: str, **inputs: Any) -> Shown:
        """Open a page, with ``_`` for the blanks of a label."""
        return self.visits((page, inputs))[0]

    def visits(self, *visits: tuple[str, Mapping[str, Any]]) -> list[Shown]:
        """Open pages one after another, in one process."""
        secrets = dashboard.login(self.settings)
        return dashboard.visit(
            secrets,
            *(
                (page, {label.replace("_", " "): value for label, value in inputs.items()})
                for page, inputs in visits
            ),
        )

    def administer(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as an administrator."""
        with warehouse.connect(self.settings) as connection:
            return warehouse.query(connection, sql)[1]


def made(azurite: emulators.Server, snowflake: emulators.Server) -> Account:
    """An account with empty tables."""
    name = uuid.uuid4().hex[:12]
    settings = {
        **azurite.settings,
        **snowflake.settings,
        "EVENTS_CONTAINER": f"events-{name}",
        "CURSORS_CONTAINER": f"cursors-{name}",
        "SNOWFLAKE_SCHEMA": f"s_{name}",
    }
    schema = settings["SNOWFLAKE_SCHEMA"].upper()
    with sessions(snowflake, schema) as connect:
        set_up_by(connect(), schema)
    return Account(settings, datetime.now(timezone.utc).replace(microsecond=0))


@pytest.fixture
def own(azurite: emulators.Server, snowflake: emulators.Server) -> Account:
    """An account with empty tables, for one test alone."""
    return made(azurite, snowflake)


@pytest.fixture(scope="session")
def empty(azurite: emulators.Server, snowflake: emulators.Server) -> Account:
    return made(azurite, snowflake)


@pytest.fixture(scope="session")
def filled(azurite: emulators.Server, snowflake: emulators.Server) -> Account:
    """An account with the history of the mock's org."""
    account = made(azurite, snowflake)
    dashboard.fill(account.settings, account.now - timedelta(days=DAYS), account.now)
    return account
