"""Shows the dashboard on this machine: ``python3 tests/demo.py --dashboard``."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

from . import dashboard, emulators, screen
from .set_up import sessions, set_up_by

DAYS = 30


def demonstrate() -> int:
    """Load a history of ``DAYS``, and serve the dashboard until Ctrl-C."""
    with contextlib.ExitStack() as started:
        screen.headline("Start Azurite (for Blob Storage) and the stand-in for Snowflake")
        blob = started.enter_context(emulators.azurite())
        snowflake = started.enter_context(emulators.snowflake())
        settings = {**blob.settings, **snowflake.settings}
        schema = settings["SNOWFLAKE_SCHEMA"].upper()
        with sessions(snowflake, schema) as connect:
            set_up_by(connect(), schema)
        screen.headline(f"Load {DAYS} days of the mock's history; this takes a few minutes")
        now = datetime.now(timezone.utc).replace(microsecond=0)
        dashboard.fill(settings, now - timedelta(days=DAYS), now, screen.line)
        address = started.enter_context(dashboard.served(dashboard.login(settings)))
        screen.until_ctrl_c(f"The dashboard is at {address} until you press Ctrl-C")
    return 0
