"""Builds the app from its settings and runs one poll.

No other module builds the app or loads the mock. The function and the commands both use it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Union

from . import settings as settings_module
from .adapters import App
from .budget import host_seconds
from .checks.all_objects import Checks, Rules
from .checks.poll import Poll
from .collect import Collection, Limits, not_begun
from .decoding.interpreter import Interpreter
from .errors import CollectorError
from .model.limits import DELIVERIES, OrgLimit
from .model.positions import Preset
from .model.times import moment_of, now
from .report import Report
from .reprocess import Reprocessed, SchemaOf, reprocess
from .salesforce.lists import Lists
from .salesforce.pubsub import PubSub
from .salesforce.rest import API_VERSION
from .scratch import scratch_folder
from .storage.blobs import connect

HOST = Path(__file__).resolve().parent.parent.parent / "host.json"
# Questions of the checks end this many seconds before the host ends the poll. Their file is
# uploaded after them.
UPLOAD_SECONDS = 45.0
# What is left of the org's allocation is asked last. The answer has so many seconds.
LIMITS_SECONDS, LAST_SECONDS = 15.0, 5.0
NOISY_LOGGERS = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity")
Watch = Callable[[Report], None]


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
        from .mock_salesforce import MockSalesforce  # noqa: PLC0415
        from .mock_salesforce.places import refuse_real_places  # noqa: PLC0415

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
            report.deliveries = _deliveries(app, source, began)
            return report


def _deliveries(app: App, source: PubSub, began: float) -> Union[OrgLimit, CollectorError, None]:
    """What is left of the org's allocation, or why nobody knows. It fails no poll."""
    left = began + app.host_seconds - time.monotonic()
    try:
        return app.limits(source, min(LIMITS_SECONDS, left - LAST_SECONDS)).get(DELIVERIES)
    except CollectorError as error:
        return error


def reprocess_file(app: App, file: Union[str, Path], source: PubSub) -> Reprocessed:
    """Decode the rejected events of a file again."""

    def records(schema_of: SchemaOf) -> Interpreter:
        return Interpreter(schema_of, source.session.org_id, app.settings.event_rules)

    most = app.settings.max_file_rows
    return reprocess(file, app.store(), source.schema, records, most_rows=most)


def _clock() -> datetime:
    return datetime.now(timezone.utc)
