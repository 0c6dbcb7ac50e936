"""Composition root: settings in, report out. The only place that builds adapters and that knows of the mock."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping

from . import settings as settings_module
from . import storage
from .auth import authenticate
from .collect import Limits, collect
from .errors import SettingsError
from .pubsub import PubSub
from .report import Report
from .settings import Settings

NOISY_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity")


def run(environ: Mapping[str, str]) -> Report:
    """One poll, configured by ``environ``.

    Raises:
        CollectorError: the run could not be done; what a single topic ran into stands in the report instead.
    """
    began = time.monotonic()
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.read(environ)
    if settings.mock_mode:
        from .mock_salesforce import MockSalesforce, refuse_in_azure  # noqa: PLC0415  (never loaded in production)

        refuse_in_azure(environ, allowed=settings.mock_mode_in_azure)
        with MockSalesforce(settings.mock_interval_seconds, settings.mock_now, faults=settings.mock_faults) as mock:
            own_topics = environ.get("SALESFORCE_TOPICS") or mock.settings["SALESFORCE_TOPICS"]
            real = {**environ, **mock.settings, "SALESFORCE_TOPICS": own_topics, "MOCK_MODE": "false"}
            return _poll(settings_module.read(real), began)
    return _poll(settings, began)


def _poll(settings: Settings, began: float) -> Report:
    account = settings.storage
    service = storage.connect(account.connection_string, account.service_uri, account.client_id)
    store = storage.Storage(service, settings.events_container, settings.cursors_container)
    if settings.private_key is None:
        raise SettingsError(["SALESFORCE_PRIVATE_KEY is missing"])
    login = functools.partial(
        authenticate, settings.login_url, settings.audience, settings.client_id, settings.username, settings.private_key
    )
    with PubSub(settings.pubsub_endpoint.target, tls=settings.pubsub_endpoint.tls, authenticate=login) as source:
        return collect(
            source,
            store,
            settings.topics,
            replay_preset=settings.replay_preset,
            event_fields=settings.event_fields,
            limits=Limits(settings.max_run_seconds, settings.idle_seconds, settings.max_file_rows),
            began=began,
        )
