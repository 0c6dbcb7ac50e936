"""``sweep``: one run now, with its progress; also of single files."""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..adapters import App
from ..console import ENDINGS, FINDINGS, WELL, Console, exit_code
from ..errors import SyncError
from ..model import EventBlob
from ..report import Report
from ..run import sweep
from .call import Call
from .listing import named

HELP = "load the pending event files now, all files again, or single files again"
NO_LIMIT = "There is no time limit: MAX_RUN_SECONDS does not count."
EXAMPLE = "sweep events_20260131T120000Z.db"
SHOW_SECONDS = 1.0
ALWAYS = ("files", "synced", "left")  # figures that are shown also if they are 0


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.description = f"{parser.description}\n\n{NO_LIMIT}"
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--full", action="store_true", help="load every file again")
    which.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        default=[],
        help="load exactly these event files, also if they were refused or loaded before",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Run one sweep. It does what the timer does, has no time limit, and may run beside it."""
    with call.app() as app:
        only = named(app, options.files)
        call.console.confirm(question(app, only, full=options.full))
        report = watched(app, call.console, full=options.full, only=only)
    code, told = tell(report, call.console)
    call.console.line(said(report, code))
    call.console.result({"exit_code": code, **told})
    return code


def watched(app: App, console: Console, *, full: bool, only: Sequence[EventBlob] = ()) -> Report:
    """Run one sweep, and show its progress."""
    began = time.monotonic()
    with console.progress() as show, _watching(show, began) as watch:
        return sweep(app, full=full, only=only, watch=watch)


def question(app: App, only: Sequence[EventBlob], *, full: bool) -> str:
    """What a person is asked before a sweep."""
    target = app.settings.snowflake
    which = f"{len(only)} event file(s)" if only else "the pending event files"
    if full:
        which = "all event files again"
    table = ".".join((target.database, target.schema, target.table))
    return f"Load {which} of container {app.settings.events_container} into {table} now?"


def tell(report: Report, console: Console) -> tuple[int, dict[str, Any]]:
    """Print what a sweep did. Returns the exit code, and the result for ``--json``."""
    code, error = WELL, None
    try:
        report.raise_if_failed()
    except SyncError as failed:
        code, error = exit_code(failed), failed
    if code == WELL and report.left:
        code = FINDINGS
    figures = report.figures()
    console.table(
        ("figure", "number"),
        [(name, number) for name, number in figures.items() if number or name in ALWAYS],
    )
    if error:
        console.note(f"{type(error).__name__}: {error}")
    return code, {
        "sweep_id": report.sweep_id,
        "figures": figures,
        "synced": list(report.synced),
        "refused": dict(report.refused),
        "unavailable": dict(report.unavailable),
        "duplicates": list(report.duplicates),
        "error": f"{type(error).__name__}: {error}" if error else None,
    }


def said(report: Report, code: int) -> str:
    """One sentence: whether anything was pending, what became of it, and whether all is well."""
    became = [
        f"{number:,} {how}"
        for number, how in (
            (len(report.synced), "loaded"),
            (report.elsewhere, "loaded by another sweep"),
            (len(report.refused), "refused"),
            (report.left, "still pending"),
        )
        if number
    ]
    parts = ["nothing was pending" if report.files else "the container has no event file"]
    if became:
        deletes = report.inserted + report.recovered
        parts = [f"event files: {', '.join(became)}", f"{deletes:,} new delete(s)"]
    if report.refused_before:
        parts.append(f"{report.refused_before:,} refused before, which the command status names")
    if code != WELL or not report.refused_before:  # what was refused is not well
        parts.append(ENDINGS[code])
    return "; ".join(parts)


def told(report: Report, seconds: float) -> str:
    """One line of progress."""
    done = len(report.synced) + len(report.refused) + report.elsewhere
    rate = report.staged / max(seconds, 0.001)
    return f"{report.files:,} files listed, {done:,} loaded, {report.staged:,} rows, {rate:,.0f}/s"


@contextlib.contextmanager
def _watching(
    show: Callable[[str], None], began: float, every: float = SHOW_SECONDS
) -> Iterator[Callable[[Report], None]]:
    """Show the progress of a report in a thread of its own, until the end of the block."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def follow(report: Report) -> None:
        while not ended.wait(every):
            show(told(report, time.monotonic() - began))

    def watch(report: Report) -> None:
        thread = threading.Thread(target=follow, args=(report,), name="progress", daemon=True)
        threads.append(thread)
        thread.start()

    try:
        yield watch
    finally:
        ended.set()
        for thread in threads:
            thread.join()
