"""Builds the adapters from the settings and runs one sweep. No other module builds adapters."""

from __future__ import annotations

import contextlib
import functools
import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from . import settings as settings_module
from .event_files import blobs
from .report import Report
from .settings import Settings
from .sync import Limits, sweep
from .warehouse.load import Loader
from .warehouse.session import Session
from .warehouse.tables import Identifier, Tables, names_beside

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
    sweep_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    with blobs.connect(
        account.connection_string, account.service_uri, account.client_id
    ) as service:
        return sweep(
            blobs.EventContainer(service, settings.events_container),
            functools.partial(_target, settings, sweep_id),
            sweep_id,
            full=settings.full_sweep,
            limits=Limits(settings.max_run_seconds, settings.max_merge_rows),
        )


@contextlib.contextmanager
def _target(settings: Settings, sweep_id: str) -> Iterator[Loader]:
    """Open a session and yield the loader for the tables that the settings name."""
    target = settings.snowflake
    names = names_beside(Identifier.parse(target.table))
    with Session(
        account=target.account,
        login=target.login,
        warehouse=target.warehouse,
        role=target.role,
        server=target.server,
        database=target.database,
        schema=target.schema,
        names=names,
        sweep_id=sweep_id,
        patience_seconds=settings.max_run_seconds,
    ) as session:
        place = Identifier.parse(target.database), Identifier.parse(target.schema)
        yield Loader(
            session,
            Tables(session, names, *place),
            sweep_id=sweep_id,
            window_days=0 if settings.full_sweep else settings.merge_window_days,
        )
