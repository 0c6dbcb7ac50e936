"""Runs one poll from the settings.

No other module builds the adapters or loads the mock.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from . import settings as settings_module
from .collect import Collection, Limits, not_begun
from .decoding.interpreter import Interpreter
from .model import Preset, now
from .report import Report
from .salesforce.login import authenticate
from .salesforce.pubsub import PubSub
from .scratch import scratch_folder
from .settings import Settings
from .storage.blobs import connect
from .storage.store import Store

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
    account = settings.storage
    with (
        scratch_folder("poll") as folder,
        connect(account.connection_string, account.service_uri, account.client_id) as service,
    ):
        if settings.mock is None:
            return _poll(settings, service, folder, began, began_at)
        # In production the mock is never loaded.
        from .mock_salesforce import MockSalesforce, refuse_real_places  # noqa: PLC0415

        refuse_real_places(environ, service.url, allowed=settings.mock.allowed_in_azure)
        invented = settings.mock
        with MockSalesforce(
            invented.interval_seconds, invented.now, faults=invented.faults, folder=folder
        ) as mock:
            instead = settings_module.read(mock.instead_of(environ))
            return _poll(instead, service, folder, began, began_at)


def _poll(
    settings: Settings, service: BlobServiceClient, folder: Path, began: float, began_at: str
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
    with source:
        org_id = source.session.org_id
        return Collection(
            source,
            store,
            Interpreter(source.schema, org_id, settings.event_rules),
            org_id,
            settings.topics,
            replay_preset=Preset(settings.replay_preset),
            limits=Limits(settings.max_run_seconds, settings.idle_seconds, settings.max_file_rows),
            began=began,
            began_at=began_at,
        ).run()
