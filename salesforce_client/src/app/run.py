"""Builds the app from its settings and runs one poll.

No other module builds the adapters or loads the mock. The function and the commands both use it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from . import settings as settings_module
from .collect import Collection, Limits, not_begun
from .decoding.event_plan import plan
from .decoding.interpreter import Interpreter
from .model import Preset, Session, now
from .report import Report
from .salesforce.clock import ahead_seconds
from .salesforce.login import authenticate
from .salesforce.pubsub import PubSub
from .scratch import scratch_folder
from .settings import Salesforce, Settings
from .storage.blobs import connect
from .storage.cursors import Cursors
from .storage.newest_polls import NewestPolls
from .storage.store import Store
from .storage.trial import try_cursor, try_event_file

NOISY_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity")
Watch = Callable[[Report], None]


@dataclass(frozen=True)
class App:
    """The app with its settings, ready for a run. The function and the commands use it.

    Attributes:
        settings: all settings. In MOCK_MODE, those that lead to the running mock.
        service: the storage account. Nothing was sent to it yet.
        folder: for temporary files.
        mocked: whether MOCK_MODE is on.
    """

    settings: Settings
    service: BlobServiceClient
    folder: Path
    mocked: bool

    @property
    def salesforce(self) -> Salesforce:
        """How to reach the org."""
        assert self.settings.salesforce, "read() raises if it is missing"
        return self.settings.salesforce

    def store(self) -> Store:
        """Event files and cursors. It creates the containers if they do not exist."""
        settings = self.settings
        return Store(
            self.service, settings.events_container, settings.cursors_container, self.folder
        )

    def cursors(self) -> Cursors:
        """The cursors alone. Nothing is created."""
        return Cursors(self.service.get_container_client(self.settings.cursors_container))

    def newest_polls(self) -> NewestPolls:
        """What the newest event files tell of polls. Nothing is created."""
        events = self.service.get_container_client(self.settings.events_container)
        return NewestPolls(events, self.folder)

    def login(self) -> Session:
        """Log in once."""
        salesforce = self.salesforce
        return authenticate(
            salesforce.login_url,
            salesforce.audience,
            salesforce.client_id,
            salesforce.username,
            salesforce.private_key,
            salesforce.ca_file,
        )

    def ahead_seconds(self) -> float:
        """By how many seconds this machine's clock is ahead of Salesforce's."""
        return ahead_seconds(self.salesforce.login_url, self.salesforce.ca_file)

    def check_fields(self, topic: str, schema_id: str, schema_json: str) -> None:
        """Check that a platform event has the fields that the settings name."""
        fields = [str(field["name"]) for field in json.loads(schema_json)["fields"]]
        plan(self.settings.event_rules[topic], topic, schema_id, fields)

    def try_event_file(self) -> None:
        """Upload an event file as a poll does, and remove it."""
        settings = self.settings
        events = self.service.get_container_client(settings.events_container)
        try_event_file(events, self.folder)

    def try_cursor(self, org_id: str) -> None:
        """Save a cursor as a poll does, and remove it."""
        try_cursor(self.service.get_container_client(self.settings.cursors_container), org_id)

    def source(self) -> PubSub:
        """A channel to the Pub/Sub API, logged in. The caller closes it."""
        endpoint, ca_file = self.salesforce.pubsub_endpoint, self.salesforce.ca_file
        return PubSub(endpoint.target, tls=endpoint.tls, authenticate=self.login, ca_file=ca_file)


@contextlib.contextmanager
def opened(environ: Mapping[str, str], *, person: bool = False) -> Iterator[App]:
    """The app with these settings. In MOCK_MODE the mock runs meanwhile.

    Args:
        environ: the settings.
        person: a person runs a command, and logs in to Azure as that person.

    Raises:
        CollectorError: the settings have a problem, or this machine's disk cannot be used.
    """
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    account = settings.storage
    with (
        scratch_folder("poll") as folder,
        connect(
            account.connection_string, account.service_uri, account.client_id, person=person
        ) as service,
    ):
        if settings.mock is None:
            yield App(settings, service, folder, mocked=False)
            return
        # In production the mock is never loaded.
        from .mock_salesforce import MockSalesforce, refuse_real_places  # noqa: PLC0415

        refuse_real_places(environ, service.url, allowed=settings.mock.allowed_in_azure)
        invented = settings.mock
        with MockSalesforce(
            invented.interval_seconds, invented.now, faults=invented.faults, folder=folder
        ) as mock:
            instead = settings_module.read(mock.instead_of(environ))
            yield App(instead, service, folder, mocked=True)


def run(environ: Mapping[str, str]) -> Report:
    """Run one poll. ``environ`` holds the settings.

    Raises:
        CollectorError: the settings have a problem, or Blob Storage or this machine's disk cannot
            be used. Other errors are in the report.
    """
    began, began_at = time.monotonic(), now()
    with opened(environ) as app:
        return poll(app, began, began_at)


def poll(app: App, began: float, began_at: str, watch: Watch = lambda _: None) -> Report:
    """Run one poll.

    Args:
        app: the app.
        began: when the run began, on the clock of ``time.monotonic``.
        began_at: the same moment, as UTC text.
        watch: called with the report before the topics are read. The report then grows.

    Raises:
        CollectorError: Blob Storage cannot be used. Other errors are in the report.
    """
    settings, store = app.settings, app.store()
    try:
        source = app.source()
    except Exception as error:  # noqa: BLE001  (``Report.raise_if_failed`` raises it again)
        return not_begun(store, settings.topics, began_at, error)
    with source:
        org_id = source.session.org_id
        collection = Collection(
            source,
            store,
            Interpreter(source.schema, org_id, settings.event_rules),
            org_id,
            settings.topics,
            replay_preset=Preset(settings.replay_preset),
            limits=Limits(settings.max_run_seconds, settings.idle_seconds, settings.max_file_rows),
            began=began,
            began_at=began_at,
        )
        watch(collection.report)
        return collection.run()
