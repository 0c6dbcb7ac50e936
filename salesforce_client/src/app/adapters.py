"""Builds the adapters from the settings: the code for Salesforce and for Blob Storage.

Only ``run.py`` makes an ``App``, so it alone decides what is real and what is mocked. The commands
get the ``App`` from there.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from .decoding.event_plan import plan
from .model.events import Session
from .model.limits import OrgLimit
from .salesforce.clock import ahead_seconds
from .salesforce.limits import read_limits
from .salesforce.lists import Lists
from .salesforce.login import authenticate
from .salesforce.pubsub import PubSub
from .salesforce.rest import Rest
from .settings import Salesforce, Settings
from .storage.cursors import Cursors
from .storage.past_files import PastFiles
from .storage.progress import CheckBlobs
from .storage.store import Store
from .storage.trial import try_cursor, try_event_file

# Bounds of the REST calls of a command.
QUESTIONS, QUESTION_SECONDS = 200, 120.0


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

    def limits(self, source: PubSub, seconds: float = QUESTION_SECONDS) -> Mapping[str, OrgLimit]:
        """What is left of the org's limits. The answer must arrive within so many seconds."""
        rest = self.rest(source, time.monotonic() + seconds)
        rest.allowed = QUESTIONS
        with contextlib.closing(rest):
            return read_limits(rest)
