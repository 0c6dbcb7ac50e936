"""``doctor``: looks at everything that a sweep needs, and says what to do."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from ..adapters import App
from ..console import Console, StoppedError
from ..errors import SettingsError, SyncError
from ..warehouse.inspection import Books, Inspection
from . import installation, storage_checks, warehouse_checks
from .call import Call
from .findings import FAILURE, OK, Finding, looked, of_error, ok, shown, skipped

HELP = "look at everything that a sweep needs, and say what to do"
EXAMPLE = "doctor --yes"
OLDEST_PYTHON = (3, 9)
LOGIN_FIRST = "correct the login first"


def arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments of its own."""


def run(_: argparse.Namespace, call: Call) -> int:
    """Run every check. One that fails does not stop the others."""
    return shown(_findings(call), call.console)


def _findings(call: Call) -> Iterator[Finding]:
    yield installation.versions(call.folder / "requirements.txt", OLDEST_PYTHON)
    try:
        gathered = call.gathered()
        with call.app() as app:
            yield ok("settings", f"read from {gathered.told}")
            yield from storage_checks.container(app)
            yield from _of_warehouse(call.console, app)
    except SettingsError as error:
        yield from installation.of_settings(error)
        yield skipped("all others", "they need the settings", "correct the settings first")


def _of_warehouse(console: Console, app: App) -> Iterator[Finding]:
    with contextlib.ExitStack() as stack:
        try:
            inspection = stack.enter_context(app.inspection())
        except SyncError as error:
            yield of_error("login", error)
            yield skipped("warehouse, tables, stage, rows", "nobody is logged in", LOGIN_FIRST)
            return
        try:
            yield from _of_session(console, app, inspection)
        except SyncError as error:  # for example, the session was lost
            yield of_error("session", error)


def _of_session(console: Console, app: App, inspection: Inspection) -> Iterator[Finding]:
    try:
        who = inspection.who()
    except SyncError as error:  # the first query also needs the warehouse
        yield ok("login", "accepted")
        yield of_error("warehouse", error)
        yield skipped("tables, stage, rows", "see above", "correct the warehouse first")
        return
    yield ok("login", f"{who.user}, role {who.role or 'none'}, secondary roles off")
    found = list(warehouse_checks.place(app, who))
    yield from found
    if any(it.status == FAILURE for it in found):
        yield skipped("tables, stage, rows", "see above", "correct the place first")
        return
    found = []
    for finding in warehouse_checks.tables(inspection, who.role):
        found.append(finding)
        yield finding
    if any(it.status != OK for it in found):
        yield skipped("rows, upload", "see above", "correct tables, rights and stage first")
        return
    yield from _rows(app, inspection)
    with app.folder() as folder:
        yield warehouse_checks.upload(inspection, folder, allowed=_may_write(console))


def _rows(app: App, inspection: Inspection) -> Iterator[Finding]:
    table = inspection.name("table")
    books: Books | None = None

    def look() -> Finding:
        nonlocal books
        books = inspection.books()
        return warehouse_checks.rows(books, table)

    yield looked("rows", look)
    if books:
        yield storage_checks.reader(books.newest_reader, app.reads)
    yield looked(
        "duplicates",
        lambda: warehouse_checks.duplicates(inspection.duplicates(), table),
        "no key is there twice",
    )


def _may_write(console: Console) -> bool:
    try:
        console.confirm(
            "May the doctor upload a line to the stage, copy it into a temporary table, and remove"
            " both?"
        )
    except StoppedError:
        return False
    return True
