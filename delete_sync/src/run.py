"""Opens the app with its settings, and runs a sweep."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from . import settings as settings_module
from . import sync
from .adapters import App
from .budget import Budget, host_seconds
from .event_files import blobs
from .event_files.file_format import FORMAT_VERSION
from .freshness import Patience
from .model import EventBlob
from .report import Report
from .warehouse.load import Loader

HOST = Path(__file__).resolve().parent.parent / "host.json"

NOISY_LOGGERS = (
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity",
    "snowflake.connector",
)


@contextlib.contextmanager
def opened(environ: Mapping[str, str], *, person: bool = False) -> Iterator[App]:
    """The app with these settings.

    Args:
        environ: the settings.
        person: a person runs a command, and logs in to Azure as that person. No host ends it.

    Raises:
        SyncError: the settings have a problem.
    """
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    account = settings.storage
    ends_after = host_seconds(HOST, environ, settings.max_run_seconds)
    budget = (
        Budget(math.inf, math.inf) if person else Budget.of(settings.max_run_seconds, ends_after)
    )
    with blobs.connect(
        account.connection_string, account.service_uri, account.client_id, budget, person=person
    ) as service:
        yield App(settings, service, budget)


def run(environ: Mapping[str, str]) -> Report:
    """Run one sweep with the settings in ``environ``.

    A refused file is not an error of this function. It is in the report.

    Raises:
        SyncError: the sweep failed.
    """
    with opened(environ) as app:
        return sweep(app, full=app.settings.full_sweep)


def sweep(
    app: App,
    *,
    full: bool,
    only: Sequence[EventBlob] = (),
    watch: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Run one sweep. See ``sync.sweep`` for the arguments and the errors."""
    settings = app.settings
    now = datetime.now(timezone.utc)
    sweep_id = _new_id(now)
    return sync.sweep(
        app.events(),
        functools.partial(_target, app, sweep_id),
        sweep_id,
        full=full,
        limits=sync.Limits(settings.max_merge_rows),
        budget=app.budget,
        patience=Patience(settings.max_backlog_hours, settings.max_silence_hours),
        now=now,
        only=only,
        watch=watch,
    )


def copy_rows(app: App, origin: App) -> Mapping[str, int]:
    """Copy the rows of another target that this one does not have. See ``Loader.copy_from``."""
    with _target(app, _new_id(datetime.now(timezone.utc))) as loader:
        loader.prepare()
        return loader.copy_from(origin.names)


def _new_id(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def _target(app: App, sweep_id: str) -> Iterator[Loader]:
    connect = functools.partial(app.session, sweep_id)
    with contextlib.closing(
        Loader(connect, app.names, sweep_id=sweep_id, reader_version=FORMAT_VERSION)
    ) as loader:
        yield loader
