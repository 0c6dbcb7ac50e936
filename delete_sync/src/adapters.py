"""Builds the adapters from the settings, each when it is needed.

A sweep does not import the modules of those that only commands need, so that it starts earlier.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azure.storage.blob import BlobServiceClient

from .budget import Budget
from .event_files.blobs import EventContainer
from .event_files.downloads import downloads
from .event_files.erasure import Ids
from .event_files.file_format import FORMAT_VERSION
from .model import Download, EventBlob
from .scratch import scratch_folder
from .settings import Settings
from .warehouse.names import Identifier, names_of
from .warehouse.session import Session

if TYPE_CHECKING:
    from .event_files.contents import Contents
    from .event_files.replacement import Replacements
    from .warehouse.erasure import Eraser
    from .warehouse.inspection import Inspection
    from .warehouse.overview import Overview


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

    def events(self) -> EventContainer:
        """The container of the event files. Nothing in it is changed."""
        return EventContainer(self.service, self.settings.events_container, self.budget)

    @contextlib.contextmanager
    def local_files(self, files: Sequence[EventBlob]) -> Iterator[Iterator[Download]]:
        """Download event files, one after another. The caller removes each after reading it."""
        with (
            scratch_folder("command") as scratch,
            downloads(self.events(), files, scratch, self.budget) as found,
        ):
            yield found

    def replacements(self) -> Replacements:
        """The container of the event files, to replace one."""
        from .event_files.replacement import Replacements  # noqa: PLC0415

        return Replacements(self.service, self.settings.events_container)

    def folder(self) -> contextlib.AbstractContextManager[Path]:
        """An empty folder for temporary files."""
        return scratch_folder("command")

    def contents(self, path: Path, name: str, sha256: str) -> Contents:
        """The content of an event file on this machine. The caller closes it."""
        from .event_files.contents import Contents  # noqa: PLC0415

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
        from .warehouse.overview import Overview  # noqa: PLC0415

        with self.session("command") as session:
            yield Overview(session, self.names)

    @contextlib.contextmanager
    def inspection(self) -> Iterator[Inspection]:
        """What a sweep needs in Snowflake."""
        from .warehouse.inspection import Inspection  # noqa: PLC0415

        with self.session("command") as session:
            yield Inspection(session, self.names)

    @contextlib.contextmanager
    def eraser(self, ids: Ids) -> Iterator[Eraser]:
        """Erases these records in Snowflake. Only the rights of the role itself count."""
        from .warehouse.erasure import Eraser  # noqa: PLC0415

        def connect() -> Session:
            session = self.session("erase")
            session.rows("secondary_roles_off")
            return session

        with (
            scratch_folder("command") as folder,
            contextlib.closing(Eraser(connect, self.names, ids.digests, folder)) as eraser,
        ):
            yield eraser
