"""Builds the adapters from the settings and runs one sweep. No other module builds adapters."""

from __future__ import annotations

import contextlib
import functools
import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from . import settings as settings_module
from .budget import Budget, host_seconds
from .event_files import blobs
from .event_files.event_file import FORMAT_VERSION
from .freshness import Patience
from .report import Report
from .settings import Snowflake
from .sync import Limits, sweep
from .warehouse.load import Loader
from .warehouse.names import Identifier, names_of
from .warehouse.session import Session

HOST = Path(__file__).resolve().parent.parent / "host.json"

NOISY_LOGGERS = (
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity",
    "snowflake.connector",
)


def run(environ: Mapping[str, str]) -> Report:
    """Run one sweep with the settings in ``environ``.

    A refused file is not an error of this function. It is in the report.

    Raises:
        SyncError: the sweep failed.
    """
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    account = settings.storage
    now = datetime.now(timezone.utc)
    sweep_id = f"{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:8]}"
    budget = Budget.of(
        settings.max_run_seconds, host_seconds(HOST, environ, settings.max_run_seconds)
    )
    with blobs.connect(
        account.connection_string, account.service_uri, account.client_id, budget
    ) as service:
        return sweep(
            blobs.EventContainer(service, settings.events_container, budget),
            functools.partial(_target, settings.snowflake, sweep_id, budget),
            sweep_id,
            full=settings.full_sweep,
            limits=Limits(settings.max_merge_rows),
            budget=budget,
            patience=Patience(settings.max_backlog_hours, settings.max_silence_hours),
            now=now,
        )


@contextlib.contextmanager
def _target(target: Snowflake, sweep_id: str, budget: Budget) -> Iterator[Loader]:
    """Yield the loader for the tables that the settings name."""
    database, schema, table = (
        Identifier.parse(name) for name in (target.database, target.schema, target.table)
    )
    names = names_of(table, database, schema)
    parameters = {
        **target.login,
        **target.server,
        "account": target.account,
        "warehouse": target.warehouse,
        "database": target.database,
        "schema": target.schema,
        **({"role": target.role} if target.role else {}),
    }
    connect = functools.partial(Session, parameters, names, sweep_id=sweep_id, budget=budget)
    with contextlib.closing(
        Loader(connect, names, sweep_id=sweep_id, reader_version=FORMAT_VERSION)
    ) as loader:
        yield loader
