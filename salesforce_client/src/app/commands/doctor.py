"""``doctor``: looks at everything that a poll needs, and says what to do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Optional

from ..adapters import App
from ..console import Console, StoppedError
from ..errors import CollectorError, SettingsError
from ..model.positions import StoredCursor
from ..salesforce.pubsub import PubSub
from . import installation, machine_checks, org_checks, salesforce_checks, storage_checks
from .call import Call
from .findings import FAILURE, OK, Finding, looked, of_error, shown, skipped
from .state import age_of

HELP = "look at everything that a poll needs, and say what to do"
EXAMPLE = "doctor --yes"
AT_ONCE = 8  # topics
OLDEST_PYTHON = (3, 9)
NO_CURSOR = StoredCursor(None, None)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--listen",
        type=float,
        metavar="SECONDS",
        default=salesforce_checks.LISTEN_SECONDS,
        help="how long to listen to each topic (3)",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Run every check. One that fails does not stop the others."""
    return shown(_findings(call, options.listen), call.console)


def _findings(call: Call, listen: float) -> Iterator[Finding]:
    yield installation.versions(call.folder / "requirements.txt", OLDEST_PYTHON)
    try:
        gathered = call.gathered()
        with call.app() as app:
            yield from machine_checks.settings(app, gathered)
            yield from _of_app(call.console, app, listen)
    except SettingsError as error:
        yield from installation.of_settings(error)
        yield skipped("all others", "they need the settings", "correct the settings first")


def _of_app(console: Console, app: App, listen: float) -> Iterator[Finding]:
    yield looked("clock", lambda: machine_checks.clock(app.ahead_seconds()))
    source: Optional[PubSub] = None
    try:
        source = app.source()
        org_id = source.session.org_id
        yield Finding("login", OK, f"{app.salesforce.username} in org {org_id}")
    except CollectorError as error:
        org_id = ""
        yield of_error("login", error)
    containers = list(storage_checks.containers(app))
    yield from containers
    # If Storage refuses or does not answer, the other checks would only say so again.
    reached = all(it.status != FAILURE for it in containers)
    yield from _of_polls(app, org_id, reached=reached)
    if source is None:
        yield skipped("topics", "nobody is logged in", "correct the login first")
    else:
        with source:
            yield from _topics(app, source, org_id if reached else "", listen)
            yield from org_checks.limits(app, source)
            yield from org_checks.rights(app, source)
    if reached:
        yield from storage_checks.writes(app, org_id, allowed=_may_write(console))


def _of_polls(app: App, org_id: str, *, reached: bool) -> Iterator[Finding]:
    if not reached:
        unseen = "last poll, names, org, leases, cursors, writing"
        yield skipped(unseen, "see above", "correct the storage first")
        return
    about = f"names in {app.settings.events_container}"
    yield looked(about, lambda: storage_checks.names(app), "none has a time in the future")
    yield looked("last poll", lambda: _last_poll(app))
    if org_id:
        yield looked("org", lambda: storage_checks.orgs(app, org_id), f"{org_id}, no other")
        about = f"leases in {app.settings.cursors_container}"
        yield looked(about, lambda: storage_checks.leases(app, org_id), "none on the org's blobs")
    else:
        yield skipped("org, leases", "nobody is logged in", "correct the login first")


def _last_poll(app: App) -> Finding:
    polls, cursors = app.past_files(), app.cursors()
    now = datetime.now(timezone.utc)
    newest = polls.newest(app.settings.topics, now) if polls.exists() else {}
    return storage_checks.last_poll(
        newest, cursors=not newest and cursors.exists() and bool(cursors.listed())
    )


def _topics(app: App, source: PubSub, org_id: str, listen: float) -> Iterator[Finding]:
    """Topics are checked at the same time, because each may take seconds.

    ``org_id`` is empty if Storage cannot be used. The cursors are then not looked at.
    """

    def one(name: str) -> list[Finding]:
        if not org_id:
            return list(salesforce_checks.topic(app, source, name, None, listen))
        stored: Optional[StoredCursor] = None

        def look() -> Optional[Finding]:
            nonlocal stored
            stored = app.cursors().load(org_id, name) if app.cursors().exists() else NO_CURSOR
            preset = app.settings.replay_preset
            return salesforce_checks.cursor(name, stored, age_of(stored), preset)

        cursor = looked(f"cursor of {name}", look)
        return [*salesforce_checks.topic(app, source, name, stored, listen), cursor]

    with ThreadPoolExecutor(AT_ONCE, "topic") as pool:
        for findings in pool.map(one, app.settings.topics):
            yield from findings


def _may_write(console: Console) -> bool:
    try:
        console.confirm(
            "May the doctor write an event file without rows and a cursor, and remove both?"
        )
    except StoppedError:
        return False
    return True
