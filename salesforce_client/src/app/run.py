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
from datetime import datetime, timezone
from pathlib import Path
from typing import Union

from azure.storage.blob import BlobServiceClient

from . import settings as settings_module
from .budget import host_seconds
from .checks.all_objects import Checks, Rules
from .checks.one_object import Poll
from .collect import Collection, Limits, not_begun
from .decoding.event_plan import plan
from .decoding.interpreter import Interpreter
from .model import Preset, Session, moment_of, now
from .report import Report
from .reprocess import Reprocessed, SchemaOf, reprocess
from .salesforce.clock import ahead_seconds
from .salesforce.limits import OrgLimit, read_limits
from .salesforce.lists import Lists
from .salesforce.login import authenticate
from .salesforce.pubsub import PubSub
from .salesforce.rest import API_VERSION, Rest
from .scratch import scratch_folder
from .settings import Salesforce, Settings
from .storage.blobs import connect
from .storage.cursors import Cursors
from .storage.past_files import PastFiles
from .storage.progress import CheckBlobs
from .storage.store import Store
from .storage.trial import try_cursor, try_event_file

HOST = Path(__file__).resolve().parent.parent.parent / "host.json"
# Questions of the checks end this many seconds before the host ends the poll. Their file is
# uploaded after them.
UPLOAD_SECONDS = 45.0
# Bounds of the REST calls of a command.
QUESTIONS, QUESTION_SECONDS = 200, 120.0
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
        host_seconds: the host ends a run after this time. Infinite if it never does.
        clock: the clock of the checks. With MOCK_NOW it is the org's, because the checks ask for
            times of the org.
    """

    settings: Settings
    service: BlobServiceClient
    folder: Path
    mocked: bool
    host_seconds: float
    clock: Callable[[], datetime]

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

    def check_blobs(self) -> CheckBlobs:
        """The progress of the checks. Nothing is created."""
        return CheckBlobs(self.service.get_container_client(self.settings.cursors_container))

    def past_files(self) -> PastFiles:
        """What the newest event files tell of polls. Nothing is created."""
        events = self.service.get_container_client(self.settings.events_container)
        return PastFiles(events, self.folder)

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

    def rest(self, source: PubSub, deadline: float) -> Rest:
        """The REST API, with the session of the Pub/Sub API. The caller closes it."""
        return Rest(
            lambda: source.session,
            source.renew,
            deadline=deadline,
            clock=self.clock,
            ca_file=self.salesforce.ca_file,
        )

    @contextlib.contextmanager
    def questions(self, source: PubSub) -> Iterator[Lists]:
        """What a command may ask the REST API."""
        rest = self.rest(source, time.monotonic() + QUESTION_SECONDS)
        with contextlib.closing(rest):
            lists = Lists(rest)
            lists.allow(QUESTIONS)
            yield lists

    def limits(self, source: PubSub) -> Mapping[str, OrgLimit]:
        """What is left of the org's limits."""
        rest = self.rest(source, time.monotonic() + QUESTION_SECONDS)
        rest.allowed = QUESTIONS
        with contextlib.closing(rest):
            return read_limits(rest)

    def reprocess(self, file: Union[str, Path], source: PubSub) -> Reprocessed:
        """Decode the rejected events of a file again."""

        def records(schema_of: SchemaOf) -> Interpreter:
            return Interpreter(schema_of, source.session.org_id, self.settings.event_rules)

        most = self.settings.max_file_rows
        return reprocess(file, self.store(), source.schema, records, most_rows=most)


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
    ends_after = host_seconds(HOST, environ, settings.max_run_seconds)
    account = settings.storage
    with (
        scratch_folder("poll") as folder,
        connect(
            account.connection_string, account.service_uri, account.client_id, person=person
        ) as service,
    ):
        if settings.mock is None:
            yield App(
                settings, service, folder, mocked=False, host_seconds=ends_after, clock=_clock
            )
            return
        # In production the mock is never loaded.
        from .mock_salesforce import MockSalesforce, refuse_real_places  # noqa: PLC0415

        refuse_real_places(environ, service.url, allowed=settings.mock.allowed_in_azure)
        invented = settings.mock
        with MockSalesforce(
            invented.interval_seconds, invented.now, faults=invented.faults, folder=folder
        ) as mock:
            instead = settings_module.read(mock.instead_of(environ))
            fixed = invented.now
            clock = (lambda: fixed) if fixed else _clock
            yield App(instead, service, folder, mocked=True, host_seconds=ends_after, clock=clock)


def run(environ: Mapping[str, str]) -> Report:
    """Run one poll. ``environ`` holds the settings.

    Raises:
        CollectorError: the settings have a problem, or Blob Storage or this machine's disk cannot
            be used. Other errors are in the report.
    """
    began, began_at = time.monotonic(), now()
    with opened(environ) as app:
        return poll(app, began, began_at)


def poll(
    app: App,
    began: float,
    began_at: str,
    watch: Watch = lambda _: None,
    *,
    check_now: bool = False,
) -> Report:
    """Run one poll.

    Args:
        app: the app.
        began: when the run began, on the clock of ``time.monotonic``.
        began_at: the same moment, as UTC text.
        watch: called with the report before the topics are read. The report then grows.
        check_now: check every object now, also if its check is not due.

    Raises:
        CollectorError: Blob Storage cannot be used. Other errors are in the report.
    """
    settings, store = app.settings, app.store()
    try:
        source = app.source()
    except Exception as error:  # noqa: BLE001  (``Report.raise_if_failed`` raises it again)
        return not_begun(store, settings.topics, began_at, error)
    rest = app.rest(source, began + app.host_seconds - UPLOAD_SECONDS)
    with source, contextlib.closing(rest):
        org_id = source.session.org_id
        moment = moment_of(began_at) if app.clock is _clock else app.clock()
        about = Poll(org_id, API_VERSION, moment, settings.check_hours, app.clock)
        rules = Rules(
            settings.check_objects, settings.max_check_calls, settings.max_file_rows, check_now
        )
        with Checks(Lists(rest), store, store.checks, settings.topics, rules, about) as checks:
            collection = Collection(
                source,
                store,
                Interpreter(source.schema, org_id, settings.event_rules),
                org_id,
                settings.topics,
                replay_preset=Preset(settings.replay_preset),
                limits=Limits(
                    settings.max_run_seconds, settings.idle_seconds, settings.max_file_rows
                ),
                began=began,
                began_at=began_at,
                awaited=checks.awaited,
                objects=checks.objects_of,
            )
            watch(collection.report)
            report = collection.run()
            checks.run(report)
            return report


def _clock() -> datetime:
    return datetime.now(timezone.utc)
