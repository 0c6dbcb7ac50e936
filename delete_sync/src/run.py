"""Composition root: settings in, report out. The only place that builds adapters."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone

from . import settings as settings_module
from . import storage
from .sync import Limits, Report, sweep
from .warehouse import Warehouse

NOISY_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity", "snowflake.connector")


def run(environ: Mapping[str, str]) -> Report:
    """One sweep, configured by ``environ``.

    Raises:
        SyncError: the sweep could not be done; files that were refused stand in the report instead.
    """
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    account = settings.storage
    service = storage.connect(account.connection_string, account.service_uri, account.client_id)
    sweep_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    return sweep(
        storage.Storage(service, settings.events_container),
        functools.partial(
            Warehouse,
            **vars(settings.snowflake),
            sweep_id=sweep_id,
            patience_seconds=settings.max_run_seconds,
            window_days=0 if settings.full_sweep else settings.merge_window_days,
        ),
        sweep_id,
        full=settings.full_sweep,
        limits=Limits(settings.max_run_seconds, settings.max_merge_rows),
    )
