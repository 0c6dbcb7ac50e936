"""Builds the adapters from the settings, and runs a sweep. No other module builds adapters."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from . import settings as settings_module
from .budget import Budget, host_seconds
from .event_files import blobs
from .event_files.contents import Contents
from .event_files.downloads import downloads
from .event_files.event_file import FORMAT_VERSION
from .freshness import Patience
from .model import Download, EventBlob
from .report import Report
from .scratch import scratch_folder
from .settings import Settings
from .sync import Limits, sweep
from .warehouse.inspection import Inspection
from .warehouse.load import Loader
from .warehouse.names import Identifier, names_of
from .warehouse.overview import Overview
from .warehouse.session import Session

HOST = Path(__file__).resolve().parent.parent / "host.json"

NOISY_LOGGERS = (
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity",
    "snowflake.connector",
)


@dataclass(frozen=True)
class App:
    """The adapters of the app, built when they are needed.

    Attributes:
        settings: all settings.
        service: the storage account. Nothing was sent to it yet.
        budget: the time of a run. A command of a person has no limit.
    """

    settings: Settings
    service: BlobServiceClient
    budget: Budget

    @property
    def reads(self) -> int:
        """The newest format version that this app reads."""
        return FORMAT_VERSION

    @property
    def names(self) -> dict[str, Identifier]:
        """The names of the tables and of everything that belongs to them."""
        target = self.settings.snowflake
        database, schema, table = (
            Identifier.parse(name) for name in (target.database, target.schema, target.table)
        )
        return names_of(table, database, schema)

    def events(self) -> blobs.EventContainer:
        """The container of the event files. Nothing in it is changed."""
        return blobs.EventContainer(self.service, self.settings.events_container, self.budget)

    @contextlib.contextmanager
    def local_files(self, files: Sequence[EventBlob]) -> Iterator[Iterator[Download]]:
        """Download event files, one after another. The caller removes each after reading it."""
        with (
            scratch_folder("command") as scratch,
            downloads(self.events(), files, scratch, self.budget) as found,
        ):
            yield found

    def folder(self) -> contextlib.AbstractContextManager[Path]:
        """An empty folder for temporary files."""
        return scratch_folder("command")

    def contents(self, path: Path, name: str, sha256: str) -> Contents:
        """The content of an event file on this machine. The caller closes it."""
        return Contents(path, name, sha256)

    def session(self, purpose: str) -> Session:
        """A new session with Snowflake. The caller closes it.

        Args:
            purpose: stands in the query tag.
        """
        target = self.settings.snowflake
        parameters = {
            **target.login,
            **target.server,
            "account": target.account,
            "warehouse": target.warehouse,
            "database": target.database,
            "schema": target.schema,
            **({"role": target.role} if target.role else {}),
        }
        return Session(parameters, self.names, sweep_id=purpose, budget=self.budget)

    @contextlib.contextmanager
    def overview(self) -> Iterator[Overview]:
        """What the tables tell a person."""
        with self.session("command") as session:
            yield Overview(session, self.names)

    @contextlib.contextmanager
    def inspection(self) -> Iterator[Inspection]:
        """What a sweep needs in Snowflake."""
        with self.session("command") as session:
            yield Inspection(session, self.names)

    def sweep(
        self,
        *,
        full: bool,
        only: Sequence[EventBlob] = (),
        watch: Callable[[Report], None] = lambda _: None,
    ) -> Report:
        """Run one sweep. See ``sync.sweep`` for the arguments and the errors."""
        settings = self.settings
        now = datetime.now(timezone.utc)
        sweep_id = f"{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:8]}"
        return sweep(
            self.events(),
            functools.partial(self._target, sweep_id),
            sweep_id,
            full=full,
            limits=Limits(settings.max_merge_rows),
            budget=self.budget,
            patience=Patience(settings.max_backlog_hours, settings.max_silence_hours),
            now=now,
            only=only,
            watch=watch,
        )

    @contextlib.contextmanager
    def _target(self, sweep_id: str) -> Iterator[Loader]:
        connect = functools.partial(self.session, sweep_id)
        with contextlib.closing(
            Loader(connect, self.names, sweep_id=sweep_id, reader_version=FORMAT_VERSION)
        ) as loader:
            yield loader


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
        return app.sweep(full=app.settings.full_sweep)
