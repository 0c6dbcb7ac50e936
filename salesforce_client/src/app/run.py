"""Runs one poll from the settings.

No other module builds the adapters or loads the mock.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from . import settings as settings_module
from .budget import host_seconds
from .checks.all_objects import Checks, Rules
from .checks.one_object import Poll
from .collect import Collection, Limits, not_begun
from .decoding.interpreter import Interpreter
from .model import Preset, moment_of, now
from .report import Report
from .salesforce.lists import Lists
from .salesforce.login import authenticate
from .salesforce.pubsub import PubSub
from .salesforce.rest import API_VERSION, Rest
from .scratch import scratch_folder
from .settings import Settings
from .storage.blobs import connect
from .storage.store import Store

HOST = Path(__file__).resolve().parent.parent.parent / "host.json"
# Questions of the checks end this many seconds before the host ends the poll. Their file is
# uploaded after them.
UPLOAD_SECONDS = 45.0
NOISY_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity")


def run(environ: Mapping[str, str]) -> Report:
    """Run one poll. ``environ`` holds the settings.

    Raises:
        CollectorError: the settings have a problem, or Blob Storage or this machine's disk cannot
            be used. Other errors are in the report.
    """
    began, began_at = time.monotonic(), now()
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    ends = began + host_seconds(HOST, environ, settings.max_run_seconds)
    account = settings.storage
    with (
        scratch_folder("poll") as folder,
        connect(account.connection_string, account.service_uri, account.client_id) as service,
    ):
        if settings.mock is None:
            return _poll(settings, service, folder, began, began_at, ends)
        # In production the mock is never loaded.
        from .mock_salesforce import MockSalesforce, refuse_real_places  # noqa: PLC0415

        refuse_real_places(environ, service.url, allowed=settings.mock.allowed_in_azure)
        invented = settings.mock
        with MockSalesforce(
            invented.interval_seconds, invented.now, faults=invented.faults, folder=folder
        ) as mock:
            instead = settings_module.read(mock.instead_of(environ))
            return _poll(instead, service, folder, began, began_at, ends)


def _poll(
    settings: Settings,
    service: BlobServiceClient,
    folder: Path,
    began: float,
    began_at: str,
    ends: float,
) -> Report:
    store = Store(service, settings.events_container, settings.cursors_container, folder)
    salesforce = settings.salesforce
    assert salesforce, "read() raises if it is missing"
    login = functools.partial(
        authenticate,
        salesforce.login_url,
        salesforce.audience,
        salesforce.client_id,
        salesforce.username,
        salesforce.private_key,
        salesforce.ca_file,
    )
    endpoint = salesforce.pubsub_endpoint
    try:
        source = PubSub(
            endpoint.target, tls=endpoint.tls, authenticate=login, ca_file=salesforce.ca_file
        )
    except Exception as error:  # noqa: BLE001  (``Report.raise_if_failed`` raises it again)
        return not_begun(store, settings.topics, began_at, error)
    with source, contextlib.closing(_rest(source, salesforce.ca_file, ends)) as rest:
        org_id = source.session.org_id
        poll = Poll(org_id, API_VERSION, moment_of(began_at), settings.check_hours, _clock)
        rules = Rules(settings.check_objects, settings.max_check_calls, settings.max_file_rows)
        with Checks(Lists(rest), store, store.checks, settings.topics, rules, poll) as checks:
            report = Collection(
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
            ).run()
            checks.run(report)
            return report


def _rest(source: PubSub, ca_file: str, ends: float) -> Rest:
    """The REST API, with the session of the Pub/Sub API."""
    return Rest(
        lambda: source.session,
        source.renew,
        deadline=ends - UPLOAD_SECONDS,
        clock=_clock,
        ca_file=ca_file,
    )


def _clock() -> datetime:
    return datetime.now(timezone.utc)
